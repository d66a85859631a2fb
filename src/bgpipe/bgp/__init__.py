"""The protocol itself, without input or output: capabilities and notifications."""
