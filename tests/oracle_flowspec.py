"""Flow specification rules for the oracle: RFC 8955, RFC 8956, and the JSON form, as plain as they are written there.

What has no typed form raises ValueError.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from bgpipe import names

Json = Any
NUMERIC: dict[str | bool, int] = {"==": 1, ">": 2, ">=": 3, "<": 4, "<=": 5, "!=": 6, True: 7, False: 0}
BITMASK = {"ANY": 0, "ALL": 1, "NONE": 2, "NOT-ALL": 3}


def rule_json(data: bytes, afi: int) -> dict[str, Json]:
    rule: dict[str, Json] = {}
    before = 0
    while data:
        kind = data[0]
        if kind <= before:
            raise ValueError("components are not in order")
        before = kind
        if kind not in names.FLOW_COMPONENTS or (kind == 13 and afi == 1):
            raise ValueError("a component that is not known")
        if kind <= 2:
            value, size = prefix6_json(data[1:]) if afi == 2 else prefix4_json(data[1:])
        else:
            value, size = tests_json(data[1:], kind in (9, 12))
        rule[names.FLOW_COMPONENTS[kind]] = value
        data = data[1 + size :]
    return rule


def bits_of(data: bytes, count: int) -> str:
    """The first `count` bits as a text of 0 and 1; those behind them up to the octet's end must be 0."""
    octets = (count + 7) // 8
    if len(data) < octets:
        raise ValueError("a prefix is cut short")
    text = "".join(f"{octet:08b}" for octet in data[:octets])
    if "1" in text[count:]:
        raise ValueError("bits behind the end")
    return text[:count]


def prefix4_json(data: bytes) -> tuple[str, int]:
    if not data or data[0] > 32:
        raise ValueError("no IPv4 prefix")
    bits = bits_of(data[1:], data[0])
    address = ipaddress.IPv4Address(int(bits.ljust(32, "0"), 2))
    return f"{address}/{data[0]}", 1 + (data[0] + 7) // 8


def prefix6_json(data: bytes) -> tuple[str, int]:
    if len(data) < 2 or data[0] > 128 or (data[1] and data[1] >= data[0]):
        raise ValueError("no IPv6 prefix")
    length, offset = data[0], data[1]
    bits = "0" * offset + bits_of(data[2:], length - offset)
    address = ipaddress.IPv6Address(int(bits.ljust(128, "0"), 2))
    text = f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)
    return f"{text}/{offset}-{length}" if offset else f"{text}/{length}", 2 + (length - offset + 7) // 8


def tests_json(data: bytes, bitmask: bool) -> tuple[list[Json], int]:
    tests: list[Json] = []
    place = 0
    while True:
        if place == len(data):
            raise ValueError("the last test is missing")
        op = data[place]
        size = {0x00: 1, 0x10: 2, 0x20: 4, 0x30: 8}[op & 0x30]
        octets = data[place + 1 : place + 1 + size]
        if len(octets) < size or op & (0x0C if bitmask else 0x08):
            raise ValueError("no operator and value")
        value = int.from_bytes(octets)
        test: dict[str, Json] = {}
        if op & 0x40:
            test["and"] = True
        if bitmask:
            test["op"] = next(name for name, bits in BITMASK.items() if bits == op & 3)
            test["len"] = size
            test["val"] = f"0x{value:x}"
        else:
            test["op"] = next(name for name, bits in NUMERIC.items() if bits == op & 7)
            if size > 1 and not any(octets[: size // 2]):
                test["len"] = size
            test["val"] = value
        tests.append(test)
        place += 1 + size
        if op & 0x80:
            return tests, place


def rule_bytes(rule: dict[str, Json], afi: int) -> bytes:
    """The components alone."""
    out = b""
    for number, name in sorted(names.FLOW_COMPONENTS.items()):
        if name in rule:
            value = rule[name]
            out += bytes((number,))
            out += prefix_bytes(value, afi) if number <= 2 else tests_bytes(value, number in (9, 12))
    return out


def prefix_bytes(text: str, afi: int) -> bytes:
    address, _, bits = text.partition("/")
    first, _, last = bits.rpartition("-")
    offset, length = int(first or 0), int(last)
    width = 32 if afi == 1 else 128
    pattern = f"{int(ipaddress.ip_address(address)):0{width}b}"[offset:length]
    octets = int(pattern.ljust((len(pattern) + 7) // 8 * 8, "0") or "0", 2).to_bytes((len(pattern) + 7) // 8)
    return bytes((length,) if afi == 1 else (length, offset)) + octets


def tests_bytes(tests: list[Json], bitmask: bool) -> bytes:
    parts = [operation(test, bitmask, test is tests[-1]) for test in tests]
    return b"".join(bytes((op,)) + value for op, value in parts)


def operation(test: Json, bitmask: bool, last: bool) -> tuple[int, bytes]:
    """The octet of the operator, and the value."""
    value = int(test["val"], 16) if bitmask else test["val"]
    size = test.get("len") or next(size for size in (1, 2, 4, 8) if value < 256**size)
    op = BITMASK[test["op"]] if bitmask else NUMERIC[test["op"]]
    op |= {1: 0x00, 2: 0x10, 4: 0x20, 8: 0x30}[size]
    op |= 0x40 if test.get("and") else 0
    op |= 0x80 if last else 0
    return op, value.to_bytes(size)
