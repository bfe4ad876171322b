"""Every endpoint, in one place: method, path, handler, shapes. The server and `/openapi.json` are both made of it."""

from __future__ import annotations

from collections.abc import Mapping

from engine.surface.snapshot import Snapshot
from huntaze_console.api import (
    budgets,
    campaigns,
    costs,
    courses,
    legacy,
    middleware,
    monitoring,
    operations,
    past,
    resilience,
    routing,
    shapes,
    sse,
    watch,
    workflows,
)
from huntaze_console.api.acting_routes import ACTING
from huntaze_console.api.call import Answer, Route
from huntaze_console.api.engine_routes import ENGINE

_BUDGETS = "/api/v2/budgets"
_CAMPAIGNS = "/api/v2/campaigns"
_FLAGS = "/api/admin/feature-flags"
_CAMPAIGN = "/api/v2/campaigns/{campaign_id}"
_ROUTE = "/api/v2/routes/{tool}"


def _ok(what: str, shape: object) -> Mapping[int, Answer]:
    return {200: Answer(what=what, shape=shape)}


_CHANGED = _ok("The campaign after the change.", shapes.CampaignChanged)
_OUTCOME = _ok("It was done.", shapes.Outcome)

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/",
        handler=operations.welcome,
        summary="Where everything is",
        answers=_ok("The paths to begin with.", shapes.Welcome),
        open=True,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=operations.openapi,
        summary="This description",
        answers={200: Answer(what="An OpenAPI 3.1 document.", shape=dict)},
        open=True,
    ),
    Route(
        method="GET",
        path="/api/health/hybrid-orchestrator",
        handler=operations.health,
        summary="Whether the engine runs and what it needs answers; details only with a token",
        answers={
            200: Answer(what="It runs, and has what it needs.", shape=shapes.Health),
            503: Answer(what="It does not run, or lacks something it needs.", shape=shapes.Health),
        },
        open=True,
    ),
    # ── campaigns ──
    Route(
        method="POST",
        path=f"{_CAMPAIGNS}/hybrid",
        handler=campaigns.create,
        summary="Create a campaign, or estimate one with dry_run",
        body=shapes.CampaignRequest,
        headers={campaigns.IDEMPOTENCY_KEY: "The same key and body give the same campaign; another body, 409."},
        answers={
            200: Answer(what="A dry run: nothing was created.", shape=shapes.CampaignAccepted),
            202: Answer(what="The campaign was created.", shape=shapes.CampaignAccepted),
        },
    ),
    Route(
        method="POST",
        path="/api/campaigns",
        handler=legacy.create,
        summary="Create a campaign in the older, flat shape",
        body=legacy.LegacyCampaign,
        headers={campaigns.IDEMPOTENCY_KEY: "The same key and body give the same campaign; another body, 409."},
        answers={
            200: Answer(what="A dry run: nothing was created.", shape=legacy.LegacyAccepted),
            201: Answer(what="The campaign was created.", shape=legacy.LegacyAccepted),
        },
    ),
    Route(
        method="GET",
        path=f"{_CAMPAIGNS}/status",
        handler=campaigns.status,
        summary="One campaign, or without campaign_id a page of all, newest first",
        query=shapes.CampaignListing,
        answers=_ok("The campaign, or the page.", shapes.CampaignStatus | shapes.CampaignPage),
    ),
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/start",
        handler=campaigns.start,
        summary="Start a draft, at its time if it has one",
        body=shapes.Nothing,
        answers=_CHANGED,
    ),
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/pause",
        handler=campaigns.pause,
        summary="Pause within one message",
        body=shapes.Nothing,
        answers=_CHANGED,
    ),
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/resume",
        handler=campaigns.resume,
        summary="Go on with a paused campaign",
        body=shapes.Nothing,
        answers=_CHANGED,
    ),
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/cancel",
        handler=campaigns.cancel,
        summary="End a campaign for good; what was not sent never will be",
        body=shapes.Nothing,
        answers=_CHANGED,
    ),
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/approve",
        handler=campaigns.approve,
        summary="Approve drafted texts, each by the digest of what was read",
        body=shapes.ApprovalRequest,
        answers=_OUTCOME,
    ),
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/reject",
        handler=campaigns.reject,
        summary="Reject drafted texts",
        body=shapes.RejectionRequest,
        answers=_OUTCOME,
    ),
    Route(
        method="GET",
        path=f"{_CAMPAIGN}/deliveries",
        handler=campaigns.deliveries,
        summary="A campaign's deliveries, one per fan",
        query=shapes.DeliveryListing,
        answers=_ok("A page of deliveries.", shapes.DeliveryPage),
    ),
    Route(
        method="POST",
        path="/api/v2/deliveries/{delivery_id}/settle",
        handler=campaigns.settle,
        summary="Decide an uncertain send",
        body=shapes.SettlementRequest,
        answers=_OUTCOME,
    ),
    # ── costs ──
    Route(
        method="GET",
        path="/api/v2/costs/stats",
        handler=costs.stats,
        summary="Today and this month, by provider",
        answers=_ok("The figures.", shapes.CostStats),
    ),
    Route(
        method="GET",
        path="/api/v2/costs/breakdown",
        handler=costs.breakdown,
        summary="Sums by any dimensions over any time",
        query=shapes.BreakdownRequest,
        answers=_ok("The sums.", shapes.Breakdown),
    ),
    Route(
        method="GET",
        path=_BUDGETS,
        handler=budgets.listing,
        summary="Every hard limit: spent, held, left, and when it begins anew",
        query=budgets.BudgetListing,
        answers=_ok("The budgets.", budgets.BudgetList),
    ),
    Route(
        method="PUT",
        path=_BUDGETS,
        handler=budgets.change,
        summary="Give a hard limit or change it, at once and over the file's",
        body=budgets.BudgetRequest,
        answers=_OUTCOME,
    ),
    Route(
        method="DELETE",
        path=_BUDGETS,
        handler=budgets.remove,
        summary="Take a hard limit away, also one of the file's",
        query=budgets.BudgetNamed,
        answers=_OUTCOME,
    ),
    # ── failing models ──
    Route(
        method="GET",
        path="/api/v2/breakers",
        handler=resilience.breakers,
        summary="Each model's breaker, why it is as it is, and who holds it",
        answers=_ok("The breakers, by model.", resilience.Breakers),
    ),
    Route(
        method="POST",
        path="/api/v2/breakers/{provider}/{model}",
        handler=resilience.force,
        summary="Hold a breaker open or closed across restarts, or let it move by itself; / in a model's name is %2F",
        body=resilience.BreakerRequest,
        answers=_ok("The breaker as it stands now.", resilience.Breaker),
    ),
    Route(
        method="GET",
        path="/api/v2/recoveries",
        handler=resilience.recoveries,
        summary="How often and how fast another model took over, by tool",
        answers=_ok("The recoveries of each tool.", resilience.Recoveries),
    ),
    Route(
        method="POST",
        path="/api/v2/drill",
        handler=resilience.drill,
        summary="Rehearse a provider's outage with one small real task a tool; dry_run says what it may cost",
        body=resilience.DrillRequest,
        answers=_ok("How each tool came through.", resilience.DrillReport),
    ),
    *ACTING,
    *ENGINE,
    # ── workflows ──
    Route(
        method="GET",
        path="/api/v2/workflows",
        handler=workflows.listing,
        summary="Each campaign's way through its steps, newest first",
        query=workflows.WorkflowListing,
        answers=_ok("A page of workflows.", workflows.WorkflowPage),
    ),
    Route(
        method="GET",
        path="/api/v2/workflows/{workflow_id}",
        handler=workflows.get,
        summary="One workflow, by its own id or its campaign's",
        answers=_ok("The workflow, its steps in their order.", workflows.Workflow),
    ),
    # ── how things went ──
    Route(
        method="GET",
        path="/api/v2/costs/history",
        handler=courses.costs,
        summary="Spend in equal steps of time, as a whole and by any dimensions",
        query=courses.CostCourseRequest,
        answers=_ok("The whole first, then the dearest groups.", courses.CostCourses),
    ),
    Route(
        method="GET",
        path="/api/v2/queue/history",
        handler=courses.queues,
        summary="How deep the queues were and how long jobs waited, in equal steps of time",
        query=courses.QueueCourseRequest,
        answers=_ok("A row a queue.", courses.QueueCourses),
    ),
    Route(
        method="GET",
        path="/api/v2/traces/{trace_id}",
        handler=courses.trace,
        summary="Every attempt of one task: retries, fallbacks, what each cost, what is held",
        query=courses.TraceRequest,
        answers=_ok("The attempts, in the order they began; none, where the trace is not known.", courses.Trace),
    ),
    # ── monitoring ──
    Route(
        method="GET",
        path="/api/v2/monitoring",
        handler=monitoring.monitoring,
        summary="Rates, errors, fallbacks and latencies by endpoint, tool, provider or model",
        query=monitoring.MonitoringRequest,
        answers=_ok("The figures, most called first.", monitoring.Monitoring),
    ),
    Route(
        method="POST",
        path="/api/v2/calls/{attempt_id}/rating",
        handler=monitoring.rate,
        summary="Say what an answer was worth, by its attempt or its trace",
        body=monitoring.RatingRequest,
        answers=_ok("It is kept; another rating takes its place.", monitoring.Rating),
    ),
    Route(
        method="POST",
        path="/api/admin/test-tools",
        handler=monitoring.test_tools,
        summary="Run a tool many times at once with real calls, and report; hanging up cancels it",
        body=monitoring.TestToolsRequest,
        answers=_ok("What came of it, in single calls and in sum.", monitoring.ToolTest),
    ),
    # ── routes ──
    Route(
        method="GET",
        path="/api/v2/routes",
        handler=routing.listing,
        summary="How each tool's models are chosen",
        answers=_ok("The routes.", routing.ToolRoutes),
    ),
    Route(
        method="GET",
        path=_ROUTE,
        handler=routing.find,
        summary="How one tool's models are chosen",
        answers=_ok("The route.", routing.ToolRoute),
    ),
    Route(
        method="PUT",
        path=_ROUTE,
        handler=routing.change,
        summary="Change a tool's route, over the file and across restarts",
        body=routing.RouteRequest,
        answers=_ok("The route after the change.", routing.RouteChanged),
    ),
    Route(
        method="DELETE",
        path=_ROUTE,
        handler=routing.reset,
        summary="Let the configuration file decide over a tool again",
        body=shapes.Nothing,
        answers=_ok("The route after the change.", routing.RouteChanged),
    ),
    Route(
        method="GET",
        path=f"{_ROUTE}/explain",
        handler=routing.explain,
        summary="Whom a task of a tool would be given to now, and why nobody else",
        query=routing.ExplainRequest,
        answers=_ok("The candidates, in the order they would be asked.", routing.Explanation),
    ),
    # ── kept answers, flags, trials ──
    Route(
        method="GET",
        path="/api/v2/cache",
        handler=middleware.cache,
        summary="The answers that are kept, and what they and shared calls have saved today",
        answers=_ok("The figures.", middleware.CacheStatus),
    ),
    Route(
        method="POST",
        path="/api/v2/cache/clear",
        handler=middleware.clear,
        summary="Forget kept answers: a tenant's, or everybody's",
        body=middleware.ClearRequest,
        answers=_OUTCOME,
    ),
    Route(
        method="GET",
        path=_FLAGS,
        handler=middleware.flags,
        summary="The feature flags as they stand",
        answers=_ok("The flags.", middleware.Flags),
    ),
    Route(
        method="PUT",
        path=_FLAGS,
        handler=middleware.set_flags,
        summary="Change feature flags while running, all or none",
        body=middleware.FlagsRequest,
        answers=_ok("All flags after the change.", middleware.Flags),
    ),
    Route(
        method="GET",
        path="/api/v2/shadow",
        handler=middleware.shadows,
        summary="The models on trial beside those that answer, and how they compare",
        answers=_ok("The trials.", middleware.Shadows),
    ),
    Route(
        method="PUT",
        path="/api/v2/shadow/{tool}",
        handler=middleware.set_shadow,
        summary="Try a model on a part of a tool's tasks, or end that",
        body=middleware.ShadowRequest,
        answers=_OUTCOME,
    ),
    # ── the surface itself ──
    Route(
        method="GET",
        path="/api/v2/snapshot",
        handler=past.snapshot,
        summary="The whole engine at one moment, now or before; amounts in nano-dollars, instants in nanoseconds",
        query=past.SnapshotRequest,
        answers=_ok("The snapshot, and the engine's clock in X-Huntaze-Now (nanoseconds).", Snapshot),
    ),
    Route(
        method="GET",
        path="/api/v2/events/history",
        handler=past.history,
        summary="What happened between two moments, as far back as the log is kept",
        query=past.HistoryRequest,
        answers=_ok("A page of events, oldest first.", past.PastEvents),
    ),
    Route(
        method="GET",
        path="/api/v2/events",
        handler=sse.events,
        summary="What happens, as it happens, resumed without a gap",
        headers={sse.LAST_EVENT_ID: "The id of the last event seen, as <epoch>:<seq>; the stream goes on behind it."},
        answers={
            200: Answer(
                what=(
                    "Frames of id, event (its kind) and data ({seq, kind, fields}). `event: reset` means: fetch the "
                    "snapshot again, events were missed; `event: end` ({reason}) that the token was revoked."
                ),
                media_type="text/event-stream",
            )
        },
    ),
    Route(
        method="GET",
        path="/api/v2/watch",
        handler=watch.changes,
        summary="The snapshot, then what changes in it, many events at a time: for this product's own faces",
        headers={sse.LAST_EVENT_ID: "The id of the newest event seen, as <epoch>:<seq>; those since are given too."},
        answers={
            200: Answer(
                what=(
                    "Frames of id, event and data: `snapshot` (the whole), then `change` (a patch, the newest events, "
                    "and how many were left out). A comment comes when nothing has for a quarter of a second. `end` "
                    "({reason}) says that the token was revoked."
                ),
                media_type="text/event-stream",
            )
        },
    ),
    Route(
        method="POST",
        path="/api/v2/query",
        handler=operations.query,
        summary="Any query by its name, for this product's own faces",
        body=shapes.WireQuery,
        answers=_ok("A page of rows.", shapes.WirePage),
        asks=True,
    ),
    Route(
        method="POST",
        path="/api/v2/command",
        handler=operations.command,
        summary="Any command by its name, for this product's own faces",
        body=shapes.WireCommand,
        answers=_ok("It was done.", shapes.WireDone),
    ),
)
