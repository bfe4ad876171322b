"""Untrusted text is harmless once it is clean."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.text import clean


@given(st.text())
def test_nothing_clean_can_drive_a_terminal_or_reorder_a_line(text: str) -> None:
    cleaned = clean(text)

    assert all(unicodedata.category(letter) not in ("Cc", "Zl", "Zp", "Cs") for letter in cleaned)
    assert all(
        unicodedata.bidirectional(letter) not in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
        for letter in cleaned
    )


@given(st.text())
def test_several_lines_hold_no_control_but_the_break(text: str) -> None:
    cleaned = clean(text, newlines=True)

    assert {letter for letter in cleaned if unicodedata.category(letter) == "Cc"} <= {"\n"}


@given(st.text(), st.integers(min_value=0, max_value=20))
def test_a_limit_is_kept(text: str, limit: int) -> None:
    assert len(clean(text, limit=limit)) <= limit


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[2Jgone", "[2Jgone"),
        ("\x1b]52;c;aGk=\x07copied", "]52;c;aGk=copied"),
        ("\x9b31mred", "31mred"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("pay\u200bpal", "paypal"),
        ("one\r\ntwo\tthree", "one two three"),
        ("e" + "\u0301" * 40, "e" + "\u0301" * 4),
        ("ا" + "\u064b" * 60, "ا" + "\u064b" * 4),
        ("ก" + "\u0e49" * 60 + "ข", "ก" + "\u0e49" * 4 + "ข"),
    ],
)
def test_a_known_attack_leaves_readable_text(hostile: str, harmless: str) -> None:
    assert clean(hostile) == harmless


def test_what_people_write_stays_as_it_is() -> None:
    written = "Ça va, ma chérie? 👩‍👩‍👧 ❤️‍🔥 日本 שלום ที่นี่ مُحَمَّدٌ प्रिया שָׁ֑לוֹם ညွှံ့ བསྒྲུབས"

    assert clean(written) == written


def test_no_combining_mark_is_a_letter_of_a_word() -> None:
    marks = [letter for letter in map(chr, range(0x300, 0x110000)) if unicodedata.category(letter) in ("Mn", "Me")]

    assert [hex(ord(mark)) for mark in marks if len(clean("x" + mark * 9)) not in (1, 5)] == []
