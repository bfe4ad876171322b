"""What a recording answers when a screen asks for more than the snapshot: what its events tell up to this moment.

Answers reach back to the recording's beginning and no further. What no event tells is refused, never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from engine import events
from engine.events import Event, Recorded, to_fields
from engine.kernel.errors import CommandRefused, Refusal
from engine.surface import queries
from engine.surface.queries import Page, Query
from engine.surface.rows import AlertRow, BreakdownRow, BreakerRow, CallRow, DeliveryRow, EventRow
from engine.surface.snapshot import CampaignView, Snapshot
from screens.recording.reading import Recording

_BLOCK = 1_000  # events looked through at once
_LOOKED = 100_000  # events looked through for one answer, going back from the moment shown
_NO = "this is not in the recording"
_FIELDS = {"fan": "fan_id"}
_DIMENSIONS = {"campaign": "campaign_id", "account": "account_id", "tenant": "tenant_id", "user": "user_id"}


class Answers:
    """Answers of one recording. Slow for much, so not for the thread that paints."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._kinds: Mapping[type[Query], Callable[[Any, int, Snapshot], Page[Any]]] = {
            queries.ListCampaigns: self._campaigns,
            queries.GetCampaign: self._campaign,
            queries.ListCalls: self._calls,
            queries.ListAlerts: self._alerts,
            queries.ListEvents: self._events,
            queries.ListDeliveries: self._deliveries,
            queries.ListBreakers: self._breakers,
            queries.CostBreakdown: self._breakdown,
        }

    def answer(self, query: Query, position: int, snapshot: Snapshot) -> Page[Any]:
        """Raises CommandRefused for what is not in the recording."""
        kind = self._kinds.get(type(query))
        if kind is None:
            raise not_recorded()
        page = kind(query, position, snapshot)
        return Page(page.rows, page.next, snapshot.event_id)

    # ── what the snapshot tells ─────────────────────────────────────────────────────────────────────────────────────

    def _campaigns(self, query: queries.ListCampaigns, _: int, snapshot: Snapshot) -> Page[CampaignView]:
        found = [
            one
            for one in sorted(snapshot.campaigns.values(), key=lambda one: (-one.created_at, one.campaign_id))
            if query.state in ("", one.state) and query.account_id in ("", one.account_id)
        ]
        return _paged(found, query.limit, query.cursor)

    def _campaign(self, query: queries.GetCampaign, _: int, snapshot: Snapshot) -> Page[CampaignView]:
        found = snapshot.campaigns.get(query.campaign_id)
        if found is None:
            raise not_recorded()
        return Page((found,))

    def _breakers(self, _query: queries.ListBreakers, position: int, snapshot: Snapshot) -> Page[BreakerRow]:
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
                for _, model in sorted(snapshot.models.items())
            )
        )

    # ── what the events tell ────────────────────────────────────────────────────────────────────────────────────────

    def _back(self, position: int) -> Iterator[tuple[int, Recorded]]:
        """Events before a position, newest first, each with how many there are up to it."""
        least = max(0, position - _LOOKED)
        while position > least:
            start = max(least, position - _BLOCK)
            yield from reversed(self._recording.numbered(start, position))
            position = start

    def _calls(self, query: queries.ListCalls, position: int, _: Snapshot) -> Page[CallRow]:
        wanted = [(_DIMENSIONS.get(name, name), value) for name, value in query.where.items()]
        found: list[CallRow] = []
        for index, one in self._back(_before(query.cursor, position)):
            event = one.event
            if not isinstance(event, events.CallSettled):
                continue
            if any(str(getattr(event, name, "")) != value for name, value in wanted):
                continue
            found.append(_call(event))
            if len(found) == query.limit:
                return Page(tuple(found), str(index - 1))
        return Page(tuple(found))

    def _events(self, query: queries.ListEvents, position: int, snapshot: Snapshot) -> Page[EventRow]:
        found: list[EventRow] = []
        for _, one in self._back(position):
            if len(found) == query.limit or (query.after is not None and one.seq <= query.after):
                break
            event_id = f"{snapshot.epoch}:{one.seq}"
            found.append(EventRow(event_id=event_id, at=one.event.at, kind=one.kind, fields=to_fields(one.event)))
        return Page(tuple(reversed(found)))

    def _alerts(self, query: queries.ListAlerts, position: int, snapshot: Snapshot) -> Page[AlertRow]:
        resolved: dict[str, int] = {}
        found = [] if not query.open_only else [_alert(one, None) for one in snapshot.alerts.values()]
        if not query.open_only:
            for _, one in self._back(position):
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
        return _paged(sorted(found, key=lambda row: -row.opened_at), query.limit, query.cursor)

    def _deliveries(self, query: queries.ListDeliveries, position: int, _: Snapshot) -> Page[DeliveryRow]:
        """Those that moved one by one since the recording began, as they stood last."""
        texts = self._recording.texts()
        newest: dict[str, events.DeliveryMoved] = {}
        tries: Counter[str] = Counter()
        for _index, one in self._back(position):
            if isinstance(one.event, events.DeliveryMoved):
                newest.setdefault(one.event.delivery_id, one.event)
                tries[one.event.delivery_id] += one.event.after == "sending"
        found = [
            _delivery(event, tries[event.delivery_id], texts.get(event.delivery_id))
            for _id, event in sorted(newest.items())
            if query.campaign_id in ("", event.campaign_id)
            and query.state in ("", event.after)
            and query.fan_id in ("", event.fan_id)
            and query.delivery_id in ("", event.delivery_id)
        ]
        found = [row for row in found if all(_fits(row, term) for term in query.find)]
        name, down = query.order.removeprefix("-"), query.order.startswith("-")
        if name:
            found.sort(key=lambda row: str(getattr(row, _FIELDS.get(name, name), "")), reverse=down)
        if query.offset is not None:
            return Page(tuple(found[query.offset : query.offset + query.limit]))
        return _paged(found, query.limit, query.cursor)

    def _breakdown(self, query: queries.CostBreakdown, position: int, _: Snapshot) -> Page[BreakdownRow]:
        """Of the calls that were recorded; a period that began before them is not in the recording."""
        if query.from_ is None or query.from_ < self._recording.began or {"day", "hour"} & set(query.by):
            raise not_recorded()
        groups: dict[tuple[str, ...], BreakdownRow] = {}
        for _index, one in self._back(position):
            event = one.event
            if one.event.at < query.from_:
                break
            if isinstance(event, events.CallSettled) and (query.to is None or event.at < query.to):
                key = tuple(str(getattr(event, _DIMENSIONS.get(name, name), "")) for name in query.by)
                groups[key] = _summed(groups.get(key), dict(zip(query.by, key, strict=True)), event)
        return Page(tuple(sorted(groups.values(), key=lambda row: -row.cost)))


