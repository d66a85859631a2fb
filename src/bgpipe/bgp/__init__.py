"""The protocol itself, without input or output: its messages, negotiation, sessions and their timers."""
