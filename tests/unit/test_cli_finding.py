"""`huntaze campaign why`: a delivery by its id, its fan, ACCOUNT/FAN or a name; the candidates where several fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import MINUTE
from engine.surface.commands import Command, Done
from engine.surface.queries import ListDeliveries, Page, Query
from engine.surface.rows import DeliveryRow
from engine.surface.snapshot import AccountView, CampaignView, Snapshot
from huntaze_console.cli.finding import newest_delivery

ROW = DeliveryRow(
    delivery_id="dlv_1-000001",
    campaign_id="cmp_1",
    account_id="anna",
    fan_id="fan-1",
    fan_name="Bea",
    state="skipped",
    reason="",
    text="",
    text_digest="",
    platform_id="",
    attempts=0,
    cost=0,
    changed_at=100,
)
ROWS = (
    ROW,
    replace(ROW, delivery_id="dlv_2-000001", campaign_id="cmp_2", changed_at=200),
    replace(ROW, delivery_id="dlv_1-000002", fan_id="fan-2", fan_name="Bea Maria", changed_at=300),
    replace(ROW, delivery_id="dlv_3-000001", campaign_id="cmp_3", account_id="bella", fan_id="both", fan_name="Cleo"),
    replace(ROW, delivery_id="dlv_1-000003", fan_id="both", fan_name="Cleo"),
)
STATE = Snapshot(
    accounts={"bella": AccountView(account_id="bella", name="Bella B", limit=10, window=MINUTE)},
    campaigns={
        f"cmp_{number}": CampaignView(campaign_id=f"cmp_{number}", name=name, account_id="anna", tool="m", state="done")
        for number, name in enumerate(("Spring", "Summer", "Summer"), start=1)
    },
)


@dataclass
class Deliveries:
    """An engine that lists these rows, as the real one does: a name is found by any part of it."""

    rows: Sequence[DeliveryRow] = ROWS

    def snapshot(self) -> Snapshot:
        return STATE

    def query(self, query: Query) -> Page[Any]:
        assert isinstance(query, ListDeliveries)
        found = [
            row
            for row in self.rows
            if query.campaign_id in ("", row.campaign_id)
            and query.fan_id in ("", row.fan_id)
            and query.delivery_id in ("", row.delivery_id)
            and all(term.removeprefix("fan:").casefold() in row.fan_name.casefold() for term in query.find)
        ]
        return Page(tuple(found))

    def submit(self, command: Command) -> Done:
        raise AssertionError(command)


@pytest.mark.parametrize(
    ("said", "campaign", "delivery"),
    [
        ("dlv_1-000001", "", "dlv_1-000001"),
        ("anna/fan-1", "", "dlv_2-000001"),  # the newest
        ("anna/fan-1", "spring", "dlv_1-000001"),
        ("fan-1", "cmp_1", "dlv_1-000001"),
        ("bea", "", "dlv_2-000001"),  # the whole name before a part of one
        ("maria", "", "dlv_1-000002"),
        ("anna/bea", "", "dlv_2-000001"),
        ("bella/both", "", "dlv_3-000001"),
        ("Bella B/Cleo", "", "dlv_3-000001"),
    ],
)
def test_a_delivery_is_found_by_what_a_person_knows_of_it(said: str, campaign: str, delivery: str) -> None:
    assert newest_delivery(Deliveries(), said, campaign).delivery_id == delivery


@pytest.mark.parametrize("said", ["both", "cleo", "c"])
def test_several_fans_are_named_instead_of_one_guessed(said: str) -> None:
    with pytest.raises(CommandRefused, match="2 fans are meant") as refused:
        newest_delivery(Deliveries(), said)

    assert refused.value.reason is Refusal.CONFLICT
    assert "anna/both (Cleo)" in refused.value.message
    assert "bella/both (Cleo)" in refused.value.message


@pytest.mark.parametrize(("said", "campaign"), [("nobody", ""), ("anna/nobody", ""), ("bella/fan-1", ""), ("bea", "x")])
def test_nobody_is_not_found(said: str, campaign: str) -> None:
    with pytest.raises(CommandRefused) as refused:
        newest_delivery(Deliveries(), said, campaign)

    assert refused.value.reason is Refusal.NOT_FOUND


def test_campaigns_of_the_same_name_are_told_apart_by_their_ids() -> None:
    with pytest.raises(CommandRefused, match="2 campaigns are named summer: cmp_2, cmp_3"):
        newest_delivery(Deliveries(), "bea", "summer")
