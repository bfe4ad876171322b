"""What a recording answers when a screen asks for more than the snapshot: what it tells up to this moment.

Answers reach back to the recording's beginning, and further only where the recorder asked for it. What a recording does
not tell is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from engine import events
from engine.events import Event, to_fields
from engine.kernel.values import MINUTE
from engine.surface import queries
from engine.surface.queries import Page, Query
from engine.surface.rows import AlertRow, AttemptRow, BreakerRow, CallRow, EventRow
from engine.surface.snapshot import CampaignView
from screens.recording.costs import Costs
from screens.recording.deliveries import Deliveries
from screens.recording.passing import Passing
from screens.recording.player import Moment
from screens.recording.reading import Recording
from screens.recording.refusing import before, not_recorded, paged
from screens.recording.tally import Counted
from screens.recording.told import Told

_AROUND = 15 * MINUTE  # nanoseconds of a call in which the other attempts of its task ended, as the ledger has it
_UNTOLD: Mapping[type[Query], str] = {
    queries.ListGauges: "what is expected of models is",
    queries.ListPriorities: "what each priority holds is",
    queries.ListJobs: "single jobs are",
    queries.GetJob: "single jobs are",
    queries.CheckHealth: "health is",
    queries.ListAudit: "the audit is",
    queries.ListRoutes: "routes are",
    queries.ListLimits: "the use of limits is",
}
_ALERT = (b"AlertOpened", b"AlertResolved")
_DIMENSIONS = {"campaign": "campaign_id", "account": "account_id", "tenant": "tenant_id", "user": "user_id"}


class Answers:
    """Answers of one recording, each of a moment: whichever way one got there, they are the same.

    Slow for much, so not for the thread that paints. Thread-safe.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        counted = Counted(recording)
        costs, passing = Costs(recording, counted), Passing(recording, counted)
        told, deliveries = Told(recording), Deliveries(recording)
        self._kinds: Mapping[type[Query], Callable[[Any, Moment], Page[Any]]] = {
            queries.ListCampaigns: self._campaigns,
            queries.GetCampaign: self._campaign,
            queries.ListCalls: self._calls,
            queries.GetTrace: self._trace,
            queries.ListAlerts: self._alerts,
            queries.ListEvents: self._events,
            queries.ListBreakers: self._breakers,
            queries.ListDeliveries: lambda query, shown: deliveries.listing(query, shown.position),
            queries.CostBreakdown: lambda query, at: costs.breakdown(query, at.position, at.now, at.zone),
            queries.CostHistory: lambda query, at: costs.history(query, at.position, at.now, at.zone),
            queries.Monitor: lambda query, shown: passing.monitor(query, shown.position, shown.now),
            queries.MonitorHistory: lambda query, shown: passing.history(query, shown.position, shown.now),
            queries.QueueHistory: lambda query, shown: passing.depths(query, shown.position, shown.now),
            queries.ListBudgets: lambda query, shown: told.budgets(query, shown.position),
            queries.ListLogs: lambda query, shown: told.log(query, shown.snapshot.engine.started_at, shown.now),
        }

    def answer(self, query: Query, shown: Moment) -> Page[Any]:
        """Raises CommandRefused for what is not in the recording."""
        kind = self._kinds.get(type(query))
        if kind is None:
            raise not_recorded(_UNTOLD.get(type(query), "this is"))
        return replace(kind(query, shown), as_of=shown.snapshot.event_id)

    # ── what the snapshot tells ─────────────────────────────────────────────────────────────────────────────────────

    def _campaigns(self, query: queries.ListCampaigns, shown: Moment) -> Page[CampaignView]:
        found = [
            one
            for one in sorted(shown.snapshot.campaigns.values(), key=lambda one: (-one.created_at, one.campaign_id))
            if query.state in ("", one.state) and query.account_id in ("", one.account_id)
        ]
        return paged(found, query.limit, query.cursor)

    def _campaign(self, query: queries.GetCampaign, shown: Moment) -> Page[CampaignView]:
        found = shown.snapshot.campaigns.get(query.campaign_id)
        if found is None:
            raise not_recorded()
        return Page((found,))

    def _breakers(self, _: queries.ListBreakers, shown: Moment) -> Page[BreakerRow]:
        return Page(
            tuple(
                BreakerRow(
                    provider=model.provider,
                    model=model.model,
                    state=model.breaker,
                    reason=model.breaker_reason,
                    changed_at=model.breaker_since or None,
                    retry_at=model.retry_at,
                    held_by=model.breaker_held_by,
                    calls=len(model.outcomes),
                    failed=model.outcomes.count(False),
                    slow=0,
                )
                for _, model in sorted(shown.snapshot.models.items())
            )
        )

    # ── what the events tell ────────────────────────────────────────────────────────────────────────────────────────

    def _calls(self, query: queries.ListCalls, shown: Moment) -> Page[CallRow]:
        wanted = [(_DIMENSIONS.get(name, name), value) for name, value in query.where.items()]
        values = [orjson.dumps(value) for value in query.where.values()]
        end, found = before(query.cursor, shown.position), list[CallRow]()
        for position, one in self._recording.found(0, end, b"CallSettled", every=values, newest_first=True):
            event = one.event
            if not isinstance(event, events.CallSettled):
                continue
            if all(str(getattr(event, name, "")) == value for name, value in wanted):
                found.append(_call(event))
                if len(found) == query.limit:
                    return Page(tuple(found), str(position - 1))
        return Page(tuple(found))

    def _events(self, query: queries.ListEvents, shown: Moment) -> Page[EventRow]:
        found: list[EventRow] = []
        about = orjson.dumps(query.about) if query.about else b""
        for _, one in self._recording.found(0, shown.position, about, newest_first=True):
            if len(found) == query.limit or (query.after is not None and one.seq <= query.after):
                break
            event_id = f"{shown.snapshot.epoch}:{one.seq}"
            found.append(EventRow(event_id=event_id, at=one.event.at, kind=one.kind, fields=to_fields(one.event)))
        return Page(tuple(reversed(found)))

    def _alerts(self, query: queries.ListAlerts, shown: Moment) -> Page[AlertRow]:
        resolved: dict[str, int] = {}
        found = [] if not query.open_only else [_alert(one, None) for one in shown.snapshot.alerts.values()]
        if not query.open_only:
            for _, one in self._recording.found(0, shown.position, *_ALERT, newest_first=True):
                if isinstance(one.event, events.AlertResolved):
                    resolved[one.event.alert_id] = one.event.at
                elif isinstance(one.event, events.AlertOpened):
                    found.append(_alert(one.event, resolved.get(one.event.alert_id)))
            known = {row.alert_id for row in found}
            found += [
                _alert(one, resolved.get(one.alert_id))
                for one in self._recording.first.alerts.values()
                if one.alert_id not in known
            ]
        return paged(sorted(found, key=lambda row: -row.opened_at), query.limit, query.cursor)

    def _trace(self, query: queries.GetTrace, shown: Moment) -> Page[AttemptRow]:
        """The attempts that ended within a quarter of an hour of the call's; those under way are no events yet."""
        around = query.at or shown.now
        recording, word = self._recording, query.trace_id.encode()
        start, end = recording.position(around - _AROUND), min(recording.position(around + _AROUND), shown.position)
        calls: dict[str, events.CallSettled] = {}
        scores: dict[str, list[int]] = {}
        callers: dict[str, int] = {}
        for _, one in recording.found(start, end, word, b"CallRated", b"CallsShared") if query.trace_id else ():
            event = one.event
            if isinstance(event, events.CallSettled) and event.trace_id == query.trace_id:
                calls[event.attempt_id] = event
            elif isinstance(event, events.CallRated):
                scores.setdefault(event.attempt_id, []).append(event.score)
            elif isinstance(event, events.CallsShared):
                callers[event.attempt_id] = event.callers
        if not calls:
            raise not_recorded()
        rows = [_attempt(one, scores.get(name, []), callers.get(name, 0)) for name, one in calls.items()]
        return Page(tuple(sorted(rows, key=lambda row: row.began_at)))


