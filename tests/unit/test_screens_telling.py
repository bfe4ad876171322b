"""Every event says something a person understands, whatever its fields hold, and is about something."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import EVENTS, Event, Recorded
from screens.drawing import width_of
from screens.events import TOPICS, event_line, is_quiet, topic_of
from screens.telling import split, told
from screens.theme import tones
from screens.view import View

KINDS = sorted(EVENTS)
WORDS = st.text(max_size=40)
NUMBERS = st.integers(0, 2**62)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "str": WORDS,
    "int": NUMBERS,
    "bool": st.booleans(),
    "float": st.floats(0, 100),
    "int | None": st.none() | NUMBERS,
    "str | None": st.none() | WORDS,
}


def any_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{field.name: BY_TYPE[str(field.type)] for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_sentence_of_its_own(kind: str) -> None:
    plain: dict[str, Any] = {
        "str": "some",
        "int": 3,
        "bool": True,
        "float": 1.0,
        "int | None": None,
        "str | None": None,
    }
    event = EVENTS[kind](**{field.name: plain[str(field.type)] for field in dataclasses.fields(EVENTS[kind])})

    text, tone = told(event, View())

    assert text.strip()
    assert text != split(kind)  # what an unknown kind would say
    assert tone in tones("dark")
    assert topic_of(kind) in TOPICS


@given(event=st.sampled_from(KINDS).flatmap(lambda kind: any_of(EVENTS[kind])), width=st.integers(0, 200))
def test_no_fields_break_a_line(event: Event, width: int) -> None:
    line = event_line(Recorded(1, event), View(), width)

    assert width_of(line) <= width
    assert not any(letter in text for text, _ in line for letter in "\x1b\n\x07")


def test_what_only_keeps_figures_up_to_date_is_quiet() -> None:
    quiet = {kind for kind in KINDS if is_quiet(object.__new__(EVENTS[kind]))}

    assert quiet == {"QueueSampled", "SlotTaken", "SlotSettled", "LedgerSyncSampled", "AnswersKept"}


def test_topics_follow_what_an_event_is_about() -> None:
    about = {kind: topic_of(kind) for kind in ("CallSettled", "BudgetWarned", "BreakerChanged", "DeliveryMoved")}

    assert about == {
        "CallSettled": "calls",
        "BudgetWarned": "money",
        "BreakerChanged": "providers",
        "DeliveryMoved": "campaigns",
    }
    assert topic_of("EngineStarted") == topic_of("SomethingOfANewerEngine") == "engine"
