"""The desk's part that answers why a message was not sent: everything that stands before it, looked at in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.content import screen
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import MINUTE, SECOND, JobId, to_datetime
from engine.messaging import FanBook
from engine.queue import JobStore, JobView
from engine.storage import Database
from engine.surface import queries
from engine.surface.effects import Fact, WhyRow
from engine.surface.queries import Page, Query
from engine.surface.snapshot import AccountView, Snapshot

_FIND = """
SELECT d.*, c.name AS campaign, c.state AS campaign_state, c.reason AS campaign_reason, c.starts_at, c.starved,
       c.starved_until, c.approval, s.reason AS suppressed
FROM deliveries d JOIN campaigns c USING (campaign_id)
LEFT JOIN suppressions s ON s.account_id = d.account_id AND s.fan_id = d.fan_id
WHERE d.delivery_id = ?
"""
_BEFORE = "SELECT count(*) AS n FROM deliveries WHERE account_id = ? AND state = 'queued' AND delivery_id < ?"
_OVER = {
    "skipped": ("It was left out", "Nothing goes to this fan while that holds."),
    "rejected": ("Its text was rejected", "A new campaign can reach this fan."),
    "expired": ("Its time to be sent had passed", "A new campaign can reach this fan."),
    "cancelled": ("Its campaign was cancelled before it went out", "A new campaign can reach this fan."),
    "failed": ("It was given up", "Look at the reason; a new campaign can reach this fan."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A delivery with what stands around it."""

    row: Mapping[str, Any]
    job: JobView | None
    before: int  # messages of the account that stand before it
    snapshot: Snapshot
    now: int
    zone: ZoneInfo

    @property
    def account(self) -> AccountView:
        account_id = self.row["account_id"]
        return self.snapshot.accounts.get(account_id, AccountView(account_id=account_id))

    def clock(self, at: int) -> str:
        """A time of day in the costs' zone, with the day where it is another."""
        moment, today = to_datetime(at).astimezone(self.zone), to_datetime(self.now).astimezone(self.zone)
        return moment.strftime("%H:%M:%S" if moment - today < timedelta(hours=12) else "%Y-%m-%d %H:%M")


class Explaining:
    """A query for `EngineDesk.extend`."""

    def __init__(
        self, database: Database, jobs: JobStore, fans: FanBook, snapshot: Callable[[], Snapshot], clock: Clock
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._fans = fans
        self._snapshot = snapshot
        self._clock = clock
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.ExplainDelivery: self._explain
        }

    async def _explain(self, query: queries.ExplainDelivery) -> Page[WhyRow]:
        async with self._database.reader() as reader:
            row = await reader.row(_FIND, (query.delivery_id,))
            if row is None:
                message = f"there is no delivery {query.delivery_id!r}"
                raise CommandRefused(Refusal.NOT_FOUND, message, field="delivery_id")
            queued = row["state"] == "queued"
            before = await reader.row(_BEFORE, (row["account_id"], query.delivery_id)) if queued else None
        snapshot = self._snapshot()
        case = _Case(
            row=dict(row),
            job=await self._job(query.delivery_id, row["state"]),
            before=before["n"] if before else 0,
            snapshot=snapshot,
            now=self._clock.now(),
            zone=ZoneInfo(snapshot.engine.time_zone),
        )
        facts = tuple(_facts(case, self._consent(case)))
        answer, helps = _answer(case, facts)
        return Page((WhyRow(delivery_id=query.delivery_id, answer=answer, helps=helps, facts=facts),))

    async def _job(self, delivery_id: str, state: str) -> JobView | None:
        if state not in ("pending", "queued"):
            return None
        return await self._jobs.get(JobId(f"{'write' if state == 'pending' else 'send'}_{delivery_id}"))

    def _consent(self, case: _Case) -> Fact:
        """The suppression here, and the platform's word as it was last read."""
        row = case.row
        if row["suppressed"] is not None:
            return Fact(name="consent", verdict="stops", text=f"suppressed here: {row['suppressed']}")
        fan, read_at = self._fans.known(row["account_id"], row["fan_id"])
        if not read_at:
            text = "not suppressed here; the platform is asked again right before the send"
            return Fact(name="consent", verdict="unknown", text=text)
        when = f"by the platform's word of {case.clock(read_at)}"
        if fan is None:
            return Fact(name="consent", verdict="unknown", text=f"no fan of the account {when}")
        if fan.opted_out:
            return Fact(name="consent", verdict="stops", text=f"opted out {when}")
        return Fact(name="consent", verdict="ok", text=f"not suppressed here, not opted out {when}")


