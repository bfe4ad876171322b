"""No byte of another's making reaches the terminal: a console walks over every place, behind a hostile world."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from screens.clipboard import copied
from screens.registry import NAMES
from tests.screens.sequences import foreign
from tests.screens.test_hostile_text import ATTACKS

_ROOT = Path(__file__).parents[2]


class Walker:
    """A walking console, its terminal, and the pipes it is told by."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int, asks: int, answers: int) -> None:
        self._process, self._terminal, self._asks, self._answers = process, terminal, asks, answers
        self._told = b""

    def walk(self, attack: str) -> tuple[bytes, dict[str, Any]]:
        """Let it walk once; what it wrote, and where it was."""
        os.write(self._asks, json.dumps(attack).encode() + b"\n")
        written, give_up = b"", time.monotonic() + 120
        while b"\n" not in self._told:
            assert time.monotonic() < give_up
            assert self._process.poll() is None, written[-2_000:]
            for ready in select.select([self._terminal, self._answers], [], [], 1)[0]:
                if ready == self._terminal:
                    written += os.read(ready, 65_536)
                else:
                    self._told += os.read(ready, 65_536)
        while select.select([self._terminal], [], [], 0.05)[0]:
            written += os.read(self._terminal, 65_536)
        answer, _, self._told = self._told.partition(b"\n")
        return written, json.loads(answer)


@contextmanager
def walking(environment: dict[str, str], *flags: str) -> Iterator[Walker]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 110, 0, 0))
    asked, asks = os.pipe()
    answers, answered = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.screens.walking", str(asked), str(answered), *(flags or ("",))],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=(asked, answered),
        start_new_session=True,
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LANG": "C.UTF-8", **environment},
    ) as process:
        for descriptor in (theirs, asked, answered):
            os.close(descriptor)
        try:
            yield Walker(process, ours, asks, answers)
        finally:
            process.kill()
            for descriptor in (ours, asks, answers):
                os.close(descriptor)


_PIECES = [*(attack for name, attack in ATTACKS.items() if name not in ("long", "wide")), "\x1b[9999;9999H", "\x1bc",
           "\x1b]0;title\x07", "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "\x9d52;c;eA==\x9c", "\x1b[6n",
           "\x1bP+q544e\x1b\\", "\x07", "\x1b[?1049l", "\x1b[>4;1m", "\u2067x\u2066", "x\n\n\ny"]  # fmt: skip
_attacks = st.lists(st.sampled_from(_PIECES) | st.text(max_size=8), min_size=4, max_size=30).map("".join)
_XTERM = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
_VT100 = {"TERM": "vt100"}


def check(walker: Walker, attack: str, *, ascii_only: bool, screens: int) -> None:
    written, answer = walker.walk(attack)

    assert foreign(written, ascii_only=ascii_only) == []
    assert len(answer["seen"]) >= screens
    assert answer["log"] == []
    clipboard = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", written)
    assert [base64.b64decode(text).decode() for text in clipboard] == [copied(attack)]
    assert b"boom" in written  # the attacks were shown, as the letters they are


@pytest.mark.parametrize("environment", [_XTERM, _VT100], ids=["xterm", "vt100"])
def test_only_our_own_sequences_reach_the_terminal(environment: dict[str, str]) -> None:
    with walking(environment) as walker:
        check(walker, "".join(_PIECES), ascii_only=environment is _VT100, screens=2 * len(NAMES))


@pytest.mark.system
@pytest.mark.parametrize("environment", [_XTERM, _VT100], ids=["xterm", "vt100"])
def test_nor_do_others_by_any_key_of_any_place(environment: dict[str, str]) -> None:
    with walking(environment, "every-key") as walker:

        @settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(_attacks)
        def every_field(attack: str) -> None:
            whole = f"{''.join(_PIECES)}{attack}{'x' * 10_000}"
            check(walker, whole, ascii_only=environment is _VT100, screens=4 * len(NAMES))

        every_field()
