"""Copying to the clipboard of the terminal the operator sits at, over SSH too: OSC 52. Pure.

The text is cleaned like everything else from outside, and travels as base64, so nothing in it can end the sequence.
tmux and GNU screen let a sequence through only inside one of their own.
"""

from __future__ import annotations

import base64

from screens.formatting import clean
from screens.terminal import Within

LONGEST = 8_000  # characters: terminals drop a sequence that is too long, xterm one beyond 100 kB, others sooner
_SCREEN_TAKES = 700  # bytes of one string; GNU screen drops one of 768


def copied(text: str) -> str:
    """What is copied of a text: one clean line of bounded length."""
    return clean(text, longest=LONGEST).strip()


def sequence(text: str, within: Within = "") -> str:
    """The bytes that put a copied text on the clipboard."""
    plain = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07"
    if within == "tmux":  # for a tmux that keeps the clipboard itself, and for one that passes it through
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if within == "screen":
        parts = [plain[at : at + _SCREEN_TAKES] for at in range(0, len(plain), _SCREEN_TAKES)]
        return "".join(f"\x1bP{part}\x1b\\" for part in parts)
    return plain
