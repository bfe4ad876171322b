"""How closely a text should be read: what is told of it, and that nothing of it is quoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.content import ContentSettings, Level, Prepared, assess, check, prepare


@pytest.mark.parametrize(
    ("text", "level", "words"),
    [
        ("Good morning, how was your day?", Level.NONE, ""),
        ("The new set is up for $20", Level.LOW, "names a price"),
        ("Find it at https://example.com/x", Level.MEDIUM, "holds a link or an address"),
        ("Write to @somebody there", Level.MEDIUM, "holds a link or an address"),
        ("Hello {{name}}, I missed you", Level.MEDIUM, "left with a gap"),
        ("Hello [fan name], I missed you", Level.MEDIUM, "left with a gap"),
        ("As an AI I cannot say", Level.MEDIUM, "speaks as a machine"),
        ("Let us meet up on Friday", Level.MEDIUM, "meeting in person"),
        ("Please do not kill yourself over it", Level.HIGH, "self-harm"),
        ("I want to die", Level.HIGH, "wanting to die"),
    ],
)
def test_a_text_is_told_with_what_was_found(text: str, level: Level, words: str) -> None:
    found = assess(text)

    assert found.level is level
    assert words in found.reason


def test_the_gravest_finding_names_the_level_and_stands_first() -> None:
    found = assess("For $5 at www.example.com; do not kill yourself over it")

    assert found.level is Level.HIGH
    assert "self-harm" in found.reasons[0]
    assert len(found.reasons) == 3


def test_what_is_sent_is_what_was_looked_at() -> None:
    found = prepare("Look at www.example.com", ai_written=True, settings=ContentSettings())

    assert isinstance(found, Prepared)
    assert found.risk.level is Level.MEDIUM


@given(st.text(max_size=300))
def test_any_text_is_assessed_and_a_blocked_one_is_high(text: str) -> None:
    found = assess(text)

    assert (found.level is Level.NONE) == (not found.reasons)
    assert check(text).allowed or found.level is Level.HIGH
