"""The figures of preparing a text. The hard blocks are not among them: nobody can set those."""

from __future__ import annotations

from dataclasses import dataclass

DISCLOSURE = "Written with AI"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSettings:
    """How a text is bounded and disclosed."""

    disclose: bool = True
    """Whether a text a model wrote says so. On by default: a fan has a right to know."""

    disclosure: str = DISCLOSURE
    """The line that says so, the last of the message. Blank, it is the default one: only `disclose` switches it off."""

    longest: int = 2_000
    """Characters of a message, its disclosure included: what the platform takes."""
