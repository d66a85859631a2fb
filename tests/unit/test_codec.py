"""The batch core: framing, checks, what a batch can tell."""

import io
import struct

import pytest

from bgpipe._check import family_index
from bgpipe._codec import Buffer, Decoder, RawDecoder, RawEncoder, json_string, type_mask
from bgpipe.errors import InputError

MARKER = b"\xff" * 16
KEEPALIVE = MARKER + b"\x00\x13\x04"


def message(kind: int, body: bytes) -> bytes:
    return MARKER + struct.pack(">HB", 19 + len(body), kind) + body


def update(unreach: bytes = b"", attrs: bytes = b"", reach: bytes = b"") -> bytes:
    return message(2, struct.pack(">H", len(unreach)) + unreach + struct.pack(">H", len(attrs)) + attrs + reach)


class Trickle:
    """A source that gives `step` bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = data, step

    def readinto(self, buffer: memoryview) -> int:
        n = min(self.step, len(buffer), len(self.data))
        buffer[:n] = self.data[:n]
        self.data = self.data[n:]
        return n


def decode(data: bytes, *, step: int = 1 << 20, **options):
    decoder = RawDecoder(**options)
    source = Trickle(data, step)
    batches = []
    while (batch := decoder.read(source)) is not None:
        batches.append(batch)
    return decoder, batches


def wires(batches) -> list[bytes]:
    return [batch.wire(i) for batch in batches for i in range(len(batch))]


MESSAGES = [
    message(1, bytes.fromhex("04fde800b40a00000100")),
    KEEPALIVE,
    update(attrs=bytes.fromhex("400101004002060201000000014003040a000001"), reach=bytes.fromhex("180a0001")),
    message(3, b"\x06\x02"),
    message(5, b"\x00\x01\x00\x01"),
    message(200, b"strange"),
    update(),
]


@pytest.mark.parametrize("step", [1, 2, 7, 18, 19, 20, 64, 1 << 20])
@pytest.mark.parametrize("block_size", [64, 100, 4096])
def test_framing_does_not_depend_on_how_the_bytes_come(step, block_size):
    decoder, batches = decode(b"".join(MESSAGES), step=step, block_size=block_size)
    assert wires(batches) == MESSAGES
    assert decoder.records == len(MESSAGES)
    assert decoder.offset == sum(map(len, MESSAGES))
    assert all(batch.error is None for batch in batches)


def test_extended_message():
    long = update(attrs=b"\xd0\xfe\xea\x60" + bytes(60000))
    _, batches = decode(long + KEEPALIVE, step=1000)
    assert wires(batches) == [long, KEEPALIVE]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (b"\x00" + KEEPALIVE[1:], "marker is not all ones"),
        (MARKER + b"\x00\x12\x04", "length below 19"),
        (KEEPALIVE[:10], "cut short: 10 bytes are left"),
    ],
)
def test_damage_ends_the_input_behind_what_was_good(damage, what):
    decoder, batches = decode(KEEPALIVE * 3 + damage)
    assert wires(batches) == [KEEPALIVE] * 3
    error = batches[-1].error
    assert isinstance(error, InputError)
    assert what in str(error)
    assert (error.offset, error.record) == (57, 4)
    assert decoder.read(Trickle(b"", 1)) is None


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_pardon_finds_the_next_marker(step):
    skipped: list[InputError] = []
    garbage = b"\xff" * 5 + b"garbage" + b"\xff" * 3
    decoder, batches = decode(
        KEEPALIVE + garbage + KEEPALIVE * 2 + b"\x01" * 19, step=step, pardon=True, on_skip=skipped.append
    )
    assert wires(batches) == [KEEPALIVE] * 3
    assert decoder.skipped == len(skipped) == 2
    assert [error.offset for error in skipped] == [19, 19 * 3 + len(garbage)]


@pytest.mark.parametrize("garbage", [b"garbage" * 99, b"\xff" * 999, KEEPALIVE[:16] + b"\0\1" * 99, b"\0\xff" * 99])
@pytest.mark.parametrize("step", [1 << 20, 7])
@pytest.mark.parametrize("behind", [KEEPALIVE, b""])
def test_pardon_counts_what_it_passes_over_once(garbage, step, behind):
    """However many reads it takes, and whatever in it looks like the start of a message."""
    skipped: list[InputError] = []
    data = KEEPALIVE + b"x" + garbage + behind
    decoder, batches = decode(data, step=step, pardon=True, on_skip=skipped.append)
    assert b"".join(wires(batches)) == KEEPALIVE + behind
    assert [error.offset for error in skipped] == [19]
    assert decoder.skipped == 1


def test_a_source_that_breaks_loses_nothing_that_was_whole():
    class Broken(Trickle):
        def readinto(self, buffer: memoryview) -> int:
            if not self.data:
                raise InputError("the stream is cut short", offset=3)
            return super().readinto(buffer)

    decoder = RawDecoder()
    source = Broken(KEEPALIVE * 2 + b"\xff", 19)
    assert wires([decoder.read(source), decoder.read(source)]) == [KEEPALIVE] * 2
    last = decoder.read(source)
    assert len(last) == 0
    assert "cut short" in str(last.error)
    assert decoder.read(source) is None


def test_types_mask():
    mask = type_mask([2, 99])
    _, batches = decode(b"".join(MESSAGES), types=mask)
    assert wires(batches) == [MESSAGES[2], MESSAGES[5], MESSAGES[6]]
    _, batches = decode(b"".join(MESSAGES), types=~type_mask([2]) & 0xFFFFFFFF)
    assert [w[18] for w in wires(batches)] == [1, 4, 3, 5, 200]


def test_numbering_per_direction():
    _, (right,) = decode(KEEPALIVE * 3)
    _, (left,) = decode(KEEPALIVE * 2, direction="L")
    assert right.number(1, 1) == (4, 1)
    assert right.number(9, 9) == (9, 9), "numbered messages keep their numbers"
    assert left.number(4, 1) == (4, 3)
    assert (right.count("R"), right.count("L"), left.count("L"), left.count()) == (3, 0, 2, 2)


def test_cut():
    _, (batch,) = decode(b"".join(MESSAGES))
    batch.cut(2)
    assert wires([batch]) == MESSAGES[:2]
    batch.cut(5)
    assert len(batch) == 2
    with pytest.raises(IndexError):
        batch.wire(2)


def test_raw_encoder_gives_the_very_bytes():
    _, (batch,) = decode(b"".join(MESSAGES))
    out = Buffer()
    encoder = RawEncoder(types=~type_mask([4]) & 0xFFFFFFFF)
    encoder.encode(batch, out)
    assert bytes(out) == b"".join(MESSAGES[:1] + MESSAGES[2:])
    assert encoder.written == len(MESSAGES) - 1
    out.clear()
    RawEncoder(directions="L").encode(batch, out)
    assert len(out) == 0
    RawEncoder().encode(batch, out)
    RawEncoder(types=type_mask([4])).encode(batch, out)
    assert bytes(out) == b"".join([*MESSAGES, MESSAGES[1]])


# RFC 4271 sections 4 and 6, RFC 4760, RFC 7606: what does not parse, with the NOTIFICATION that it asks for
BAD = [
    (message(1, b"\x04\x00\x01"), 1, 2, "OPEN"),
    (message(1, bytes.fromhex("04fde800b40a00000105")), 2, 0, "OPEN"),
    (message(1, bytes.fromhex("04fde800b40a000001040202") + b"\x01\x04"), 2, 0, "OPEN"),
    (message(3, b"\x06"), 1, 2, "NOTIFICATION"),
    (message(4, b"\x00"), 1, 2, "KEEPALIVE"),
    (message(5, b"\x00\x01\x00"), 7, 1, "ROUTE-REFRESH"),
    (message(5, b"\x00\x01\x02\x01\x00"), 7, 1, "ROUTE-REFRESH"),
    (message(2, b"\x00"), 3, 1, "withdrawn routes length"),
    (message(2, b"\x00\x05\x00\x00"), 3, 1, "withdrawn routes length"),
    (message(2, b"\x00\x00\x00\x05\x40"), 3, 1, "total path attribute length"),
    (update(unreach=b"\x21\x0a\x00\x00\x00\x00"), 3, 10, "withdrawn routes"),
    (update(reach=b"\x18\x0a\x00"), 3, 10, "NLRI"),
    (update(attrs=b"\x40\x01"), 3, 1, "path attribute header"),
    (update(attrs=b"\x50\x01\x00"), 3, 1, "path attribute header"),
    (update(attrs=b"\x40\x01\x02\x00"), 3, 1, "path attribute header"),
    (update(attrs=bytes.fromhex("4001010040010100")), 3, 1, "ORIGIN"),
    (update(attrs=bytes.fromhex("40010103")), 3, 6, "ORIGIN"),
    (update(attrs=bytes.fromhex("400206020200000001")), 3, 11, "ASPATH"),
    (update(attrs=bytes.fromhex("4002020200")), 3, 11, "ASPATH"),
    (update(attrs=bytes.fromhex("400206050100000001")), 3, 11, "ASPATH"),
    (update(attrs=bytes.fromhex("4003030a0000")), 3, 8, "NEXTHOP"),
    (update(attrs=bytes.fromhex("80040300000a")), 3, 5, "MED"),
    (update(attrs=bytes.fromhex("c0080300000a")), 3, 9, "COMMUNITY"),
    (update(attrs=bytes.fromhex("c00800")), 3, 9, "COMMUNITY"),
    (update(attrs=bytes.fromhex("c0100100")), 3, 9, "EXT_COMMUNITY"),
    (update(attrs=bytes.fromhex("c020080000000000000000")), 3, 9, "LARGE_COMMUNITY"),
    (update(attrs=bytes.fromhex("800e0500010104 00".replace(" ", ""))), 3, 9, "MP_REACH"),
    (update(attrs=bytes.fromhex("800f0500010121 00".replace(" ", ""))), 3, 9, "MP_UNREACH"),
]


@pytest.mark.parametrize(("wire", "code", "subcode", "field"), BAD)
def test_checks_name_the_field_and_the_notification(wire, code, subcode, field):
    _, (batch,) = decode(wire)
    assert batch.check() == 1
    assert batch.failed == 1
    ((index, error),) = batch.failures()
    assert (index, error.code, error.subcode, error.field) == (0, code, subcode, field)
    assert 0 < error.offset <= len(wire)
    assert batch.failures() == [], "each is given once"
    assert batch.check() == 1


def test_good_messages_pass_the_checks():
    _, (batch,) = decode(b"".join(MESSAGES))
    assert batch.check() == 0
    assert batch.failures() == []


def test_as_size_and_path_ids_are_the_contexts():
    two = update(attrs=bytes.fromhex("4002040201fde8"))
    assert decode(two, as_size=2)[1][0].check() == 0
    assert decode(two, as_size=4)[1][0].check() == 1
    path_id = update(reach=bytes.fromhex("00000001180a0001"))
    assert decode(path_id, addpath=True)[1][0].check() == 0
    assert decode(update(reach=bytes.fromhex("0000002a180a00")), addpath=True)[1][0].check() == 1


def test_buffer_does_not_move_while_it_is_seen():
    buffer = Buffer(10)
    buffer.extend(b"0123456789")
    with memoryview(buffer) as view:
        assert bytes(view) == b"0123456789"
        with pytest.raises(BufferError):
            buffer.clear()
        with pytest.raises(BufferError):
            buffer.extend(b"x" * 100)
    buffer.clear()
    assert len(buffer) == 0
    assert bytes(memoryview(Buffer())) == b""


def test_buffer_gives_its_bytes_away():
    buffer = Buffer()
    buffer.extend(b"first")
    taken = buffer.take(100)
    assert (bytes(taken), len(buffer)) == (b"first", 0)
    buffer.extend(b"second")
    assert (bytes(taken), bytes(buffer.take())) == (b"first", b"second")
    with memoryview(taken), pytest.raises(BufferError):
        taken.take()
    assert bytes(Buffer().take()) == b""


def test_no_seq_no_time_no_tags():
    _, (batch,) = decode(KEEPALIVE, no_seq=True, no_time=True, no_tags=True)
    assert len(batch) == 1


def test_families_have_numbers_of_their_own():
    known = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (2, 4), (1, 128), (2, 128), (25, 65), (25, 70), (1, 132)]
    assert len({family_index(*f) for f in known}) == len(known)
    assert family_index(16388, 71) == family_index(0, 0) == 55
    assert all(family_index(*f) < 55 for f in known)


def test_json_string():
    import json

    for text in ["", "a", 'q"\\', "\n\r\t\x00\x1f\x7f\x85", "\u2028\u2029é€😀", "\ud800"]:
        written = json_string(text)
        assert json.loads(written) == text
        assert len(written.decode().splitlines()) <= 1


def test_the_bare_face_is_no_decoder():
    with pytest.raises(TypeError):
        Decoder().read(io.BytesIO(KEEPALIVE))


@pytest.mark.parametrize("answer", [-5, 1 << 40, 1 << 62])
def test_a_source_that_lies(answer):
    class Lying:
        def readinto(self, buffer: memoryview) -> int:
            return answer

    with pytest.raises(ValueError, match="readinto"):
        RawDecoder().read(Lying())


@pytest.mark.parametrize("kept", [slice(None), slice(3, None)])
def test_a_source_that_keeps_what_it_was_given(kept):
    """It writes into nothing that is the decoder's: neither into messages nor into memory that was freed."""

    views: list[memoryview] = []

    class Keeping(Trickle):
        def readinto(self, buffer: memoryview) -> int:
            for view in views:
                view[:] = bytes(len(view))
            views.append(buffer[kept] if kept.start else buffer)
            return super().readinto(buffer)

    data = KEEPALIVE * 5
    source = Keeping(data, 30)
    decoder = RawDecoder(block_size=64)
    batches = []
    while (batch := decoder.read(source)) is not None:
        batches.append(batch)
    for view in views:
        view[:] = bytes(len(view))
    assert wires(batches) == [KEEPALIVE] * 5


