from bgpipe._lines import LineDecoder

class JsonDecoder(LineDecoder):
    """JSON lines -> batches, one message a line. Errors are JsonErrors, with the path in the line."""
