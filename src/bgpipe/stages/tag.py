"""tag: tags of messages, added and dropped."""

from __future__ import annotations

from bgpipe._malformed import tag_malformed
from bgpipe._tag import Tagger
from bgpipe.errors import InputError
from bgpipe.pipeline.options import WORDS, Kind, option
from bgpipe.pipeline.stage import Stage, StageOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._codec import Batch

SOURCE = "SRC"  # the tag that --src adds


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for word in WORDS.read(text):
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ValueError("KEY=VALUE")
        found.append((key, value))
    return tuple(found)


TAGS = Kind("KEY=VALUE", _tags, many=True, show="=".join)


class TagOptions(StageOptions):
    """Options of tag."""

    add: tuple[tuple[str, str], ...] = option("--add", "set this tag", kind=TAGS)
    drop: tuple[str, ...] = option("--drop", "drop this tag, or * for all", kind=WORDS, metavar="KEY")
    errors: bool = option(
        "--errors", "tag what is malformed: error/action says what a speaker does about it, error/fields where it is"
    )
    src: bool = option("--src", f"set the tag {SOURCE} to the name of the stage that the message came from")


class Tag(Stage):
    """Changes tags."""

    command = "tag"
    summary = "add tags to messages, or drop them"
    text = (
        "Drops tags of messages, then adds others. They stand at the end of a message's JSON; BGP knows nothing of "
        "them."
    )
    options_class = TagOptions
    options: TagOptions
    looks = True
    pure = True

    def attach(self) -> None:
        if not (self.options.add or self.options.drop or self.options.src or self.options.errors):
            raise self.error("nothing to do: --add, --drop, --src or --errors is missing")
        producers = [stage for stage in self.pipe.stages if stage.produces]
        self._only_source = producers[0].name if len(producers) == 1 else ""
        self.pure = not self.options.src or bool(self._only_source)
        self._taggers: dict[str, Tagger] = {}
        self._tagger(self._only_source)

    def process(self, batch: Batch, directions: int) -> None:
        source = self._only_source
        if not self.pure and self.pipe.current is not None:
            source = self.pipe.current.name
        with batch:
            self._tagger(source).apply(batch, directions)
            if self.options.errors:
                tag_malformed(batch, directions)

    def _tagger(self, source: str) -> Tagger:
        if source not in self._taggers:
            add = dict(self.options.add) | ({SOURCE: source} if self.options.src else {})
            try:
                self._taggers[source] = Tagger(add, self.options.drop)
            except InputError as error:
                raise self.error(str(error)) from None
        return self._taggers[source]
