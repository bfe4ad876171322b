"""What a terminal is told to be, what it is then sent, and how often."""

from __future__ import annotations

import base64
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from screens import drawing
from screens.clipboard import LONGEST, copied, sequence
from screens.glyphs import ascii_form, visible
from screens.pacing import FULL, LOW, Meter, Pacer, Rate, SlowLink
from screens.terminal import Terminal, read_terminal

# ── what it can show ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "de_DE.UTF-8"}, ("true", True, "")),
        ({"TERM": "xterm-256color", "LANG": "C.utf8"}, ("256", True, "")),
        ({"TERM": "screen-256color", "LANG": "C.UTF-8"}, ("256", True, "screen")),
        ({"TERM": "screen-256color", "TMUX": "/tmp/t,1,0", "LANG": "C.UTF-8"}, ("256", True, "tmux")),
        ({"TERM": "tmux-256color", "LANG": "C.UTF-8"}, ("256", True, "tmux")),
        ({"TERM": "screen", "STY": "1.pts", "LANG": "C.UTF-8"}, ("16", True, "screen")),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, ("16", False, "")),
        ({"TERM": "vt100", "LANG": "C.UTF-8"}, ("none", False, "")),
        ({"TERM": "xterm", "LANG": "C"}, ("16", False, "")),
        ({"TERM": "xterm", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, ("16", False, "")),  # as Python hands it on
        ({"TERM": "xterm", "LC_ALL": "POSIX", "LANG": "C.UTF-8"}, ("16", False, "")),
        ({"TERM": "xterm-256color", "NO_COLOR": "1", "LANG": "C.UTF-8"}, ("none", True, "")),
        ({"TERM": "xterm-256color", "NO_COLOR": "", "LANG": "C.UTF-8"}, ("256", True, "")),
        ({"TEXTUAL_DRIVER": "x", "TEXTUAL_COLOR_SYSTEM": "truecolor", "TERM": "linux"}, ("true", True, "")),
    ],
)
def test_a_terminal_is_known_by_its_environment(environ: dict[str, str], found: tuple[str, bool, str]) -> None:
    terminal = read_terminal(environ)

    assert (terminal.depth, terminal.unicode, terminal.within) == found


def test_the_operator_knows_better() -> None:
    assert read_terminal({"TERM": "linux"}, ascii_only=False).unicode
    assert read_terminal({"TERM": "xterm", "LANG": "C.UTF-8"}, ascii_only=True) == Terminal(depth="16", unicode=False)


# ── ASCII ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_letters = st.characters(codec="utf-8")


@given(st.text(_letters, max_size=80).map(visible))
@settings(max_examples=300, deadline=None)
def test_ascii_is_ascii_and_as_wide(text: str) -> None:
    formed = ascii_form(text)

    assert all(" " <= letter <= "~" for letter in formed)
    assert len(formed) == cell_len(text)


@given(st.text(_letters, max_size=80))
@settings(max_examples=300, deadline=None)
def test_the_last_gate_lets_only_visible_letters_through(text: str) -> None:
    assert all(unicodedata.category(letter)[0] not in ("C",) for letter in visible(text))
    assert visible(text).isprintable()


def test_every_state_keeps_a_form_of_its_own_beside_its_word() -> None:
    """Those that stand in one list: a model's breaker, a campaign's, a delivery's, a job's, an alert's."""
    for states in (
        ("closed", "open", "half_open"),
        ("draft", "scheduled", "running", "paused", "finished", "cancelled", "failed"),
        ("drafted", "approved", "queued", "sending", "uncertain", "skipped", "rejected"),
        ("ready", "delayed", "leased", "parked", "dead", "done"),
        ("critical", "warning", "info"),
    ):
        forms = [ascii_form(drawing.state(name)[0]) for name in states]
        assert len(set(forms)) == len(forms), dict(zip(states, forms, strict=True))


def test_our_own_marks_are_drawn_with_what_they_mean() -> None:
    assert ascii_form("▁▄█ ███▌··· ●●○ ┌─┐│x│└─┘ →") == "_-# ###|... **o +-+|x|+-+ >"
    assert ascii_form("café Łódź Straße — “ok”…") == 'cafe Lodz Strase - "ok"~'
    assert ascii_form("漢字 ab") == "???? ab"
    assert "?" not in ascii_form("".join(chr(dots) for dots in range(0x2800, 0x2900)))
    assert "?" not in ascii_form("".join(chr(line) for line in range(0x2500, 0x25A0)))


# ── the clipboard ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_copied_text_is_one_clean_line() -> None:
    assert copied("a\x1b]52;c;eA==\x07b\u202ec\nd\u200b") == "a]52;c;eA==bc d"


def test_what_is_copied_is_bounded() -> None:
    assert len(copied("x" * 100_000)) == LONGEST + 1  # and says by an ellipsis that it was cut


@given(st.text(st.characters(codec="utf-8"), max_size=3_000), st.sampled_from(["", "tmux", "screen"]))
@settings(max_examples=100, deadline=None)
def test_nothing_copied_can_end_its_sequence(text: str, within: str) -> None:
    """What remains once the wrappings are taken off is one OSC 52 with nothing but base64 in it."""
    sent = sequence(copied(text), within)  # type: ignore[arg-type]

    if within == "screen":
        assert all(len(part) < 768 for part in sent.split("\x1b\\"))
        sent = "".join(re.findall(r"\x1bP(.*?)\x1b\\", sent, re.DOTALL))
    plain, _, wrapped = sent.partition("\x1bPtmux;")
    found = re.fullmatch(r"\x1b]52;c;([A-Za-z0-9+/=]*)\x07", plain)
    assert found
    assert base64.b64decode(found[1]).decode() == copied(text)
    assert wrapped == (plain.replace("\x1b", "\x1b\x1b") + "\x1b\\" if within == "tmux" else "")


