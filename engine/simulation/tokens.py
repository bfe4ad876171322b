"""What a token is in the world: a run of word characters, or one sign that is neither word nor space.

The world counts what it received with its own rule and never believes a client's count. Counted is the text of the
messages joined with newlines, system text included; roles, names and schemas count nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, pairwise

TOKEN = re.compile(r"\w+|[^\w\s]")


def count(text: str) -> int:
    """How many tokens the text has."""
    return len(TOKEN.findall(text))


def join(contents: Iterable[str]) -> str:
    """The text that is counted and hashed for a request of several messages."""
    return "\n".join(contents)


def cut(text: str, limit: int) -> str:
    """The text up to the end of its token number `limit`; all of it when it has no more than that."""
    ends = [match.end() for match in islice(TOKEN.finditer(text), limit + 1)]
    if len(ends) <= limit:
        return text
    return text[: ends[limit - 1]] if limit > 0 else ""


def pieces(text: str, size: int) -> list[str]:
    """The text in consecutive pieces of `size` tokens, spaces kept with what follows them. Joined they are the text."""
    ends = [match.end() for match in TOKEN.finditer(text)][size - 1 :: size]
    edges = [0, *ends]
    parts = [text[start:end] for start, end in pairwise(edges)]
    return [*parts, text[edges[-1] :]] if edges[-1] < len(text) else parts
