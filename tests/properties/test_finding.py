"""A face that narrows the deliveries it holds shows what the engine's database would have said."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from engine.messaging import arranging
from engine.messaging.delivery import DeliveryState
from engine.surface import finding
from engine.surface.finding import matching, narrower, words
from engine.surface.rows import DeliveryRow

_LETTERS = "aAbéÉßİK%_\\-: 1"
_COLUMNS = ("fan_id", "fan_name", "state", "reason", "text", "attempts", "cost", "changed_at", "risk")

texts = st.text(_LETTERS, max_size=4)
terms = st.builds(
    "{}{}{}".format, st.sampled_from(("", "-")), st.sampled_from(("", *(f"{f}:" for f in finding.FIELDS), "x:")), texts
)
finds = st.lists(terms, max_size=3).map(tuple)
rows = st.builds(
    DeliveryRow,
    delivery_id=st.just("dlv"),
    campaign_id=st.just("cmp"),
    account_id=st.just("acc"),
    fan_id=texts,
    fan_name=texts,
    state=st.sampled_from([state.value for state in DeliveryState]),
    reason=texts,
    text=texts,
    text_digest=st.just(""),
    platform_id=st.just(""),
    attempts=st.integers(0, 12),
    cost=st.integers(0, 200),
    changed_at=st.integers(0, 200),
    risk=st.sampled_from(("", "none", "low", "high")),
)


def told_by_sqlite(row: DeliveryRow, find: Sequence[str]) -> bool:
    clauses = [arranging._found(word) for word in words(find)]
    where = " AND ".join(clause for clause, _ in clauses) or "1"
    shown = ", ".join(f"? AS {column}" for column in _COLUMNS)
    values = [getattr(row, column) for column in _COLUMNS] + [value for _, some in clauses for value in some]
    with sqlite3.connect(":memory:") as database:
        return database.execute(f"SELECT 1 FROM (SELECT {shown}) WHERE {where}", values).fetchone() is not None


def test_both_know_the_same_fields() -> None:
    assert finding.FIELDS.keys() == arranging.FIELDS.keys()


@given(rows, finds)
def test_a_row_matches_here_where_it_does_there(row: DeliveryRow, find: tuple[str, ...]) -> None:
    assert bool(matching([row], find)) is told_by_sqlite(row, find)


@given(rows, finds, finds)
def test_what_is_called_narrower_finds_nothing_new(
    row: DeliveryRow, find: tuple[str, ...], before: tuple[str, ...]
) -> None:
    if narrower(find, before) and matching([row], find):
        assert matching([row], before)


@given(st.text("abé", max_size=3), st.text("abé", max_size=3), st.sampled_from(("", "fan:", "text:")))
def test_a_letter_more_is_narrower(word: str, more: str, field: str) -> None:
    assert narrower((f"{field}x{word}{more}", "late"), (f"{field}x{word}",))
    assert narrower((f"-{field}x{word}",), (f"-{field}x{word}{more}",))


def test_what_must_be_absent_or_is_another_field_is_not_taken_for_narrower() -> None:
    assert not narrower(("-anna",), ("-ann",))
    assert not narrower(("text:anna",), ("fan:ann",))
    assert not narrower(("anna",), ("anna", "bea"))
