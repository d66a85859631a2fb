from bgpipe._lines import LineDecoder

class ExaDecoder(LineDecoder):
    """ExaBGP's text -> batches: the messages of one command after the other. Errors are ExaErrors, with the column."""