def _call(event: events.CallSettled) -> CallRow:
    told = {name: value for name, value in to_fields(event).items() if name in CallRow.__dataclass_fields__}
    return CallRow(**{**told, "job_id": "", "price_source": "", "price_date": ""})


def _alert(one: Any, resolved_at: int | None) -> AlertRow:
    opened = one.at if isinstance(one, Event) else one.opened_at
    return AlertRow(
        alert_id=one.alert_id,
        rule=one.rule,
        subject=one.subject,
        severity=one.severity,
        summary=one.summary,
        opened_at=opened,
        resolved_at=resolved_at,
        acknowledged_by=getattr(one, "acknowledged_by", ""),
        acknowledged_at=None,
        notices=0,
        last_notice_error="",
    )


def _attempt(event: events.CallSettled, scores: Sequence[int], callers: int) -> AttemptRow:
    return AttemptRow(
        attempt_id=event.attempt_id,
        began_at=event.at - event.duration,
        ended_at=event.at,
        provider=event.provider,
        model=event.model,
        tool=event.tool,
        outcome=event.outcome,
        basis=event.basis,
        cost=event.cost,
        held=None,
        held_by=(),
        input_tokens=event.input_tokens,
        cached_tokens=event.cached_tokens,
        output_tokens=event.output_tokens,
        rating=sum(scores) / len(scores) if scores else None,
        shared_by=callers,
    )
