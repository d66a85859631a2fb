"""Forms that messages come and go in: bytes to batches, batches to bytes."""
