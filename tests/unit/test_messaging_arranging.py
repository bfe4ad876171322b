"""A listing of deliveries by offset: whatever the filter and the order, it says what sorting all rows here would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.kernel.errors import CommandRefused
from engine.messaging import arranging, deliveries
from engine.storage import Tx
from engine.surface.queries import ListDeliveries, Page
from engine.surface.rows import DeliveryRow
from tests.rig import Rig, rig

NAMES = ("Ann", "bob", "Écume", "50%_off", "Zed", "")


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        await made.create(count=30)
        await made.database.write(spread)
        yield made


def spread(tx: Tx) -> None:
    """Six names, four texts, eleven costs and two states over the campaign's rows."""
    for at, row in enumerate(tx.execute("SELECT delivery_id FROM deliveries ORDER BY 1").fetchall()):
        values = (NAMES[at % 6], f"text {at % 4}", at * 37 % 11, "sent" if at % 3 else "pending", row[0])
        tx.execute("UPDATE deliveries SET fan_name = ?, text = ?, cost = ?, state = ? WHERE delivery_id = ?", values)


async def ask(play: Rig, **how: object) -> Page[DeliveryRow]:
    (campaign,) = await play.rows("SELECT campaign_id FROM campaigns")
    query = replace(ListDeliveries(campaign_id=campaign["campaign_id"], offset=0, limit=1_000), **how)  # type: ignore[arg-type]
    async with play.database.reader() as reader:
        return await deliveries.listing(reader, query)


async def test_pages_by_offset_are_the_whole_in_order(play: Rig) -> None:
    whole = await ask(play)
    parts = [await ask(play, offset=start, limit=7) for start in range(0, 35, 7)]

    assert whole.total == 30
    assert tuple(row for part in parts for row in part.rows) == whole.rows
    assert {part.total for part in parts} == {30}


@pytest.mark.parametrize("field", ["state", "text", "reason", "attempts", "cost", "changed_at"])
async def test_any_field_sorts_both_ways(play: Rig, field: str) -> None:
    whole = (await ask(play)).rows

    up, down = (await ask(play, order=field)).rows, (await ask(play, order=f"-{field}")).rows

    assert up == tuple(sorted(whole, key=lambda row: getattr(row, field)))
    assert down == tuple(sorted(whole, key=lambda row: getattr(row, field), reverse=True))


@pytest.mark.parametrize(
    ("find", "wanted"),
    [
        (("bob",), {"bob"}),
        (("BOB",), {"bob"}),
        (("écume",), {"Écume"}),
        (("50%_",), {"50%_off"}),
        (("%",), {"50%_off"}),
        (("fan:z",), {"Zed"}),
        (("-fan:z", "-bob", "-ann", "-cume"), {"50%_off", ""}),
        (("bob", "zed"), set()),
        (("cost:nothing",), set()),
        (("a\\b",), set()),
    ],
)
async def test_words_narrow(play: Rig, find: tuple[str, ...], wanted: set[str]) -> None:
    found = await ask(play, find=find)

    assert {row.fan_name for row in found.rows} == wanted
    assert found.total == len(found.rows) == 5 * len(wanted)


async def test_many_rows_are_found_as_few_are(play: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [await ask(play, state=state, order="-cost", find=("fan:b",)) for state in ("", "sent", "pending")]

    monkeypatch.setattr(arranging, "_FEW", 2)

    assert few == [await ask(play, state=state, order="-cost", find=("fan:b",)) for state in ("", "sent", "pending")]


async def test_an_order_that_is_none_is_refused(play: Rig) -> None:
    with pytest.raises(CommandRefused, match="no order 'digest; DROP'"):
        await ask(play, order="digest; DROP")
