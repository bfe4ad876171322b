"""A value that must not be seen: keys, tokens, passwords."""

from __future__ import annotations

from typing import Never


class Secret:
    """A string that shows itself as `***` in a log, a traceback or a dataclass's repr, and is never pickled.

    Only `reveal()` gives the text, so that every place that uses one can be found by that word. An empty secret is
    falsy: it means *not configured*.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "***" if self._text else "(none)"

    __str__ = __repr__

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self

    def __reduce__(self) -> Never:
        raise TypeError("a secret is not pickled")
