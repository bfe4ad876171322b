"""Costs, campaigns, the audit and their tables, as a tired operator uses them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.surface import commands
from engine.surface.finding import matching
from engine.surface.queries import CostBreakdown, ListAudit, ListDeliveries, Page, Query
from engine.surface.rows import AuditRow, BreakdownRow
from tests.screens.harness import Console, console
from tests.screens.rig_source import acting, looking, until
from tests.screens.scripted import ScriptedSource, delivery

# ── costs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "keys", [(), ("o", "o"), ("o", "o", "O")], ids=["as it came", "dearest first", "cheapest first"]
)
async def test_what_is_of_no_campaign_says_so_and_stands_below_the_campaigns(keys: tuple[str, ...]) -> None:
    source = ScriptedSource()
    made = source.rows[CostBreakdown]

    def rows(query: CostBreakdown) -> list[BreakdownRow]:
        found = made(query)
        return [replace(found[0], dimensions=dict.fromkeys(query.by, "")), *found[1:]]

    source.rows[CostBreakdown] = rows
    async with console(source) as running:
        await running.press("2", "b", "b", "b", *keys)

        lines = running.lines()
        heading = next(at for at, line in enumerate(lines) if line.startswith(" what"))
        shown = [line.strip("▌ ").split("  ")[0] for line in lines[heading + 1 : heading + 6]]
        assert shown[-1] == "no campaign"
        assert "no campaign" not in shown[:-1]


# ── campaigns ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_states_of_a_campaign_are_stepped_through_where_there_is_a_delivery() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "down", "enter")
        assert "all 1,021" in running.text()
        states = []
        for _ in range(7):
            await running.press("v")
            states.append(running.lines()[0].split(" › ")[2].split("  ")[0])

    assert states == ["uncertain", "failed", "pending", "queued", "sent", "left out", "all"]


async def test_a_state_that_empties_while_it_is_looked_at_is_left_by_the_same_key() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("6", "down", "enter", "v")
        spring = source.shown.campaigns["cmp_1"]
        left = {**spring.counts, "uncertain": 0}
        source.become(campaigns={**source.shown.campaigns, "cmp_1": replace(spring, counts=left)})
        await running.settle()
        assert "? 0 uncertain" in running.text()

        await running.press("v")
        assert "› failed" in running.lines()[0]
        assert "uncertain" not in running.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_state_is_cut_off_where_one_is_chosen(size: tuple[int, int]) -> None:
    source = ScriptedSource()
    spring = source.shown.campaigns["cmp_1"]
    words = {
        "drafted": "to approve", "uncertain": "uncertain", "failed": "failed", "pending": "pending",
        "approved": "approved", "queued": "queued", "sending": "sending", "sent": "sent", "rejected": "rejected",
        "expired": "expired",
    }  # fmt: skip
    source.become(campaigns={"cmp_1": replace(spring, counts=dict.fromkeys(words, 54_321))})
    async with console(source, size=size) as running:
        await running.press("6", "enter")

        assert [word for word in words.values() if f"54,321 {word}" not in running.text()] == []


async def test_a_delivery_names_its_campaign_and_account_and_says_since_when_it_is_so() -> None:
    async with console() as running:
        await running.press("6", "down", "enter")
        assert "since 14:32" in running.text()

        await running.press("enter")
        assert "spring-ppv (cmp_1)" in running.text()
        assert "anna (acc_anna)" in running.text()


async def test_a_fans_deliveries_are_found_by_the_campaigns_name() -> None:
    source = ScriptedSource()
    source.rows[ListDeliveries] = lambda query: [delivery(0, campaign="cmp_1"), delivery(1, campaign="cmp_2")]
    async with console(source) as running:
        await running.press("colon")
        await running.type("fan fan_00001")
        await running.press("enter", "slash")
        await running.type("spring-ppv")

        assert "1 of 2 match spring-ppv" in running.text()


# ── the filter ──────────────────────────────────────────────────────────────────────────────────────────────────────


class SlowSource(ScriptedSource):
    """Rows of a campaign, whose answers come when they are let through."""

    def __init__(self, number: int) -> None:
        super().__init__()
        names = ("Anna", "Annika", "Bea", "Berta")
        self.all = [replace(delivery(at), fan_name=names[at % 4], text="", reason="") for at in range(number)]
        self.open = asyncio.Event()
        self.open.set()

    async def query(self, query: Query) -> Page[Any]:
        if not isinstance(query, ListDeliveries) or query.offset is None:
            return await super().query(query)
        self.asked.append(query)
        found = matching(self.all, query.find)
        await self.open.wait()
        return Page(tuple(found[query.offset : query.offset + query.limit]), total=len(found))

    @property
    def finds(self) -> list[tuple[str, ...]]:
        return [query.find for query in self.asked if isinstance(query, ListDeliveries)]


@asynccontextmanager
async def filtering(source: SlowSource) -> AsyncIterator[Console]:
    """One campaign's deliveries with the filter open and all answered; from here on no answer comes."""
    async with console(source) as running:
        await running.press("6", "down", "enter", "slash")
        source.open.clear()
        yield running
        source.open.set()