def _facts(case: _Case, consent: Fact) -> Iterator[Fact]:
    """Everything, in the order in which it stands before a message."""
    yield from (_campaign(case), _budget(case), _written(case), _moderation(case), _approval(case), consent)
    yield from (_switch(case), _account(case), _window(case), _tries(case))


def _campaign(case: _Case) -> Fact:
    row = case.row
    state = row["campaign_state"]
    words = state.replace("_", " ")
    if state == "draft":
        return Fact(name="campaign", verdict="waits", text="a draft: nobody has started it")
    if state == "paused":
        return Fact(name="campaign", verdict="waits", text=row["campaign_reason"] or "paused")
    if row["starts_at"] is not None and row["starts_at"] > case.now:
        return Fact(name="campaign", verdict="waits", text=f"starts at {case.clock(row['starts_at'])}")
    if state in ("cancelled", "failed"):
        return Fact(name="campaign", verdict="stops", text=f"{words} {row['campaign_reason']}".strip())
    return Fact(name="campaign", verdict="ok", text=words)


def _budget(case: _Case) -> Fact:
    row = case.row
    if not row["starved"]:
        return Fact(name="budget", verdict="ok", text="no budget stands in the way")
    again = f"; it begins anew at {case.clock(row['starved_until'])}" if row["starved_until"] else ""
    text = f"{row['campaign_reason'] or 'a budget has no room for another text'}{again}"
    return Fact(name="budget", verdict="waits" if row["state"] == "pending" else "ok", text=text)


def _written(case: _Case) -> Fact:
    if case.row["text"]:
        return Fact(name="text", verdict="ok", text="written")
    if case.row["state"] != "pending":
        return Fact(name="text", verdict="ok", text="never written")
    return Fact(name="text", verdict="waits", text=_job_words(case) or "waits for its turn to be written")


def _moderation(case: _Case) -> Fact:
    row = case.row
    if not row["text"]:
        if row["reason"].startswith("blocked:"):
            return Fact(name="moderation", verdict="stops", text=row["reason"])
        return Fact(name="moderation", verdict="ok", text="no text")
    if reason := screen(row["text"]):
        return Fact(name="moderation", verdict="stops", text=f"blocked: {reason}")
    risk = f"; risk {row['risk']}: the text {row['risk_reason']}" if row["risk_reason"] else ""
    return Fact(name="moderation", verdict="ok", text=f"passes the hard blocks{risk}")


def _approval(case: _Case) -> Fact:
    row = case.row
    if row["state"] == "drafted":
        return Fact(name="approval", verdict="waits", text="nobody has approved the text yet")
    if row["approved_digest"] and row["approved_digest"] != row["digest"]:
        return Fact(name="approval", verdict="stops", text="the text is not the one that was approved")
    if row["approved_digest"]:
        by_itself = row["approval"] != "required"
        return Fact(name="approval", verdict="ok", text="approved by itself" if by_itself else "approved as it stands")
    return Fact(name="approval", verdict="ok", text="not asked for yet")


def _switch(case: _Case) -> Fact:
    engine = case.snapshot.engine
    if engine.halted_by:
        text = f"all sending was stopped by {engine.halted_by} at {case.clock(engine.halted_at)}"
        return Fact(name="sending", verdict="waits", text=text)
    if engine.state in ("stopped", "draining"):
        return Fact(name="sending", verdict="waits", text=f"the engine is {engine.state}")
    return Fact(name="sending", verdict="ok", text="messages may go out")


def _account(case: _Case) -> Fact:
    if case.account.paused:
        return Fact(name="account", verdict="waits", text=f"paused: {case.account.paused}")
    return Fact(name="account", verdict="ok", text="may send")


