"""Values by chance, the same ones in each run: fields of NLRI and attributes, as the JSON form has them."""

from __future__ import annotations

import random


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