async def test_a_letter_more_narrows_what_is_here_before_the_engine_answers() -> None:
    source = SlowSource(40)
    async with filtering(source) as running:
        await running.type("ann")
        assert "20 of 40 match ann" in running.text()
        await running.type("ik")
        assert "10 of 40 match annik" in running.text()
        assert "Berta" not in running.text()

        source.all = source.all[:1]
        await running.type("a")
        source.open.set()
        await until(running, "0 of 40 match annika")

    assert source.finds[-1] == ("annika",)


async def test_what_is_not_narrower_is_asked_and_nothing_is_claimed_until_it_is_answered() -> None:
    source = SlowSource(40)
    async with filtering(source) as running:
        await running.type("ann")
        await running.press("backspace")
        assert "looking for what does match an" in running.text()

        source.open.set()
        await until(running, "40 of 40 match an")  # each fan's id has it


async def test_rows_that_are_not_all_here_are_not_narrowed() -> None:
    source = SlowSource(300)
    async with filtering(source) as running:
        await running.type("ann")
        assert "looking for what does match ann" in running.text()

        source.open.set()
        await until(running, "150 of 300 match ann")


async def test_the_answer_to_an_older_filter_is_not_taken_for_that_of_the_newer() -> None:
    source = SlowSource(300)
    async with filtering(source) as running:
        await running.type("ber")
        await running.press("backspace")
        source.open.set()
        await until(running, "150 of 300 match be")

        await running.type("a")
        await until(running, "75 of 300 match bea")
        assert "Berta" not in running.text()


# ── the audit ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_audit_shows_a_campaign_by_its_name_and_finds_it_by_its_id(tmp_path: Path) -> None:
    async with acting(tmp_path) as (play, source):
        campaign_id = await play.create()
        await play.desk.submit(commands.PauseCampaign(campaign_id=campaign_id, actor="mia"))
        await play.desk.submit(commands.HaltSending(actor="mia"))
        async with looking(source, size=(80, 24)) as running:
            await running.app.action_place("audit")
            shown = await until(running, "pause-campaign")
            assert "spring" in shown
            assert campaign_id not in shown

            await running.press("slash")
            await running.type(campaign_id)
            await running.press("enter")
            assert "halt-sending" not in running.text()
            await running.press("enter")
            assert campaign_id in await until(running, "its id")


async def test_u_on_what_cannot_be_undone_says_which_row_why_and_what_can_be(tmp_path: Path) -> None:
    async with acting(tmp_path) as (play, source):
        await play.desk.submit(commands.HaltSending(actor="mia"))
        await play.desk.submit(commands.PurgeJobs(queue="q", actor="tom"))
        async with looking(source) as running:
            await running.app.action_place("audit")
            await until(running, "purge-jobs")
            assert "u" not in running.keys

            for way in ((), ("enter",)):
                await running.press(*way, "u")
                await until(running, "2, purge-jobs, cannot be undone: deleted jobs are gone")
                (said,) = running.notices
                assert "The newest that can be is 1, halt-sending, " in said
                running.app.clear_notifications()

    assert source.commands == []


async def test_an_engine_that_cannot_tell_what_may_be_undone_is_not_believed(tmp_path: Path) -> None:
    source = ScriptedSource()
    audit = source.rows[ListAudit]

    def rows(query: ListAudit) -> list[AuditRow]:
        return list(audit(query))[2:]  # an older engine leaves nothing out

    source.rows[ListAudit] = rows
    async with console(source) as running:
        await running.app.action_place("audit")
        await running.press("u")

        (said,) = running.notices
        assert "98, purge-jobs, cannot be undone" in said
        assert "newest" not in said
