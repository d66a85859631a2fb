"""Makes the sample archives in this folder; the same seed gives the same bytes on every Python.

    session.mrt   BGP4MP_ET (RFC 6396 section 4.4): two peers of one collector, from OPEN to NOTIFICATION
    rib.mrt       TABLE_DUMP_V2 (RFC 6396 section 4.3): the table that a collector holds of three peers

Addresses and AS numbers are those set aside for documentation (RFC 5737, RFC 3849, RFC 5398).
The bytes are put together here by hand, on purpose: this shares no code with the program it is there to try.
"""

from __future__ import annotations

import random
import struct
import sys
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

Network = IPv4Network | IPv6Network
Peer = tuple[int, str, str, str]

SEED = 4271
START = 1_735_689_600  # 2025-01-01 00:00:00 UTC
ROUTES = 40  # UPDATEs that announce, per peer
RIB_PREFIXES = 48  # per address family

COLLECTOR_AS, COLLECTOR_ID = 64511, "192.0.2.254"
PEERS: list[Peer] = [  # AS number, address of the peer, address of the collector, router id
    (64496, "192.0.2.1", "192.0.2.254", "192.0.2.1"),
    (65536, "2001:db8::2", "2001:db8::fe", "192.0.2.2"),
    (64500, "192.0.2.3", "192.0.2.254", "192.0.2.3"),
]
UPSTREAMS = [64497, 64498, 64499, 65537, 65538, 65540, 65551]
AS_TRANS = 23456


class Dice:
    """Choices that are the same on every version of Python: getrandbits has a stream that does not change."""

    def __init__(self, seed: int) -> None:
        self._bits = random.Random(seed).getrandbits

    def below(self, n: int) -> int:
        return self._bits(32) % n

    def one_in(self, n: int) -> bool:
        return self.below(n) == 0


def ip(address: str) -> bytes:
    return ip_address(address).packed


# ---- BGP (RFC 4271) ----------------------------------------------------------------------------------------


def message(kind: int, body: bytes = b"") -> bytes:
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


def capability(code: int, value: bytes = b"") -> bytes:
    return struct.pack("!BB", code, len(value)) + value


def open_message(asn: int, router_id: str, host: bytes) -> bytes:
    capabilities = (
        capability(1, b"\x00\x01\x00\x01")  # multiprotocol, IPv4 unicast (RFC 4760)
        + capability(1, b"\x00\x02\x00\x01")
        + capability(2)  # route refresh (RFC 2918)
        + capability(6)  # extended messages (RFC 8654)
        + capability(9, b"\x03")  # role: customer (RFC 9234)
        + capability(65, struct.pack("!I", asn))  # 4-byte AS numbers (RFC 6793)
        + capability(73, struct.pack("!B", len(host)) + host + b"\x00")  # FQDN
    )
    fixed = struct.pack("!BHH4s", 4, asn if asn < 65536 else AS_TRANS, 90, ip(router_id))
    return message(1, fixed + struct.pack("!BBB", len(capabilities) + 2, 2, len(capabilities)) + capabilities)


