"""The endpoints of the engine itself: limits, queues, alerts and silences, the audit, the emergency stop."""

from __future__ import annotations

from collections.abc import Mapping

from huntaze_console.api import audit, logs, operations, shapes, silences
from huntaze_console.api.call import Answer, Route

_AUDIT = "/api/v2/audit"
_SILENCES = "/api/v2/alerts/silences"


def _ok(what: str, shape: object) -> Mapping[int, Answer]:
    return {200: Answer(what=what, shape=shape)}


_OUTCOME = _ok("It was done.", shapes.Outcome)

ENGINE: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v2/limits",
        handler=operations.limits,
        summary="Each account's messages left, and what is used of the limits on calls",
        answers=_ok("The limits.", shapes.Limits),
    ),
    Route(
        method="GET",
        path="/api/v2/queue",
        handler=operations.queue,
        summary="Each queue's depth and age",
        answers=_ok("The queues.", shapes.Queues),
    ),
    Route(
        method="GET",
        path="/api/v2/alerts",
        handler=operations.alerts,
        summary="Open alerts, or their history",
        query=shapes.AlertListing,
        answers=_ok("A page of alerts, newest first.", shapes.AlertPage),
    ),
    Route(
        method="POST",
        path="/api/v2/alerts/{alert_id}/acknowledge",
        handler=operations.acknowledge,
        summary="Say that somebody is looking at it",
        body=shapes.Nothing,
        answers=_OUTCOME,
    ),
    Route(
        method="GET",
        path=_SILENCES,
        handler=silences.listing,
        summary="What keeps alerts from notifying anybody, and until when",
        query=silences.SilenceListing,
        answers=_ok("A page of silences.", silences.SilencePage),
    ),
    Route(
        method="POST",
        path=_SILENCES,
        handler=silences.create,
        summary="Let alerts that match notify nobody for a while; they open and show all the same",
        body=silences.SilenceRequest,
        answers={201: Answer(what="They are silenced.", shape=silences.Silenced)},
    ),
    Route(
        method="DELETE",
        path=f"{_SILENCES}/{{silence_id}}",
        handler=silences.end,
        summary="End a silence now: what it covered and is still open notifies",
        answers=_OUTCOME,
    ),
    Route(
        method="GET",
        path="/api/v2/logs",
        handler=logs.listing,
        summary="The engine's own log, oldest first: its newest records, without secrets",
        query=logs.LogListing,
        answers=_ok("A page of records.", logs.LogPage),
    ),
    Route(
        method="GET",
        path=_AUDIT,
        handler=audit.listing,
        summary="Who asked what of the engine, newest first, what it changed, and whether it can be undone",
        query=audit.AuditListing,
        answers=_ok("A page of actions.", audit.ActionPage),
    ),
    Route(
        method="POST",
        path=f"{_AUDIT}/{{audit_id}}/undo",
        handler=audit.undo,
        summary="Put back what an action changed, unless it changed again since",
        body=shapes.Nothing,
        answers=_ok("It is as it was before.", audit.Undone),
    ),
    Route(
        method="POST",
        path="/api/v2/stop",
        handler=operations.stop,
        summary="Stop all sending at once and across restarts",
        body=shapes.Nothing,
        answers=_OUTCOME,
    ),
    Route(
        method="POST",
        path="/api/v2/resume",
        handler=operations.resume,
        summary="Let messages go out again",
        body=shapes.Nothing,
        answers=_OUTCOME,
    ),
)
