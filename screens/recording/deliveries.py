"""The deliveries that a recording knows: those that moved one by one in it, as they stood last."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from engine.events import DeliveryMoved
from engine.surface.finding import matching
from engine.surface.queries import ListDeliveries, Page
from engine.surface.rows import DeliveryRow
from screens.recording.reading import Recording
from screens.recording.refusing import not_recorded, paged

_FROM_ITS_MOVE = "Each is known from its first own move on; how many are where is told above"
_RISKS = ("high", "medium", "low", "none", "")  # the gravest first


class Deliveries:
    """Thread-safe. Going on costs what happened meanwhile, going back what happened since the beginning."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._position = 0
        self._newest: dict[str, DeliveryMoved] = {}
        self._tries: Counter[str] = Counter()
        self._lock = threading.Lock()

    def listing(self, query: ListDeliveries, position: int) -> Page[DeliveryRow]:
        with self._lock:
            self._go_to(position)
            found = [self._row(event) for event in self._newest.values() if _asked_for(query, event)]
        if not found and query.campaign_id and not (query.state or query.fan_id or query.delivery_id):
            raise not_recorded("none of its deliveries has moved by itself yet: they are", _FROM_ITS_MOVE)
        found = matching(found, query.find)
        name, down = query.order.removeprefix("-"), query.order.startswith("-")
        found.sort(key=lambda row: row.delivery_id)
        if name:
            found.sort(key=lambda row: _ordered(row, name), reverse=down)
        if query.offset is not None:
            return Page(tuple(found[query.offset : query.offset + query.limit]), total=len(found))
        return paged(found, query.limit, query.cursor)

    def _go_to(self, position: int) -> None:
        if position < self._position:
            self._position, self._newest, self._tries = 0, {}, Counter()
        for _, one in self._recording.found(self._position, position, b"DeliveryMoved"):
            if isinstance(one.event, DeliveryMoved):
                self._newest[one.event.delivery_id] = one.event
                self._tries[one.event.delivery_id] += one.event.after == "sending"
        self._position = position

    def _row(self, event: DeliveryMoved) -> DeliveryRow:
        worded = self._recording.texts().get(event.delivery_id)
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
            attempts=self._tries[event.delivery_id],
            cost=None,
            changed_at=event.at,
            risk=worded.risk if worded else "",
            risk_reason=worded.risk_reason if worded else "",
        )


def _asked_for(query: ListDeliveries, event: DeliveryMoved) -> bool:
    return (
        query.campaign_id in ("", event.campaign_id)
        and query.state in ("", event.after)
        and query.fan_id in ("", event.fan_id)
        and query.delivery_id in ("", event.delivery_id)
    )


def _ordered(row: DeliveryRow, name: str) -> Any:
    if name == "fan":
        return row.fan_name or row.fan_id
    value = getattr(row, name, "")
    if name == "risk":
        return _RISKS.index(value) if value in _RISKS else len(_RISKS)
    return (value is None, "" if value is None else value)
