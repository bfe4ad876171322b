"""What may leave for a broker is decided for every kind of event and every field, and docs/mqtt.md says the same."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from engine import events
from engine.bus import PUBLISHED, WITHHELD, payload_of
from engine.bus.settings import MqttSettings, unfit
from engine.events import EVENTS, Event, Recorded
from tests.architecture.tree import ROOT

# What may never be named, whatever the kind: people, their words, secrets, and texts that could quote any of them.
NEVER = {"fan_id", "fan_name", "user_id", "actor", "held_by", "text", "prompt", "prefix", "error", "cause", "summary"}
# Free text where it is of the product's own making, from figures and fixed words.
OWN_WORDS = {
    "EngineDraining": "one fixed sentence",
    "FallbackTaken": "an error class",
    "ServiceLevelChanged": "figures",
    "ConcurrencyChanged": "a fixed word",
}
MARK = "sk-do-not-show-0123456789"


def test_every_kind_of_event_is_published_or_withheld_on_purpose() -> None:
    published, withheld = ({kind.__name__ for kind in kinds} for kinds in (PUBLISHED, WITHHELD))

    assert published | withheld == set(EVENTS), "a new event: decide in engine/bus/published.py"
    assert published & withheld == set()


@pytest.mark.parametrize("kind", PUBLISHED, ids=lambda kind: kind.__name__)
def test_only_fields_that_exist_and_that_are_harmless_are_published(kind: type[Event]) -> None:
    there = {field.name for field in dataclasses.fields(kind)}

    assert set(PUBLISHED[kind]) <= there
    assert "at" in PUBLISHED[kind]
    assert not set(PUBLISHED[kind]) & NEVER
    if "reason" in PUBLISHED[kind]:
        assert kind.__name__ in OWN_WORDS
    if "name" in PUBLISHED[kind]:
        assert kind is events.FlagChanged  # the product's own


@pytest.mark.parametrize("kind", PUBLISHED, ids=lambda kind: kind.__name__)
def test_a_payload_holds_the_named_fields_and_nothing_else(kind: type[Event]) -> None:
    words: dict[str, Any] = {field.name: f"{MARK}-{field.name}" for field in dataclasses.fields(kind)}

    payload = payload_of(Recorded(7, kind(**words)))

    assert payload["seq"] == 7
    assert payload["kind"] == kind.__name__
    assert tuple(payload["fields"]) == PUBLISHED[kind]
    assert set(re.findall(rf"{MARK}-(\w+)", str(payload))) == set(PUBLISHED[kind])


def test_a_persons_budget_is_told_without_the_person() -> None:
    budget: dict[str, Any] = {"window": "day", "limit": 5, "at": 1}
    theirs = events.BudgetChanged(scope="user", key="jo@example.com", **budget)
    whose = events.BudgetChanged(scope="account", key="anna", **budget)
    alert = events.AlertOpened(
        at=1, alert_id="a", rule="budget", subject="user:jo@example.com:day", severity="info", summary="jo"
    )

    assert payload_of(Recorded(1, theirs))["fields"]["key"] == ""
    assert payload_of(Recorded(1, whose))["fields"]["key"] == "anna"
    assert payload_of(Recorded(1, alert))["fields"]["subject"] == ""


def test_text_leaves_clean_and_short() -> None:
    hostile = "one\x1b[31m\u202e\n" + "x" * 10_000
    seen = events.FallbackTaken(
        at=1, tool=hostile, failed_provider="", failed_model="", provider="", model="", reason="", recovery=1
    )

    tool = payload_of(Recorded(1, seen))["fields"]["tool"]

    assert tool.startswith("one[31m xxx")
    assert len(tool) == 200


@pytest.mark.parametrize("part", ["", "a+b", "#", "a/b", "a b", "a\nb", "a\x00", "$SYS", "a\u202eb", "x" * 65])
def test_a_part_of_a_topic_means_nothing_else(part: str) -> None:
    assert unfit(part)
    with pytest.raises(ValueError, match=r"must|holds"):
        MqttSettings(host="h", node="n", fleet=part)


def test_usual_names_are_parts_of_topics() -> None:
    assert not any(map(unfit, ("default", "anna-1", "ip-10-0-0-7.eu-west-3", "Zoë", "a_b:c")))


def test_the_page_tells_every_kind_and_its_fields() -> None:
    page = (ROOT / "docs" / "mqtt.md").read_text()

    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, flags=re.MULTILINE))

    told = {kind: re.findall(r"`(\w+)`", fields) for kind, fields in rows.items() if kind in EVENTS}
    assert told == {
        kind.__name__: [name for name in names if name != "at"] if (names := PUBLISHED.get(kind)) else []
        for kind in EVENTS.values()
    }
