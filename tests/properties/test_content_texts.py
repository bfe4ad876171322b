"""Whatever is written, what goes out is clean, bounded, disclosed once, and never a template again."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.content import VARIABLES, Blocked, ContentSettings, Prepared, check, is_crisis, prepare, render, screen
from engine.content import validate as validate_template
from engine.kernel.errors import CommandRefused

LINE = "Written with AI"
pieces = st.sampled_from(
    [
        *(LINE, LINE.lower(), "Written ", "with AI", "\n", "\n\n", ". ", '"', "“", "”"),
        *("\x1b", "\u202e", "\u200b", "\u2028", "e\u0301\u0301\u0301\u0301", "\U0001f469\u200d\U0001f467", "word "),
        *("{{", "}}", "{{name}}", "{{tag|x}}", "|", "p a y p a l", "1", "…"),
    ]
)
texts = st.lists(pieces | st.text(max_size=8), max_size=40).map("".join)
bounds = st.builds(ContentSettings, longest=st.integers(40, 300))


@settings(max_examples=100, deadline=None)
@given(texts, bounds)
def test_preparing_a_prepared_text_changes_nothing(text: str, bound: ContentSettings) -> None:
    once = prepare(text, ai_written=False, settings=bound)

    if isinstance(once, Prepared):
        assert prepare(once.text, ai_written=False, settings=bound) == once


@settings(max_examples=100, deadline=None)
@given(texts, bounds)
def test_the_disclosure_stands_exactly_once_and_last(text: str, bound: ContentSettings) -> None:
    outcome = prepare(text, ai_written=True, settings=bound)

    if isinstance(outcome, Prepared):
        assert outcome.text.count(LINE) == 1
        assert outcome.text.endswith(f"\n\n{LINE}")
        assert len(outcome.text) <= bound.longest
        assert prepare(outcome.text, ai_written=True, settings=bound) == outcome


@settings(max_examples=100, deadline=None)
@given(texts, st.booleans(), bounds)
def test_what_goes_out_is_clean_bounded_and_passes_the_screen(text: str, ai: bool, bound: ContentSettings) -> None:
    outcome = prepare(text, ai_written=ai, settings=bound)

    if isinstance(outcome, Blocked):
        assert outcome.category
        assert outcome.reason
    else:
        assert 0 < len(outcome.text) <= bound.longest
        assert not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in outcome.text if sign != "\n")
        assert screen(outcome.text) == ""


@settings(max_examples=100, deadline=None)
@given(texts, st.dictionaries(st.sampled_from(list(VARIABLES)), texts))
def test_a_template_that_is_valid_renders_and_any_other_is_refused(template: str, values: dict[str, str]) -> None:
    try:
        validate_template(template)
    except CommandRefused:
        with pytest.raises(CommandRefused):
            render(template, values)
        return

    assert isinstance(render(template, values), str)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_a_hostile_value_never_expands(value: str) -> None:
    text = render("[{{name}}]", {"name": value, "tag": "EXPANDED", "first_name": "EXPANDED"})

    assert "EXPANDED" not in text or "EXPANDED" in value
    assert (text[0], text[-1]) == ("[", "]")


@settings(max_examples=100, deadline=None)
@given(texts)
def test_no_text_breaks_the_blocks(text: str) -> None:
    assert check(text).allowed == (check(text).reason == "")
    assert is_crisis(text) in (True, False)
