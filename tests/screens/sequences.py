"""What a console may write to its terminal: our own styles, moves and modes, and visible letters. Nothing else."""

from __future__ import annotations

import re

_MODES = "7|25|1000|1002|1003|1004|1006|1015|1016|1049|2004|2026|2048"
_OURS = re.compile(
    r"\x1b\[[0-9;]*m"  # a style
    r"|\x1b\[[0-9]{1,3};[0-9]{1,3}H"  # a move
    rf"|\x1b\[\?(?:{_MODES})[hl]"  # a mode on or off
    r"|\x1b\[\?(?:2026|2048)\$p"  # is a mode known?
    r"|\x1b\]22;[a-z-]+\x07"  # the shape of the pointer
    r"|\x1b\[>[0-9]+u|\x1b\[<u"  # the keyboard's protocol
    r"|\r?\n"
)
_COPIED = re.compile(r"\x1b\]52;c;[A-Za-z0-9+/=]*\x07")


def foreign(written: bytes, *, ascii_only: bool = False) -> list[str]:
    """What is in there and is not ours, each with what stands around it."""
    text = _COPIED.sub("", written.decode())
    left = _OURS.sub("\n", text)
    return [
        repr(left[max(0, found.start() - 20) : found.end() + 20])
        for found in re.finditer(r"[^\n]", left)
        if not found[0].isprintable() or (ascii_only and found[0] > "~")
    ]
