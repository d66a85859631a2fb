"""bgpipe: a pipeline for BGP messages."""

__version__ = "0.1.0"
