"""What a pipeline is: stages on two lines, the events between them, and the two drivers that make it go."""
