"""limit: prefixes of routing tables that grow beyond what they should."""

from __future__ import annotations

import _thread
import time

from bgpipe._table import Limiter, RouteTable
from bgpipe.pipeline.events import StageEvent
from bgpipe.pipeline.options import Kind, choice, integer, option
from bgpipe.pipeline.stage import LookerOptions, Stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgpipe._attributes import Prefix
    from bgpipe._codec import Batch
    from bgpipe._table import Hit

TELL_AGAIN_S = 60.0  # how long the log is silent of a limit that was hit
REASONS = ("short", "long", "session", "origin", "block")
_TAKEN_OUT = {
    "short": "too short",
    "long": "too long",
    "session": "over --session",
    "origin": "over --origin",
    "block": "over --block",
}
_COUNTED = {"session": "in the session", "origin": "from there", "block": "in its block"}
_IPV4_BITS = 32
_IPV4_BLOCK = 16
_IPV6_BLOCK = 32


def _length(least: int, most: int) -> Kind:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and least <= int(text) <= most):
            raise ValueError(f"a prefix length from {least} to {most}")
        return int(text)

    return Kind("BITS", read)


class LimitOptions(LookerOptions):
    """Options of limit. 0: no such limit; of block_length, that it was not given."""

    ipv4: bool = option("-4 --ipv4", "look at IPv4 prefixes; that is so without -6, too")
    ipv6: bool = option("-6 --ipv6", "look at IPv6 prefixes")
    multicast: bool = option("--multicast", "look at multicast prefixes, too")
    permanent: bool = option("--permanent", "what was counted once counts on when it is withdrawn")
    min_length: int = option("-m --min-length", "take out shorter prefixes", kind=_length(0, 128), default=0)
    max_length: int = option(
        "-M --max-length", "take out longer prefixes; 0: no limit", kind=_length(0, 128), default=0
    )
    session: int = option(
        "-s --session", "at most so many prefixes in a session; 0: any number", kind=integer(0), default=0
    )
    origin: int = option(
        "-o --origin", "at most so many prefixes from an origin AS; 0: any number", kind=integer(0), default=0
    )
    block: int = option(
        "-b --block", "at most so many prefixes in a block of addresses; 0: any number", kind=integer(0), default=0
    )
    block_length: int = option(
        "-B --block-length",
        "prefix length of such a block, 1 to 64: 16 for IPv4 and 32 for IPv6 unless given",
        kind=_length(1, 64),
        default=0,
    )
    scope: str = option(
        "--scope",
        "what shares its counts: pipeline, or process for the stages of this name and these limits in all pipelines",
        kind=choice("SCOPE", "pipeline", "process"),
        default="pipeline",
    )


class LimitEvent(StageEvent):
    """A prefix was taken out of an UPDATE: "short" or "long", or one too many for "session", "origin" or "block".

    prefix: with its path id, if it has one. origin: the AS that it comes from; for an AS_SET of several all of them in
    a tuple, None for an empty path. count: how many prefixes count there already; 0 for short and long.
    """

    __slots__ = ("count", "origin", "prefix")
    many = "prefixes were taken out"

    def __init__(self, stage: Stage, hit: Hit, batch: Batch, index: int) -> None:
        name, self.prefix, self.origin, self.count = hit
        super().__init__(stage, name, batch, index)

    prefix: Prefix
    origin: int | tuple[int, ...] | None
    count: int

    def describe(self) -> str:
        if self.origin is None:
            origin = "an empty path"
        elif isinstance(self.origin, tuple):
            origin = f"AS_SET {{{','.join(map(str, self.origin))}}}"
        else:
            origin = f"AS{self.origin}"
        counted = f", {self.count} {_COUNTED[self.name]} already" if self.name in _COUNTED else ""
        return f"{self.prefix} from {origin}{counted}"


class Counts:
    """A table of routes, and the lock of those who use it. users: limiters."""

    __slots__ = ("last_user", "lock", "table", "users")

    def __init__(self) -> None:
        self.table = RouteTable()
        self.lock = _thread.allocate_lock()
        self.users = 0
        self.last_user = 0


_shared: dict[tuple[object, ...], Counts] = {}
_shared_lock = _thread.allocate_lock()