# ── pacing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Console:
    """A console on a clock of its own: each painting costs so many bytes and so much processor time."""

    def __init__(self, *, size: int, work: float = 0.0, rate: Rate = FULL) -> None:
        self.now = self.worked = 0.0
        self.painted: list[float] = []
        self.meter = Meter(lambda: self.now)
        self.pacer = Pacer(lambda: self.now, lambda: self.worked, self.meter)
        self.pacer.rate = rate
        self._size, self._work = size, work

    def run(self, seconds: float, *, looks: float = 0.02) -> None:
        """The engine changes something all the time, and the terminal takes what it is given."""
        until = self.now + seconds
        while self.now < until:
            if self.pacer.wait() <= 0:
                self.paint()
            self.now += looks

    def paint(self) -> None:
        self.pacer.painted()
        self.painted.append(self.now)
        self.meter.queue(self._size)
        self.meter.begin()
        self.meter.end(self._size)
        self.worked += self._work


@pytest.mark.parametrize("rate", [FULL, LOW], ids=["full", "low"])
@pytest.mark.parametrize("size", [200, 4_000, 9_000])
def test_the_budget_of_bytes_is_kept(rate: Rate, size: int) -> None:
    console = Console(size=size, rate=rate)
    console.run(60)

    assert console.meter.queued / 60 <= rate.bytes * 1.02 + size / 60
    assert len(console.painted) <= 60 / rate.least + 1


def test_the_bars_hold_with_what_a_painting_costs() -> None:
    """30 kB/s and 7 % of a core at most, 4 kB/s in low bandwidth."""
    assert FULL.bytes <= 30_000 * 0.9
    assert FULL.share <= 0.07 * 0.8
    assert LOW.bytes <= 4_000 * 0.9


def test_a_cheap_screen_is_painted_as_often_as_it_changes() -> None:
    console = Console(size=300, work=0.001)
    console.run(10)

    assert len(console.painted) >= 10 / FULL.least * 0.85


def test_the_processor_is_shared_out_too() -> None:
    console = Console(size=10, work=0.05)
    console.run(60)

    assert console.worked / 60 <= FULL.share * 1.05


def test_a_key_does_not_wait_for_the_budget() -> None:
    console = Console(size=100_000)
    console.paint()
    console.now += FULL.least
    assert console.pacer.wait() > 1

    console.pacer.acted()

    assert console.pacer.wait() == 0


def test_however_much_keys_cost_the_screen_is_never_old_for_long() -> None:
    console = Console(size=50_000)
    for _ in range(100):
        console.paint()

    assert console.pacer.wait() <= 4


def test_nothing_is_painted_for_a_terminal_that_does_not_take_it() -> None:
    console = Console(size=0)
    console.meter.queue(100_000)
    console.now += 60

    assert console.pacer.wait() > 0
    console.meter.begin()
    console.meter.end(100_000)
    console.now += 60
    assert console.pacer.wait() == 0


class Link:
    """A link of which each write waits a while."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meter = Meter(lambda: self.now)
        self.slow = SlowLink(lambda: self.now, self.meter)
        self.turns: list[tuple[float, bool]] = []

    def write(self, takes: float, *, every: float, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.meter.begin()
            self.now += takes
            self.meter.end(0)
            self.now += every - takes
            if self.slow.look():
                self.turns.append((self.now, self.slow.slow))


def test_a_link_is_slow_while_its_writes_wait() -> None:
    link = Link()
    link.write(0.01, every=0.25, seconds=60)
    assert link.turns == []

    link.write(0.2, every=0.25, seconds=20)
    assert [slow for _, slow in link.turns] == [True]

    link.write(0.001, every=1.0, seconds=90)
    assert [slow for _, slow in link.turns] == [True, False]


def test_a_write_that_never_ends_is_slow_as_well() -> None:
    link = Link()
    link.meter.begin()
    link.now += 4

    assert link.slow.look()


def test_a_link_that_is_slow_again_and_again_is_tried_more_seldom() -> None:
    link = Link()
    for _ in range(40):
        while len(link.turns) % 2 == 0:
            link.write(0.2, every=0.25, seconds=1)
        while len(link.turns) % 2 == 1:
            link.write(0.0001, every=1, seconds=1)
        if link.now > 20_000:
            break

    held = [end - start for (start, _), (end, _) in zip(link.turns[::2], link.turns[1::2], strict=False)]
    assert held[0] < held[1] < held[2]
    assert max(held) <= 3_700


def test_the_table_covers_every_mark_in_the_code_of_the_screens() -> None:
    """A mark without a form would become a question mark on a terminal that can show only ASCII."""
    root = Path(drawing.__file__).parent
    drawn = {letter for file in root.rglob("*.py") for letter in file.read_text() if letter > "\x7f"}

    assert {letter for letter in drawn if "?" in ascii_form(letter)} == set()
