"""The command line: words in, an exit code out. 0: done; 1: a stage failed, or an event killed it; 2: wrong usage."""

from __future__ import annotations

import gc
import sys

from bgpipe.errors import UsageError, visible
from bgpipe.pipeline.engine import Pipeline
from bgpipe.pipeline.grammar import Help, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


_LIBRARIES = ("aiohttp", "isal", "lz4", "prometheus-client", "rich", "uvloop", "zstandard")


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name) and return its exit code."""
    if words is None:
        words = sys.argv[1:]
        _reserve_standard()
    try:
        if not words:
            raise Help
        pipe = Pipeline(words)
        pipe.commanded = True
    except Help as asked:
        from bgpipe.pipeline import help as texts

        _print(texts.stage_help(asked.command) if asked.command else texts.main_help(), 2)
        return 0
    except Version:
        _print(_versions(), 1)
        return 0
    except UsageError as error:
        _print(visible(f"bgpipe: {error}") + "\n", 2)
        return 2
    if pipe.options.explain:
        from bgpipe.pipeline.explain import explain

        _print(explain(pipe), 1)
        return 0
    from bgpipe._codec import keep_memory

    keep_memory()
    if not gc.isenabled():  # by start() of __main__
        gc.freeze()
        gc.enable()
    return pipe.execute(signals=True)


def _reserve_standard() -> None:
    """A descriptor below 3 that is closed would be the next file's. What takes its place fails as a closed one does."""
    import os

    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if fd == 0 else os.O_RDONLY)


def _print(text: str, fd: int) -> None:
    import os

    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        pass
    except OSError as error:
        raise SystemExit(f"bgpipe: cannot write: {error.strerror}") from None


def _versions() -> str:
    """bgpipe, Python, the compiler of the core, and the libraries that are installed."""
    import os

    from bgpipe import __version__
    from bgpipe._codec import COMPILER

    # importlib.metadata would tell too, after 40 ms.
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")  # noqa: PTH208
        except OSError:
            continue
        for entry in entries:
            name, dash, version = entry.removesuffix(".dist-info").partition("-")
            if dash and entry.endswith(".dist-info"):
                found.setdefault(name.lower().replace("_", "-"), version)
    libraries = (f"{name} {found[name]}" for name in _LIBRARIES if name in found)
    python = sys.version.partition(" ")[0]
    return f"bgpipe {__version__}\nPython {python}\ncompiler {COMPILER}\nlibraries {', '.join(libraries)}\n"


if __name__ == "__main__":
    sys.exit(main())
