"""python -m bgpipe, and the command bgpipe."""

import sys


def start() -> int:
    """Run the command line of this process, and return its exit code."""
    import gc

    # What is imported stays: searching it for garbage, then and at the end, takes a seventh of a small job. See main().
    gc.disable()
    import _signal  # type: ignore[import-not-found]

    # Until the pipeline has handlers of its own there is nothing to end in good order, so that SIGINT may end the
    # process as SIGTERM does, in place of a traceback out of some import. One that is ignored stays so.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    # Ignored by who started us, it would hide from us how a program ended, and from that program how its own did.
    if _signal.getsignal(_signal.SIGCHLD) == _signal.SIG_IGN:
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    from bgpipe.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(start())
