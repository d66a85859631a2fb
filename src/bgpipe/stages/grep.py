"""grep and drop: messages that match a filter, or all others."""

from __future__ import annotations

from bgpipe.filters import Filter
from bgpipe.pipeline.events import STAGE_EVENTS, MatchEvent
from bgpipe.pipeline.options import FILTER, Kind, argument, choice, option
from bgpipe.pipeline.stage import LookerOptions, Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._codec import Batch
    from bgpipe.pipeline.engine import Pipeline


def _event(text: str) -> str:
    if not text.replace("-", "_").isidentifier() or text.upper() in STAGE_EVENTS:
        raise ValueError(f"a word for an event, other than {', '.join(STAGE_EVENTS)}")
    return text


EVENT = Kind("NAME", _event)


class GrepOptions(LookerOptions):
    """Options of grep."""

    keep: bool = option("--keep", "let all messages pass: for the events alone")
    event_match: str | None = option("--event-match", "emit this event for each message that matches", kind=EVENT)
    event_fail: str | None = option("--event-fail", "emit this event for each message that does not match", kind=EVENT)
    kill_match: bool = option("--kill-match", "end with exit code 1 at the first message that matches")
    kill_fail: bool = option("--kill-fail", "end with exit code 1 at the first message that does not match")
    filter: Filter = argument("FILTER", "which messages are meant; see docs/filters.md", kind=FILTER)


class Grep(Stage):
    """Keeps what matches."""

    command = "grep"
    summary = "keep messages that match a filter"
    text = (
        "Keeps messages that match FILTER and drops all others; also those that are no UPDATE, unless the filter "
        "speaks of them. A message that does not parse matches nothing. With --keep nothing is dropped."
    )
    options_class = GrepOptions
    options: GrepOptions
    looks = True
    more_events = "; --event-match, --event-fail, --kill-match and --kill-fail make others"
    drops_matching = False
    drops_unparsed = True  # where --on-parse-error is not asked

    def __init__(
        self, pipe: Pipeline, number: int, name: str, options: GrepOptions, args: tuple[str, ...] = ()
    ) -> None:
        super().__init__(pipe, number, name, options, args)
        self._match = options.event_match or ("match" if options.kill_match else None)
        self._fail = options.event_fail or ("fail" if options.kill_fail else None)
        self.events = tuple(event for event in (self._match, self._fail) if event is not None)
        self.pure = not self.events

    def attach(self) -> None:
        options = self.options
        for name, kills in ((self._match, options.kill_match), (self._fail, options.kill_fail)):
            if name is not None and kills:
                self.pipe.kill_on(f"{self.name}/{name}")
        drops = options.on_parse_error == "drop"
        self._unparsed = None if drops == self.drops_unparsed else drops

    def filters(self) -> tuple[Filter, ...]:
        return (self.options.filter,)

    def process(self, batch: Batch, directions: int) -> None:
        program = self.options.filter.program
        with batch:
            if self.options.keep:
                found = program.verdicts(batch, directions)
            else:
                found = program.keep(batch, directions, self.drops_matching, self._unparsed)
        if not self.pure:
            self._tell(batch, found)

    def _tell(self, batch: Batch, found: bytes) -> None:
        names = (self._fail, self._match)
        for index, verdict in enumerate(found):
            name = names[verdict] if verdict < 2 else None
            if name is not None:
                self.pipe.emit(MatchEvent(self, name, batch, index))
                if self.pipe.cut is not None:
                    return


class DropOptions(GrepOptions):
    """Options of drop."""

    on_parse_error: str = option(
        "--on-parse-error",
        "what becomes of a message that does not parse: drop or pass",
        kind=choice("FATE", "drop", "pass"),
        default="pass",
    )


class Drop(Grep):
    """Drops what matches."""

    command = "drop"
    summary = "drop messages that match a filter"
    text = (
        "Drops messages that match FILTER and keeps all others. A message that does not parse matches nothing. With "
        "--keep nothing is dropped."
    )
    options_class = DropOptions
    drops_matching = True
    drops_unparsed = False
