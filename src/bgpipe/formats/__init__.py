"""Formats: bytes <-> batches, behind one face (Decoder and Encoder of _codec). Modules are imported when used."""

from __future__ import annotations

from bgpipe.errors import InputError
from bgpipe.transport import compression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgpipe._bmp import Repeats
    from bgpipe._codec import Decoder, Encoder
    from bgpipe.transport.source import Source

FORMATS = ("json", "raw", "mrt", "bmp", "obmp", "exa")
WRITTEN = (*FORMATS, "bgpdump")  # a text that does not say enough to be read back
TEXTS = ("json", "exa")  # those that are lines, of what is read

_SUFFIXES = {
    ".mrt": "mrt",
    ".json": "json",
    ".jsonl": "json",
    ".txt": "json",
    ".raw": "raw",
    ".bin": "raw",
    ".bgp": "raw",
    ".exa": "exa",
    ".bmp": "bmp",
    ".obmp": "obmp",
    ".parquet": "parquet",
    ".bgpdump": "bgpdump",
}
_COMMANDS = (b"announce ", b"withdraw ", b"neighbor ", b"attributes ", b"group ", b"peer ")  # ExaBGP's
_COMPRESSED = (".gz", ".bz2", ".zst", ".zstd", ".xz", ".lz4")
_ARCHIVES = ("updates.2", "rib.2", "bview.2")  # RouteViews and RIPE RIS
_LATEST = ("latest-update.gz", "latest-bview.gz")

# Type -> highest subtype of the MRT records that there are (RFC 6396, and type 5 of before).
_MRT_TYPES = {5: 7, 11: 1, 12: 2, 13: 12, 16: 11, 17: 11, 32: 0, 33: 0, 48: 0, 49: 0}
_LONGEST_BMP = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # of UTF-8: what some editors put in front of a text
_PEEK_SIZES = (16, 256)  # 16 bytes tell, unless white space comes first; a slow pipe is to be waited for no longer


def by_name(name: str) -> str:
    """The format that a file's name (without folders) stands for, "" if for none."""
    if name in _LATEST:
        return "mrt"
    stem = name
    for suffix in _COMPRESSED:
        if name.lower().endswith(suffix):
            stem = name[: -len(suffix)]
    dot = stem.rfind(".")
    known = _SUFFIXES.get(stem[dot:].lower(), "") if dot >= 0 else ""
    return known or ("mrt" if name.startswith(_ARCHIVES) else "")


def by_content(head: bytes) -> str:
    """The format that the first decompressed bytes, 16 or more, stand for, "" if for none."""
    if head[:4] == b"OBMP":
        return "obmp"
    # Before MRT: there it would be a record of 1971.
    if len(head) >= 16 and head[0] == 3 and 6 <= int.from_bytes(head[1:5], "big") <= _LONGEST_BMP and head[5] < 7:
        return "bmp"
    # Before JSON: a record of 2018 may begin with "[", but no JSON holds a zero byte.
    if len(head) >= 12 and int.from_bytes(head[6:8], "big") <= _MRT_TYPES.get(int.from_bytes(head[4:6], "big"), -1):
        return "mrt"
    if head[:16] == b"\xff" * 16:
        return "raw"
    text = _first_line(head)
    if text[:1] in (b"[", b"{") or not text:
        return "json"
    return "exa" if text.startswith(_COMMANDS) else ""


def _first_line(head: bytes) -> bytes:
    """What stands behind a byte order mark, white space and whole lines of comments; nothing where that is all."""
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip(b" \t\r\n")
    while text.startswith(b"#"):
        text = text.partition(b"\n")[2].lstrip(b" \t\r\n")
    return text


def says(name: str) -> int:
    """Bit mask of the message types that a format has a place for (`type_mask` of bgpipe._codec)."""
    return 0xFFFFFFFF if name in ("json", "raw", "mrt") else 1 << 2 | (1 << 5 if name == "exa" else 0)


def resolve(name: str, source: Source, label: str) -> str:
    """One of FORMATS for such a name or "auto": by the source's name, else by its content. Raises InputError.

    label: what the error calls the source. The content is waited for. In front of text a byte order mark is made blank.
    """
    if name == "auto":
        name = by_name(source.name)
        for size in () if name else _PEEK_SIZES:
            head = source.peek(size)
            name = by_content(head)
            if name and _first_line(head):
                break
    if not name:
        raise InputError(f"cannot tell the format of {label}: give one of {', '.join(FORMATS)}", offset=0)
    if name in WRITTEN and name not in FORMATS:
        raise InputError(f"the format {name} of {label} can be written, not read", offset=0)
    if name not in FORMATS:
        raise InputError(f"the format {name} of {label} is not built yet; --format reads it as another one", offset=0)
    if name in TEXTS:
        source.blank(BYTE_ORDER_MARK)
    return name


def suspect(error: InputError, name: str, source: Source) -> bool:
    """Add to an error at the first message what the source looks like, if not like the format it was read as."""
    packed = compression.by_content(source.head)
    found = by_content(source.head)
    if packed in compression.FORMATS:
        error.args = (f"{error}; it looks like {compression.NOUNS[packed]}, which `read` unpacks",)
    elif found not in ("", name):
        error.args = (f"{error}; it looks like {found}: --format {found}",)
    else:
        return False
    return True


def decoder(name: str, **options: Any) -> Decoder:
    """A decoder of one of FORMATS, with options of bgpipe._codec.Decoder and of its own."""
    if name == "json":
        from bgpipe._json_reader import JsonDecoder

        return JsonDecoder(**options)
    if name == "mrt":
        from bgpipe._mrt import MrtDecoder

        return MrtDecoder(**options)
    if name == "exa":
        from bgpipe._exa_reader import ExaDecoder

        return ExaDecoder(**options)
    if name in ("bmp", "obmp"):
        from bgpipe._bmp import BmpDecoder

        return BmpDecoder(openbmp=name == "obmp", **options)
    from bgpipe._codec import RawDecoder

    return RawDecoder(**options)


def encoder(name: str, **options: Any) -> Encoder:
    """An encoder of one of WRITTEN, with options of bgpipe._codec.Encoder."""
    if name == "json":
        from bgpipe._json import JsonEncoder

        return JsonEncoder(**options)
    if name == "mrt":
        from bgpipe._mrt import MrtEncoder

        return MrtEncoder(**options)
    if name == "bgpdump":
        from bgpipe._bgpdump import BgpdumpEncoder

        return BgpdumpEncoder(**options)
    if name == "exa":
        from bgpipe._exa import ExaEncoder

        return ExaEncoder(**options)
    if name in ("bmp", "obmp"):
        from bgpipe._bmp import BmpEncoder

        return BmpEncoder(openbmp=name == "obmp", **options)
    from bgpipe._codec import RawEncoder

    return RawEncoder(**options)


def repeats(name: str) -> Repeats | None:
    """What is to see all that encoders of a format make for one stream, in order, before it is written; or None."""
    if name in ("bmp", "obmp"):
        from bgpipe._bmp import Repeats

        return Repeats(openbmp=name == "obmp")
    return None
