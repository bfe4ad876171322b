"""Real bytes of a console whose campaigns have names that terminals measure differently: no column moves."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from screens.cells import most_cells
from screens.formatting import clean
from tests.screens.grid import Count, Grid, by_code_point, by_letter
from tests.screens.test_terminal import Terminal, terminal

NAMES = ("कि" * 20, "प्रिया கவின் 👍🏽👍🏽", "❤️" * 10, "👨‍👩‍👧 family", "မြန်မာ שָׁלוֹם")
PLAIN = tuple("x" * most_cells(clean(name)) for name in NAMES)  # as long, so that columns are as wide
_LINES, _COLUMNS = 14, 80


def _grid(count: Count) -> Callable[[], Grid]:
    return lambda: Grid(count)


@pytest.mark.parametrize("emulate", [_grid(by_code_point), _grid(by_letter)], ids=["code points", "letters"])
@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}], ids=["colours", "none"])
def test_columns_stand_where_plain_names_have_them(emulate: Callable[[], Grid], environ: dict[str, str]) -> None:
    plain, strange = (_walk(names, environ) for names in (PLAIN, NAMES))

    assert "\u0915\u093f" in strange[0]
    for expected, found in zip(plain, strange, strict=True):
        one, other = emulate(), emulate()
        one.write(expected)
        other.write(found)
        head = one.text(2, 1, _COLUMNS + 1)
        assert "campaign" in head, [one.text(row, 1, _COLUMNS + 1) for row in range(1, _LINES + 1)]
        left, right = head.index("campaign") + 1, head.index("account") + 1
        for row in range(1, _LINES + 1):
            assert other.text(row, 1, left) == one.text(row, 1, left)
            assert other.text(row, right, _COLUMNS + 1) == one.text(row, right, _COLUMNS + 1)


def _walk(names: tuple[str, ...], environ: dict[str, str]) -> list[str]:
    """All that was written until the list stood, then until its cursor had moved, then until a question lay over it."""
    found: list[str] = []
    with terminal(environ=environ, size=(_COLUMNS, _LINES), names=names, drains=True) as running:
        running.read_until(b"SPEND")
        for keys, shown in (("6", b"state"), ("jjk", b""), ("q", b"Leave and stop")):
            running.type(keys)
            running.read_until(shown)
            found.append(_settled(running))
    return found


def _settled(running: Terminal) -> str:
    give_up = time.monotonic() + 20
    while running.read(1.5):
        assert time.monotonic() < give_up
    return running.seen.decode()
