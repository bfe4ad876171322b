"""The figures of the overview's providers and alerts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.kernel.values import HOUR, NANOS_PER_USD, SECOND
from engine.surface.snapshot import AlertView, ModelView, MoneyView, Snapshot
from screens.panels import alerts, providers
from screens.view import View

NOW = 1_000_000 * SECOND


def text_of(line: tuple[tuple[str, str], ...]) -> str:
    return "".join(text for text, _ in line)


def view(**parts: object) -> View:
    fields = {"epoch": "e", "seq": 1, "money": MoneyView(today=200 * NANOS_PER_USD), **parts}
    return View(snapshot=Snapshot(**fields), now=NOW)  # type: ignore[arg-type]


def model(name: str, dollars: int) -> ModelView:
    return ModelView(
        provider="azure", model=name, today=dollars * NANOS_PER_USD, calls=1_097, latencies=(671 * SECOND,) * 20
    )


@pytest.mark.parametrize("width", [50, 56, 64, 78, 110])
def test_no_figure_of_a_provider_is_cut_or_touches_another(width: int) -> None:
    found = providers(view(models={"m": model("gpt-4o", 15)}), width, 4)

    row = text_of(found[1])
    assert "  11 m 11 s" in row
    assert len(row) <= width
    assert width < 56 or "  1,097  " in row


def test_models_that_cost_nearly_the_same_keep_their_places() -> None:
    even = {"a": model("a", 50), "b": model("b", 50)}
    ahead = {**even, "b": replace(even["b"], today=even["b"].today + 1)}

    orders = [[text_of(line)[4:11] for line in providers(view(models=each), 78, 4)[1:]] for each in (even, ahead)]

    assert orders[0] == orders[1] == ["azure a", "azure b"]


def test_an_alerts_age_says_that_it_is_the_alerts() -> None:
    alert = AlertView(
        alert_id="a", rule="queue_age", subject="q", severity="warning", opened_at=NOW - 21 * HOUR,
        summary="Work waits for 3 min: the oldest of 2,025 ready jobs of q, while 10 are worked on.",
    )  # fmt: skip

    (_, line) = alerts(view(alerts={"a": alert}), 60, 2)

    assert text_of(line).rstrip().endswith("open 21 h")
    assert "Work waits for 3 min" in text_of(line)