def _window(case: _Case) -> Fact:
    account, now = case.account, case.now
    limit = f"{account.allowed(now)} messages in {account.window // SECOND} s"
    free, next_at = account.free(now), account.next_free_at(now)
    line = f", {case.before:,} messages stand before this one" if case.before and case.row["state"] == "queued" else ""
    if free or next_at is None:
        return Fact(name="window", verdict="ok", text=f"{free} of {limit} free{line}")
    return Fact(name="window", verdict="waits", text=f"full until {case.clock(next_at)} ({limit}){line}")


def _tries(case: _Case) -> Fact:
    attempts = case.row["attempts"]
    words = _job_words(case) if case.row["state"] == "queued" else ""
    if words:
        return Fact(name="tries", verdict="waits", text=words)
    return Fact(name="tries", verdict="ok", text=f"{attempts} so far")


def _job_words(case: _Case) -> str:
    """What its job waits for; empty where it waits for its turn only."""
    job = case.job
    if job is None:
        return ""
    cause = f": {job.cause}" if job.cause else ""
    if job.state == "dead":
        return f"its job failed for good after {job.attempts} tries{cause}"
    if job.state == "parked":
        return "its job is parked while the campaign does not run"
    if job.ready_at > case.now:
        return f"tried again at {case.clock(job.ready_at)}{cause}"
    return ""


# ── the sentence ────────────────────────────────────────────────────────────────────────────────────────────────────


def _answer(case: _Case, facts: Sequence[Fact]) -> tuple[str, str]:
    """One plain sentence, and what helps."""
    row = case.row
    state, reason = row["state"], row["reason"]
    at = case.clock(row["changed_at"])
    if state == "sent":
        return f"It was sent at {at}: the platform took it.", ""
    if state == "sending":
        return "It is on its way now: the platform has not answered yet.", ""
    if state == "uncertain":
        helps = "Look on the platform whether it arrived, then settle it: sent, failed or again."
        return f"Nobody knows whether it arrived: {reason or 'its answer never came'}.", helps
    if state in _OVER:
        words, helps = _OVER[state]
        return f"{words}: {reason or 'no reason was noted'}.", helps
    return _waiting(case, facts)


def _waiting(case: _Case, facts: Sequence[Fact]) -> tuple[str, str]:
    for one in facts:
        if one.verdict == "stops":
            return f"It will not be sent: {one.text}.", _HELPS.get(one.name, "")
    order: tuple[str, ...] = _ORDER
    by_name = {one.name: one for one in facts}
    if case.job is not None and case.job.state == "dead":
        order = ("text", "tries", *_ORDER)
    for name in order:
        if by_name[name].verdict == "waits":
            return f"It was not sent yet: {by_name[name].text}.", _helps(case, name)
    if case.before:
        wait = case.before * case.account.window // max(1, case.account.limit)
        about = f"{wait // MINUTE} min" if wait >= MINUTE else f"{wait // SECOND} s"
        return f"It was not sent yet: {case.before:,} messages of the account go first, about {about}.", ""
    return "It was not sent yet: nothing stands in the way, it goes out with the next free slot.", ""


def _helps(case: _Case, name: str) -> str:
    if name in ("text", "tries") and case.job is not None:
        return "Redrive or discard its job in the queue." if case.job.state == "dead" else ""
    return "Start the campaign." if case.row["campaign_state"] == "draft" and name == "campaign" else _HELPS[name]


_ORDER = ("campaign", "budget", "text", "approval", "sending", "account", "window", "tries")
_HELPS = {
    "campaign": "Resume the campaign, or move its start.",
    "budget": "Raise the budget, or wait until it begins anew.",
    "text": "",
    "approval": "Approve or reject the text.",
    "moderation": "Nobody can lift a hard block; reject the text.",
    "consent": "Nothing: the fan's word counts. A suppression made here can be lifted.",
    "sending": "Resume sending.",
    "account": "Put right what the platform objects to, then resume the account.",
    "window": "Nothing: the next slot frees by itself.",
    "tries": "",
}