def prefix(network: Network) -> bytes:
    return bytes([network.prefixlen]) + network.network_address.packed[: (network.prefixlen + 7) // 8]


def attribute(flags: int, code: int, value: bytes) -> bytes:
    if len(value) > 255:
        return struct.pack("!BBH", flags | 0x10, code, len(value)) + value
    return struct.pack("!BBB", flags, code, len(value)) + value


def update(withdrawn: bytes = b"", attributes: bytes = b"", reach: bytes = b"") -> bytes:
    lengths = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes
    return message(2, lengths + reach)


def path_attributes(dice: Dice, peer_as: int, next_hop: bytes) -> bytes:
    """ORIGIN to LARGE_COMMUNITY, in order of their codes; NEXT_HOP where `next_hop` is not empty."""
    path = [peer_as] * (1 + dice.one_in(6)) + [UPSTREAMS[dice.below(7)] for _ in range(1 + dice.below(4))]
    segments = struct.pack("!BB", 2, len(path)) + b"".join(struct.pack("!I", asn) for asn in path)
    aggregated = dice.one_in(8)
    if aggregated:
        segments += struct.pack("!BBII", 1, 2, 64501, 65550)  # an AS_SET
    out = attribute(0x40, 1, bytes([dice.below(3)])) + attribute(0x40, 2, segments)
    if next_hop:
        out += attribute(0x40, 3, next_hop)
    if dice.one_in(3):
        out += attribute(0x80, 4, struct.pack("!I", dice.below(200)))  # MED
    if aggregated:
        out += attribute(0x40, 6, b"") + attribute(0xC0, 7, struct.pack("!I", path[-1]) + ip("203.0.113.1"))
    if not dice.one_in(4):
        values = sorted({dice.below(2000) for _ in range(1 + dice.below(5))})
        out += attribute(0xC0, 8, b"".join(struct.pack("!HH", 64496, value) for value in values))
    if dice.one_in(5):  # a route target (RFC 4360) and one of 4-byte AS numbers (RFC 5668)
        targets = struct.pack("!BBHI", 0, 2, 64496, 100) + struct.pack("!BBIH", 2, 2, 65536, 7)
        out += attribute(0xC0, 16, targets)
    if dice.one_in(3):
        out += attribute(0xC0, 32, struct.pack("!III", 65536, dice.below(10), dice.below(1000)))
    if dice.one_in(10):
        out += attribute(0xC0, 35, struct.pack("!I", path[-1]))  # OTC (RFC 9234)
    if dice.one_in(12):
        out += attribute(0xC0, 255, b"for development")  # RFC 2042: an attribute that nobody knows
    return out


def networks(dice: Dice, version: int) -> list[Network]:
    if version == 6:
        base = int(ip_address("2001:db8::"))
        return [ip_network((base + (dice.below(4096) << 84), 48)) for _ in range(1 + dice.below(3))]
    nets = []
    for _ in range(1 + dice.below(4)):
        block = int(ip_address(["192.0.2.0", "198.51.100.0", "203.0.113.0"][dice.below(3)]))
        length = 24 + dice.below(5)
        nets.append(ip_network((block + (dice.below(1 << (length - 24)) << (32 - length)), length)))
    return list(dict.fromkeys(nets))


def announce(dice: Dice, peer_as: int, next_hop: str, version: int) -> tuple[bytes, list[Network]]:
    nets = networks(dice, version)
    nlri = b"".join(map(prefix, nets))
    if version == 4:
        return update(b"", path_attributes(dice, peer_as, ip(next_hop)), nlri), nets
    hops = ip(next_hop) + (ip("fe80::2") if dice.one_in(2) else b"")
    reach = struct.pack("!HBB", 2, 1, len(hops)) + hops + b"\x00" + nlri  # RFC 4760 section 3
    return update(b"", path_attributes(dice, peer_as, b"") + attribute(0x80, 14, reach)), nets


def withdraw(nets: list[Network], version: int) -> bytes:
    nlri = b"".join(map(prefix, nets))
    if version == 4:
        return update(nlri)
    return update(b"", attribute(0x80, 15, struct.pack("!HB", 2, 1) + nlri))


# ---- MRT (RFC 6396) ----------------------------------------------------------------------------------------


def record(time_us: int, kind: int, subtype: int, body: bytes) -> bytes:
    seconds, micros = divmod(time_us, 1_000_000)
    if kind == 17:  # BGP4MP_ET: microseconds lead the body
        body = struct.pack("!I", micros) + body
    return struct.pack("!IHHI", seconds, kind, subtype, len(body)) + body


def bgp4mp(time_us: int, peer: Peer, body: bytes, subtype: int) -> bytes:
    """`subtype`: 4 MESSAGE_AS4, 5 STATE_CHANGE_AS4, 7 MESSAGE_AS4_LOCAL (what the collector sent)."""
    asn, address, local, _ = peer
    afi = 2 if ":" in address else 1
    head = struct.pack("!IIHH", asn, COLLECTOR_AS, 0, afi) + ip(address) + ip(local)
    return record(time_us, 17, subtype, head + body)


def session(seed: int) -> bytes:
    dice = Dice(seed)
    timeline: list[tuple[int, bytes]] = []
    for number, peer in enumerate(PEERS[:2]):
        asn, _, _, router_id = peer
        now = START * 1_000_000 + number * 1_500

        def add(body: bytes, subtype: int = 4, after_us: int = 0, peer: Peer = peer) -> None:
            nonlocal now
            now += after_us or 1_000 + dice.below(400_000)
            timeline.append((now, bgp4mp(now, peer, body, subtype)))

        add(open_message(COLLECTOR_AS, COLLECTOR_ID, b"collector"), subtype=7)
        add(open_message(asn, router_id, b"router%d" % (number + 1)))
        add(struct.pack("!HH", 4, 5), subtype=5)  # OpenSent to OpenConfirm
        add(message(4), subtype=7)
        add(message(4))
        add(struct.pack("!HH", 5, 6), subtype=5)
        held: list[tuple[list[Network], int]] = []
        for step in range(ROUTES):
            version = 6 if dice.one_in(3) else 4
            hop = f"2001:db8::{number + 1}" if version == 6 else f"192.0.2.{number + 1}"
            body, nets = announce(dice, asn, hop, version)
            held.append((nets, version))
            add(body)
            if dice.one_in(4):
                add(withdraw(*held.pop(dice.below(len(held)))))
            if step == ROUTES // 2:  # the table is through: End-of-RIB (RFC 4724), then life goes on
                add(update())
                add(withdraw([], 6))
                add(message(5, b"\x00\x02\x00\x01"), subtype=7)
                add(message(4), after_us=30_000_000)
        if number == 0:  # Cease, Administrative Shutdown, with a word to the people there (RFC 9003)
            text = b"maintenance until 06:00 UTC"
            add(message(3, struct.pack("!BBB", 6, 2, len(text)) + text))
        else:
            add(message(3, b"\x04\x00"), subtype=7, after_us=90_000_000)  # hold timer expired
        add(struct.pack("!HH", 6, 1), subtype=5)
    return b"".join(data for _, data in sorted(timeline, key=lambda entry: entry[0]))


def rib(seed: int) -> bytes:
    dice = Dice(seed)
    time_us = (START + 3600) * 1_000_000
    name = b"sample"
    index = ip(COLLECTOR_ID) + struct.pack("!H", len(name)) + name + struct.pack("!H", len(PEERS))
    for asn, address, _, router_id in PEERS:
        kind = 2 | (":" in address)  # an AS number of 4 bytes; an IPv6 address
        index += struct.pack("!B", kind) + ip(router_id) + ip(address) + struct.pack("!I", asn)
    out = [record(time_us, 13, 1, index)]
    sequence = 0
    for version, subtype in ((4, 2), (6, 4)):
        nets = {net for _ in range(RIB_PREFIXES) for net in networks(dice, version)}
        before: dict[int, bytes] = {}  # a peer's attributes of the prefix in front: neighbours often share them
        for net in sorted(nets, key=lambda net: (int(net.network_address), net.prefixlen))[:RIB_PREFIXES]:
            entries = []
            for number, (asn, *_) in enumerate(PEERS):
                if dice.one_in(4):
                    continue
                if number in before and dice.one_in(2):
                    attributes = before[number]
                elif version == 6:  # MP_REACH_NLRI is cut to the next hop (RFC 6396 section 4.3.4)
                    attributes = path_attributes(dice, asn, b"")
                    attributes += attribute(0x80, 14, b"\x10" + ip(f"2001:db8::{number + 1}"))
                else:
                    attributes = path_attributes(dice, asn, ip(f"192.0.2.{number + 1}"))
                before[number] = attributes
                received = START - dice.below(86_400)
                entries.append(struct.pack("!HIH", number, received, len(attributes)) + attributes)
            if entries:
                body = struct.pack("!I", sequence) + prefix(net) + struct.pack("!H", len(entries))
                out.append(record(time_us, 13, subtype, body + b"".join(entries)))
                sequence += 1
    return b"".join(out)


SAMPLES = {"session.mrt": session, "rib.mrt": rib}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, make in SAMPLES.items():
        (folder / name).write_bytes(make(SEED))


if __name__ == "__main__":
    main()
