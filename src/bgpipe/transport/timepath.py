"""Paths that hold a time: $TIME in a format given apart, ${FORMAT} in any other; always UTC.

A format is a strftime one if it holds a percent sign (%Y%m%d.%H%M), else a layout as in Go: how one would
write 15:04:05 on Monday, 2 January 2006 (20060102.1504).
"""

from __future__ import annotations

import time

from bgpipe.errors import UsageError

DEFAULT_FORMAT = "20060102.1504"

# In a layout, the first of these that fits stands for a part of the time. "-" and "_" are glibc's: not
# padded, and padded with spaces.
_LAYOUT = (
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("Z07:00:00", "Z"),
    ("Z07:00", "Z"),
    ("Z070000", "Z"),
    ("Z0700", "Z"),
    ("Z07", "Z"),
    ("-07:00:00", "+00:00:00"),
    ("-07:00", "+00:00"),
    ("-070000", "+000000"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("_2006", "_%Y"),
    ("__2", "%_j"),
    ("_2", "%e"),
    ("2006", "%Y"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
)


def expand_path(template: str, time_s: float, time_format: str = DEFAULT_FORMAT, number: int = 1) -> str:
    """Put a time, in seconds since 1970, into a path. One without a time stays as it is.

    number: from 2 on it stands behind the last of the times, for paths of the same time that differ.

    Raises UsageError for a format that holds no time, and for a brace that is not closed.
    """
    parts = []
    begin = 0
    for end, behind, name in _places(template):
        parts.append(template[begin:end])
        parts.append(_format_time(time_format if name == "TIME" else name, time_s))
        begin = behind
    if parts and number > 1:
        parts.append(f"-{number}")
    return "".join(parts) + template[begin:]


def holds_time(template: str) -> bool:
    """Whether expand_path() puts a time into this path."""
    return bool(_places(template))


def _places(template: str) -> list[tuple[int, int, str]]:
    """Where times go: where each place begins, what is behind it, and its format or TIME."""
    places = []
    place = template.find("$")
    while place >= 0:
        behind = place + 1
        if template.startswith("{", behind):
            end = template.find("}", behind)
            if end < 0:
                raise UsageError(f"{template}: ${{ without }}")
            places.append((place, end + 1, template[behind + 1 : end]))
            behind = end + 1
        elif template.startswith("TIME", behind):
            behind += 4
            following = template[behind : behind + 1]
            if not following.isalnum() and following != "_":
                places.append((place, behind, "TIME"))
        place = template.find("$", behind)
    return places


def _format_time(form: str, time_s: float) -> str:
    pattern = form if "%" in form else _from_layout(form)
    if "%" not in pattern:
        raise UsageError(f"'{form}' holds no time: write it as 20060102.1504 or %Y%m%d.%H%M")
    try:
        return time.strftime(pattern, time.gmtime(time_s))
    except ValueError as error:
        raise UsageError(f"{form} is not a time format: {error}") from None


def _from_layout(layout: str) -> str:
    """A Go layout as a strftime format."""
    pattern = ""
    place = 0
    while place < len(layout):
        for token, directive in _LAYOUT:
            behind = place + len(token)
            # "Jan" and "Mon" are parts of words, too.
            word = token in ("Jan", "Mon") and layout[behind : behind + 1].islower()
            if layout.startswith(token, place) and not word:
                pattern += directive
                place = behind
                break
        else:
            pattern += layout[place]
            place += 1
    return pattern