class Limit(Stage):
    """Takes prefixes out of UPDATEs."""

    command = "limit"
    summary = "take prefixes over a limit out of UPDATEs"
    text = (
        "Counts the prefixes that were announced and not withdrawn since. Takes those over a limit, and those that are "
        "too short or too long, out of their messages; a message left with no prefix is dropped. Sessions are told "
        "apart by the tags PEER_AS and PEER_IP; with -LR both directions share the counts."
    )
    options_class = LimitOptions
    looks = True
    events = REASONS
    options: LimitOptions
    _counts: Counts | None = None

    def attach(self) -> None:
        options = self.options
        if 0 < options.max_length < options.min_length:
            raise self.error(f"no prefix has --min-length {options.min_length} and --max-length {options.max_length}")
        self._told: dict[str, tuple[float, int]] = {}  # for each reason when we told of it, and how many there were
        self._key = (
            self.name,
            *(options.ipv4 or not options.ipv6, options.ipv6, options.multicast, options.permanent),
            *(options.min_length, options.max_length, options.session, options.origin, options.block),
            options.block_length,
        )

    def doubts(self) -> tuple[str, ...]:
        options = self.options
        counting = options.session or options.origin or options.block
        if not (counting or options.min_length or options.max_length):
            return ("it limits nothing: --session, --origin, --block, --min-length or --max-length is missing",)
        found = []
        if not counting:
            without = "has no effect without --session, --origin or --block"
            found += [f"--permanent {without}"] if options.permanent else []
            found += [f"--scope {without}"] if options.scope != "pipeline" else []
        if options.block_length and not options.block:
            found.append("--block-length has no effect without --block")
        if not options.ipv6:
            if options.max_length > _IPV4_BITS:
                found.append(f"--max-length {options.max_length} has no effect: it looks at IPv4 alone, without -6")
            if options.min_length > _IPV4_BITS:
                found.append(f"--min-length {options.min_length} takes out all that it looks at: IPv4, without -6")
        return tuple(found)

    def prepare(self) -> None:
        options = self.options
        process = options.scope == "process"
        with _shared_lock:
            self._counts = _shared.setdefault(self._key, Counts()) if process else Counts()
            self._counts.users += 1
            self._counts.last_user += 1
        families = (1 if options.ipv4 or not options.ipv6 else 0) | (4 if options.ipv6 else 0)
        self._limiter = Limiter(
            self._counts.table,
            owner=self._counts.last_user,
            families=families * 3 if options.multicast else families,
            min_length=options.min_length,
            max_length=options.max_length or 128,
            session=options.session,
            origin=options.origin,
            block=options.block,
            ipv4_block=min(options.block_length or _IPV4_BLOCK, 32),
            ipv6_block=options.block_length or _IPV6_BLOCK,
            permanent=options.permanent,
            shared=process,
            drop_unparsed=options.on_parse_error == "drop",
        )
        for bit, reason in enumerate(REASONS):
            self._limiter.wanted |= self.pipe.wants(f"{self.name}/{reason}") << bit

    def process(self, batch: Batch, directions: int) -> None:
        assert self._counts is not None
        limiter = self._limiter
        at = 0
        while True:
            with self._counts.lock, batch:
                at = limiter.run(batch, directions, at)
            if not limiter.found:
                break
            for hit in limiter.found:
                self.pipe.emit(LimitEvent(self, hit, batch, at - 1))
                if self.pipe.cut is not None:  # it ends there: nothing behind it was ever counted
                    return
        if self.pipe.session is not None:
            self._warn()

    def _warn(self) -> None:
        """Sessions may last for years: tell at once that a limit is hit, and again while it goes on."""
        for reason, count in self._limiter.taken_out.items():
            told_s, told = self._told.get(reason, (-TELL_AGAIN_S, 0))
            name = f"{self.name}/{reason}"
            if count == told or self.pipe.logs(name) or (now_s := time.monotonic()) - told_s < TELL_AGAIN_S:
                continue
            self._told[reason] = now_s, count
            text = f"prefixes are taken out that are {_TAKEN_OUT[reason]}, {count} so far; --events {name} tells which"
            self.pipe.log.warn(text, self)

    def finish(self) -> None:
        parts = [f"{count} {_TAKEN_OUT[reason]}" for reason, count in self._limiter.taken_out.items()]
        if withdrawn := self._limiter.withdrawals_taken_out:
            parts.append(f"{withdrawn} withdrawn that were too short or too long")
        if parts:
            self.pipe.log.info(f"prefixes taken out: {', '.join(parts)}", self)
        self.abort()

    def abort(self) -> None:
        counts, self._counts = self._counts, None
        if counts is None:
            return
        with _shared_lock:
            counts.users -= 1
            last = not counts.users
            if last and _shared.get(self._key) is counts:
                del _shared[self._key]
        if not last:
            with counts.lock:
                self._limiter.forget()
        del self._limiter  # the table goes now, not when the pipeline is found to be garbage
