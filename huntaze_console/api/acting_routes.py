"""The endpoints that say what an act would do, why a message was not sent, and those of thresholds."""

from __future__ import annotations

from collections.abc import Mapping

from huntaze_console.api import effects, middleware, resilience, shapes, thresholds
from huntaze_console.api.call import Answer, Route

_CAMPAIGN = "/api/v2/campaigns/{campaign_id}"
_THRESHOLDS = "/api/v2/costs/thresholds"


def _ok(what: str, shape: object) -> Mapping[int, Answer]:
    return {200: Answer(what=what, shape=shape)}


_OUTCOME = _ok("It was done.", shapes.Outcome)
_WHO = _ok("Whom each tool's tasks would go to.", effects.RouteEffects)

ACTING: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/schedule",
        handler=effects.schedule,
        summary="Start a draft at a time, or move the start of what has sent nothing yet",
        body=effects.ScheduleRequest,
        answers=_OUTCOME,
    ),
    Route(
        method="POST",
        path=f"{_CAMPAIGN}/settle",
        handler=effects.settle_many,
        summary="Decide several uncertain sends of a campaign alike, all or none",
        body=effects.SettleManyRequest,
        answers=_OUTCOME,
    ),
    Route(
        method="POST",
        path="/api/v2/campaigns/messages",
        handler=effects.messages,
        summary="What a draft would give its fans, one by one",
        body=effects.MessagesRequest,
        answers=_ok("The messages, or what the model would be asked.", effects.FanMessages),
        asks=True,
    ),
    Route(
        method="GET",
        path="/api/v2/deliveries/{delivery_id}/why",
        handler=effects.why,
        summary="Why one message was not sent, and what helps",
        answers=_ok("A sentence, and the facts behind it.", effects.Why),
    ),
    Route(
        method="POST",
        path="/api/v2/budgets/preview",
        handler=effects.budget,
        summary="What a limit, or taking it away, would do",
        body=effects.BudgetPreview,
        answers=_ok("The limit as it is and as it would be.", effects.BudgetEffect),
        asks=True,
    ),
    Route(
        method="POST",
        path="/api/v2/routes/{tool}/preview",
        handler=effects.route,
        summary="Whom a tool's tasks would go to after a change",
        body=effects.RoutePreview,
        answers=_WHO,
        asks=True,
    ),
    Route(
        method="POST",
        path="/api/v2/breakers/{provider}/{model}/preview",
        handler=effects.breaker,
        summary="Whom tasks would go to with a breaker held so",
        body=resilience.BreakerRequest,
        answers=_WHO,
        asks=True,
    ),
    Route(
        method="POST",
        path="/api/admin/feature-flags/preview",
        handler=effects.flags,
        summary="For how many of the users of the last 7 days flags would be on after a change",
        body=middleware.FlagsRequest,
        answers=_ok("A row for each flag, in the order given.", effects.FlagEffects),
        asks=True,
    ),
    Route(
        method="POST",
        path="/api/v2/shadow/{tool}/preview",
        handler=effects.shadow,
        summary="What a trial of a model would try a day, and what that would cost at most",
        body=middleware.ShadowRequest,
        answers=_ok("By the tool's tasks of the last 24 hours.", effects.ShadowEffect),
        asks=True,
    ),
    Route(
        method="GET",
        path=_THRESHOLDS,
        handler=thresholds.listing,
        summary="From which sum of a day and of a month on an alert is critical",
        answers=_ok("Both thresholds.", thresholds.ThresholdList),
    ),
    Route(
        method="PUT",
        path=_THRESHOLDS,
        handler=thresholds.change,
        summary="Change thresholds at once and over the file's, or with dry_run see what that would do",
        body=thresholds.ThresholdRequest,
        answers=_ok("The thresholds after the change.", thresholds.ThresholdsChanged),
    ),
    Route(
        method="DELETE",
        path=_THRESHOLDS,
        handler=thresholds.reset,
        summary="Let the configuration file decide over both thresholds again",
        body=shapes.Nothing,
        answers=_ok("The thresholds after the change.", thresholds.ThresholdsChanged),
    ),
)
