"""Chance that repeats: every draw of the world is a hash of the seed and of what it is drawn for.

Nothing here depends on the order in which requests arrive, so concurrency and speed never change an answer.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of draws that is the same for the same key."""

    def __init__(self, *key: object) -> None:
        text = "\x1f".join(str(part) for part in key)
        self._key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        self._drawn = 0

    def bits(self) -> int:
        """64 bits."""
        self._drawn += 1
        block = self._drawn.to_bytes(8, "big")
        return int.from_bytes(hashlib.blake2b(block, key=self._key, digest_size=8).digest(), "big")

    def unit(self) -> float:
        """From 0 inclusive to 1 exclusive."""
        return (self.bits() >> 11) / (1 << 53)

    def between(self, low: float, high: float) -> float:
        """Uniform between the two."""
        return low + self.unit() * (high - low)

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self.bits() % (high - low + 1)

    def happens(self, share: float) -> bool:
        """True in that share of draws."""
        return self.unit() < share

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.bits() % len(choices)]

    def spread(self, sigma: float) -> float:
        """A lognormal factor of median 1, cut at three sigma (Box-Muller)."""
        radius = math.sqrt(-2 * math.log(1 - self.unit()))
        normal = radius * math.cos(2 * math.pi * self.unit())
        return math.exp(sigma * max(-3.0, min(3.0, normal)))

    def token(self, length: int = 24) -> str:
        """Lower-case hexadecimal digits, for ids."""
        text = "".join(f"{self.bits():016x}" for _ in range((length + 15) // 16))
        return text[:length]
