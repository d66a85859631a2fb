"""Values by chance, the same ones in each run: fields of NLRI and attributes, as the JSON form has them."""

from __future__ import annotations

import random
from typing import Any

from bgpipe.names import FLOW_COMPONENTS
from oracle_flowspec import BITMASK, NUMERIC

Rule = dict[str, Any]
BITS = ("TCP_FLAGS", "FRAG")
# Bits of the largest value, 16 of all others.
LARGEST = {"PROTO": 8, "ICMP_TYPE": 8, "ICMP_CODE": 8, "DSCP": 6, "TCP_FLAGS": 8, "FRAG": 4}


class Chance(random.Random):
    """A seed, such as a family's name, gives the same values each time."""

    def ip(self, afi: int) -> str:
        if afi == 1:
            return ".".join(str(self.randrange(1, 224)) for _ in range(4))
        return "2001:db8:" + ":".join(f"{self.randrange(1, 0x10000):x}" for _ in range(6))

    def prefix(self, afi: int) -> tuple[str, int]:
        """Address and length."""
        if afi == 1:
            length = self.choice([8, 16, 24, 32])
            return ".".join([str(self.randrange(1, 224)) for _ in range(length // 8)] + ["0"] * (4 - length // 8)), length
        length = self.choice([48, 64, 80])
        return "2001:db8:" + ":".join(f"{self.randrange(1, 0x10000):x}" for _ in range(length // 16 - 2)) + "::", length

    def rd(self, types: int = 3) -> str:
        """Of the first `types` types."""
        forms = [
            f"{self.randrange(65536)}:{self.randrange(2**32)}",
            f"{self.ip(1)}:{self.randrange(65536)}",
            f"{self.randrange(65536, 2**32)}:{self.randrange(65536)}",
        ]
        return self.choice(forms[:types])

    def labels(self) -> list[int]:
        return [self.randrange(16, 2**20) for _ in range(self.choice([1, 1, 2]))]

    def octets(self, count: int) -> str:
        return ":".join(f"{self.randrange(256):02x}" for _ in range(count))

    def rule(self, family: str) -> Rule:
        """A flow specification, of IPv4 components but for the prefixes."""
        made: Rule = {"rd": self.rd(1)} if "L3VPN" in family else {}
        for name in FLOW_COMPONENTS.values():
            if name == "LABEL" or self.randrange(2):
                continue
            if name in ("DST", "SRC"):
                made[name] = "/".join(map(str, self.prefix(1 if family.startswith("IPV4") else 2)))
            else:
                made[name] = self._tests(name)
        return made

    def _tests(self, name: str) -> list[Rule]:
        found = []
        for place in range(self.randrange(1, 4)):
            value = self.randrange(2 ** LARGEST.get(name, 16))
            test: Rule = {"and": True} if place and self.randrange(2) else {}
            test["op"] = self.choice(list(BITMASK if name in BITS else NUMERIC))
            found.append(test | ({"len": 1, "val": f"0x{value:x}"} if name in BITS else {"val": value}))
        return found