def not_recorded() -> CommandRefused:
    return CommandRefused(Refusal.NOT_FOUND, _NO, remedy="It holds what events tell; ask the engine itself")


def _before(cursor: str, position: int) -> int:
    if not cursor:
        return position
    if not cursor.isdecimal() or len(cursor) > 19:
        raise CommandRefused(Refusal.INVALID, "this is no cursor of a page before", field="cursor")
    return min(int(cursor), position)


def _paged(rows: Sequence[Any], limit: int, cursor: str) -> Page[Any]:
    start = _before(cursor, len(rows)) if cursor else 0
    end = start + limit
    return Page(tuple(rows[start:end]), str(end) if end < len(rows) else None)


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


def _fits(row: DeliveryRow, term: str) -> bool:
    """Whether a word is in a row, or with `-` is not; `field:word` looks at one field."""
    wanted = term.removeprefix("-").casefold()
    field, colon, word = wanted.partition(":")
    if colon and hasattr(row, _FIELDS.get(field, field)):
        inside = word in str(getattr(row, _FIELDS.get(field, field))).casefold()
    else:
        inside = any(wanted in str(value).casefold() for value in (row.state, row.fan_id, row.fan_name, row.reason))
        inside = inside or wanted in row.text.casefold()
    return inside is not term.startswith("-")


def _delivery(event: events.DeliveryMoved, tries: int, worded: DeliveryRow | None) -> DeliveryRow:
    return DeliveryRow(
        delivery_id=event.delivery_id,
        campaign_id=event.campaign_id,
        account_id=event.account_id,
        fan_id=event.fan_id,
        fan_name=worded.fan_name if worded else "",
        state=event.after,
        reason=event.reason,
        text=worded.text if worded else "",
        text_digest="",
        platform_id="",
        attempts=tries,
        cost=None,
        changed_at=event.at,
    )


def _summed(row: BreakdownRow | None, dimensions: Mapping[str, str], event: events.CallSettled) -> BreakdownRow:
    known = asdict(row) if row else {}
    cost, measured = event.cost or 0, event.basis == "measured"

    def added(name: str, amount: int) -> int:
        return int(known.get(name, 0)) + amount

    return BreakdownRow(
        dimensions=dimensions,
        calls=added("calls", 1),
        input_tokens=added("input_tokens", event.input_tokens),
        cached_tokens=added("cached_tokens", event.cached_tokens),
        output_tokens=added("output_tokens", event.output_tokens),
        reasoning_tokens=added("reasoning_tokens", event.reasoning_tokens),
        cost=added("cost", cost),
        measured=added("measured", cost if measured else 0),
        estimated=added("estimated", cost if event.basis == "estimated" else 0),
        measured_input_tokens=added("measured_input_tokens", event.input_tokens if measured else 0),
        measured_output_tokens=added("measured_output_tokens", event.output_tokens if measured else 0),
        unpriced_calls=added("unpriced_calls", event.cost is None),
        failed_calls=added("failed_calls", event.outcome != "ok"),
    )