def test_a_source_that_uses_its_own_decoder():
    class Own(Trickle):
        def readinto(self, buffer: memoryview) -> int:
            for use in (lambda: decoder.read(self), lambda: decoder.feed(KEEPALIVE), decoder.flush):
                with pytest.raises(RuntimeError, match="waiting for its source"):
                    use()
            return super().readinto(buffer)

    decoder = RawDecoder()
    assert wires([decoder.read(Own(KEEPALIVE, 99))]) == [KEEPALIVE]


def test_encoders_want_a_batch_and_a_buffer():
    from bgpipe._json import JsonEncoder
    from bgpipe._mrt import MrtEncoder

    for encoder in (RawEncoder(), JsonEncoder(), MrtEncoder()):
        with pytest.raises(TypeError):
            encoder.encode(None, Buffer())


class TestFeed:
    MESSAGES = (KEEPALIVE, update(), message(5, b"\0\1\0\1"), update(b"\x08\x0a"), KEEPALIVE)

    @pytest.mark.parametrize("size", [1, 2, 18, 19, 20, 50, 1000])
    def test_any_pieces(self, size: int) -> None:
        data = b"".join(self.MESSAGES)
        decoder = RawDecoder(direction="L")
        found = []
        for start in range(0, len(data), size):
            batch = decoder.feed(data[start : start + size])
            assert batch.error is None
            assert not decoder.paused
            found += [batch.wire(index) for index in range(len(batch))]
        assert found == list(self.MESSAGES)
        assert decoder.rest(9) == b""
        assert decoder.offset == len(data)

    def test_batches_own_their_bytes(self) -> None:
        decoder = RawDecoder()
        data = bytearray(update(b"\x08\x0a") + KEEPALIVE[:7])
        first = decoder.feed(data)
        data[:] = bytes(len(data))
        assert decoder.rest(19) == KEEPALIVE[:7]
        second = decoder.feed(KEEPALIVE[7:])
        assert [first.wire(0), second.wire(0)] == [update(b"\x08\x0a"), KEEPALIVE]
        assert len(first) == len(second) == 1

    def test_nothing(self) -> None:
        assert len(RawDecoder().feed(b"")) == 0

    def test_damage(self) -> None:
        decoder = RawDecoder()
        batch = decoder.feed(KEEPALIVE + b"\xff" * 16 + b"\0\2\4" + KEEPALIVE)
        assert len(batch) == 1
        assert "length below 19" in str(batch.error)
        assert decoder.rest(19) == b"\xff" * 16 + b"\0\2\4"
        assert len(decoder.feed(KEEPALIVE)) == 0

    def test_cut(self) -> None:
        """A batch ends behind what the session has an interest in; what follows may be decoded otherwise."""
        decoder = RawDecoder()
        decoder.cut = 1 << 4
        batch = decoder.feed(b"".join(self.MESSAGES) + KEEPALIVE[:5])
        assert (len(batch), decoder.paused) == (1, True)
        decoder.ctx = 1
        batch = decoder.feed(b"")
        assert (len(batch), decoder.paused) == (4, True)
        assert [msg.context.as_size for msg in batch] == [2, 2, 2, 2]
        batch = decoder.feed(b"")
        assert (len(batch), decoder.paused) == (0, False)
        assert decoder.feed(KEEPALIVE[5:]).wire(0) == KEEPALIVE

    def test_cut_at_what_may_be_an_end_of_rib(self) -> None:
        decoder = RawDecoder()
        decoder.cut = 1 << 32
        ends = [update(), update(attrs=b"\x80\x0f\x03\0\2\1"), update(attrs=b"\x90\x0f\0\x03\0\2\1")]
        decoder.feed(KEEPALIVE + ends[0] + ends[1] + update(b"\x08\x0a") + ends[2])
        sizes = []
        while decoder.paused:
            sizes.append(len(decoder.feed(b"")))
        assert sizes == [1, 2, 0]

    def test_find(self) -> None:
        decoder = RawDecoder()
        batch = decoder.feed(b"".join(self.MESSAGES))
        assert batch.find(1 << 4) == [0, 4]
        assert batch.find(1 << 4, 2) == []
        assert batch.find(1 << 32) == [1]
        assert batch.find(1 << 2 | 1 << 5) == [1, 2, 3]
        for msg in batch:
            msg.dropped = msg.seq == 0 and msg.type == "UPDATE"
        assert batch.find(1 << 2 | 1 << 5) == [2]
