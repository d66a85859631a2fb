"""metrics: counts messages by direction and type, and those that match filters."""

from __future__ import annotations

import os

from bgpipe._metrics import CountEncoder, Counters
from bgpipe.errors import StageError, UsageError
from bgpipe.names import MESSAGE_TYPES
from bgpipe.pipeline.options import option
from bgpipe.pipeline.stage import LEFT, RIGHT, Output, StageOptions
from bgpipe.stages.messages import PATH, check_target, inputs
from bgpipe.stages.read import Read
from bgpipe.transport.sink import open_sink
from bgpipe.transport.source import regular_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from bgpipe._codec import Buffer
    from bgpipe.filters import Filter
    from bgpipe.transport.sink import Sink

_DIRECTIONS = {"R": "right", "L": "left"}


class MetricsOptions(StageOptions):
    """Options of metrics."""

    output: str = option(
        "--output",
        "at the end, write the counters to this file, as Prometheus text",
        kind=PATH,
        default="",
        metavar="FILE",
    )


class Metrics(Output):
    """Counts messages: what it writes are counts. They may be read at any time, from any thread."""

    command = "metrics"
    summary = "count messages by direction, type and filter"
    text = (
        "Counts messages by direction and type and, with -A, those that match filters: each word is one, "
        "LABEL: FILTER, or a filter that is its own label. Messages stay on their way. With --output, the counters are "
        "a file at the end, in the text form of Prometheus; - is standard output."
    )
    options_class = MetricsOptions
    options: MetricsOptions
    outside = False
    extra_arguments = True
    _sink: Sink | None = None

    def attach(self) -> None:
        self._rules: dict[str, Filter] = {}
        if self.options.args and not self.args:
            raise self.error("nothing follows -A, which takes filters: [LABEL: ]FILTER ...")
        for text in self.args:
            self._add_rule(text)
        output = self.options.output
        if output.startswith("-") and output != "-":
            raise self.error(f"--output {output}: expected a file; ./{output} is one of that name")
        self._counters = Counters(len(self._rules))
        earlier = [stage for stage in self.pipe.stages if isinstance(stage, Metrics) and stage.number < self.number]
        self.prefix = "bgpipe_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in self.name)
        if any(stage.prefix == self.prefix for stage in earlier):
            self.prefix += f"_{self.number}"
        check_target(self)
        self._check_inputs()

    def _check_inputs(self) -> None:
        """Messages may be written in place of the file that they came from; of that, counters would leave nothing."""
        output = self.target()
        if not os.path.isfile(output):  # noqa: PTH113
            return
        for stage in self.pipe.stages:
            path = stage.options.path if isinstance(stage, Read) else ""
            if os.path.isfile(path) and os.path.samefile(path, output):  # noqa: PTH113, PTH121
                raise self.error(f"{stage.label} reads {output}; write the counters to another file")

    def _add_rule(self, text: str) -> None:
        from bgpipe.filters import Filter

        label, colon, rule = text.partition(": ")
        label = label.strip()
        if not colon:
            label = rule = text
        elif not label:
            raise self.error(f"the filter {text!r} has no label in front of its colon: LABEL: FILTER")
        if label in self._rules:
            raise self.error(f"two filters have the label {label!r}")
        try:
            self._rules[label] = Filter(rule)
            self._rules[label].compile()
        except UsageError as error:
            head, found, _ = text.partition(":")
            meant = found and not colon and head.replace("-", "_").isidentifier()
            cure = f"; where {head} is to be a label, a space belongs behind its colon" if meant else ""
            raise self.error(f"the filter {label!r}: {error}{cure}") from None

    @property
    def acts(self) -> bool:
        return bool(self.options.output)

    def target(self) -> str:
        return "" if self.options.output == "-" else self.options.output

    def prepare(self) -> None:
        output = self.options.output
        if not output:
            return
        read = inputs(self.pipe)
        if os.path.isfile(output) and regular_file(output) in read:  # noqa: PTH113
            raise StageError(f"cannot write {output}: it is the file that is being read; write to another one")
        self._sink = open_sink(output, compress="none", inputs=read, given_up=lambda: self.pipe.ending)

    def filters(self) -> tuple[Filter, ...]:
        return tuple(self._rules.values())

    def encoder(self) -> CountEncoder:
        return CountEncoder(rule.program for rule in self._rules.values())

    def write(self, data: Buffer) -> None:
        if len(data):
            self._counters.add(data)

    @property
    def messages(self) -> dict[tuple[str, str], int]:
        """Messages counted, by direction ("R" or "L") and name of the type."""
        return {(way, _type_name(kind)): count for (way, kind), count in self._counters.messages().items()}

    @property
    def matches(self) -> dict[str, int]:
        """Messages that matched, by label."""
        return dict(zip(self._rules, self._counters.matches(), strict=True))

    def collect(self) -> Iterator[Metric]:
        """The counters as Prometheus wants them; with this a stage can be registered as a collector."""
        from prometheus_client.core import Metric

        ways = [way for way, direction in (("R", RIGHT), ("L", LEFT)) if self.takes(direction)]
        counts = dict.fromkeys(((way, name) for way in ways for name in MESSAGE_TYPES.values()), 0)
        counts.update(self.messages)
        messages = Metric(f"{self.prefix}_messages", f"Messages that {self.label} has seen.", "counter")
        messages.add_sample(f"{self.prefix}_messages_total", {}, sum(counts.values()))
        for (way, name), count in counts.items():
            labels = {"dir": _DIRECTIONS[way], "type": name.lower()}
            messages.add_sample(f"{self.prefix}_messages_total", labels, count)
        yield messages
        if self._rules:
            found = Metric(f"{self.prefix}_match", f"Messages that match a filter of {self.label}.", "unknown")
            for label, count in self.matches.items():
                found.add_sample(f"{self.prefix}_match", {"filter": label}, count)
            yield found

    def finish(self) -> None:
        if self._sink is None:
            return
        from prometheus_client import CollectorRegistry, generate_latest

        registry: CollectorRegistry = CollectorRegistry()
        registry.register(self)
        self._sink.write(generate_latest(registry))
        self._sink.finish()

    def abort(self) -> None:
        if self._sink is not None:
            self._sink.abort()

    def writes(self) -> str:
        output = self.options.output
        return f"counters to {'standard output' if output == '-' else output}" if output else ""

    @classmethod
    def uses_standard(cls, options: StageOptions) -> bool:
        return isinstance(options, MetricsOptions) and options.output == "-"


def _type_name(kind: int) -> str:
    return MESSAGE_TYPES.get(kind, str(kind))
