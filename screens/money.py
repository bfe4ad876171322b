"""Changing hard limits and thresholds from a screen: the small forms, and what each would do."""

from __future__ import annotations

from collections.abc import Mapping

from engine.surface.commands import RemoveBudget, SetBudget, SetThreshold
from engine.surface.queries import PreviewBudget, PreviewThreshold
from engine.surface.rows import BudgetRow
from engine.surface.snapshot import Snapshot
from screens.acting import Acting
from screens.drafting import dollars
from screens.effects import budget_effect, threshold_effect
from screens.formatting import clean
from screens.widgets.asking import Entry, Values

_SCOPES = ("global", "tenant", "campaign", "account", "user", "provider")
_WINDOWS = ("hour", "day", "month", "total")
_ACTIONS = ("clamp", "downgrade", "throttle", "stop")


def plain_dollars(amount: int | None) -> str:
    """An amount as it is typed: 50, 12.5."""
    if amount is None:
        return ""
    whole, rest = divmod(amount, 1_000_000_000)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") if rest else str(whole)


def amount_of(values: Values, name: str) -> int:
    """The nano-dollars of a field that was checked."""
    found = dollars(values[name])
    return found if isinstance(found, int) else 0


def whose(row: BudgetRow) -> str:
    """Whose a budget is, by its id."""
    return clean(f"{row.scope} {row.key}" if row.key else "everything", longest=120)


def _per(window: str) -> str:
    return "in all" if window == "total" else f"by the {window}"


def change_budget(screen: Acting, row: BudgetRow, owner: str) -> None:
    """Another limit in place of the one there is."""

    async def preview(values: Values) -> str:
        query = PreviewBudget(scope=row.scope, key=row.key, window=row.window, limit=amount_of(values, "limit"))
        return budget_effect((await screen.rows(query))[0], screen.view.now, screen.view.zone)

    screen.ask(
        f"How much may {owner} spend {_per(row.window)}?",
        (Entry(name="limit", label="limit, $", value=plain_dollars(row.limit)),),
        lambda values: SetBudget(
            scope=row.scope,
            key=row.key,
            window=row.window,
            limit=amount_of(values, "limit"),
            actor=screen.actor,
        ),
        check=lambda values: _wrong_sum(values, "limit"),
        preview=preview,
        go="set it",
    )


def new_budget(screen: Acting, snapshot: Snapshot) -> None:
    """A limit where there was none."""

    def check(values: Values) -> Mapping[str, str]:
        wrong = dict(_wrong_sum(values, "limit"))
        if values["scope"] not in _SCOPES:
            wrong["scope"] = f"one of {', '.join(_SCOPES)}"
        elif (values["scope"] == "global") == bool(values["key"]):
            wrong["key"] = "global has no id" if values["key"] else f"the id of the {values['scope']}"
        if values["window"] not in _WINDOWS:
            wrong["window"] = f"one of {', '.join(_WINDOWS)}"
        if any(action not in _ACTIONS for action in _listed(values["actions"])) or not _listed(values["actions"]):
            wrong["actions"] = f"any of {', '.join(_ACTIONS)}, in the order they are tried"
        return wrong

    async def preview(values: Values) -> str:
        query = PreviewBudget(
            scope=values["scope"], key=values["key"], window=values["window"], limit=amount_of(values, "limit")
        )
        return budget_effect((await screen.rows(query))[0], screen.view.now, screen.view.zone)

    providers = {model.provider for model in snapshot.models.values()}
    known = (*sorted(snapshot.accounts), *sorted(providers), *snapshot.campaigns)
    screen.ask(
        "Give a hard limit. No call is made that could overspend it.",
        (
            Entry(name="scope", label="of", value="global", known=_SCOPES),
            Entry(name="key", label="its id", hint="none for global", known=known),
            Entry(name="window", label="by the", value="day", known=_WINDOWS),
            Entry(name="limit", label="limit, $", hint="50.00"),
            Entry(name="actions", label="does not fit", value="stop", known=_ACTIONS),
        ),
        lambda values: SetBudget(
            scope=values["scope"],
            key=values["key"],
            window=values["window"],
            limit=amount_of(values, "limit"),
            actions=_listed(values["actions"]),
            actor=screen.actor,
        ),
        check=check,
        preview=preview,
        go="give it",
    )


def take_budget(screen: Acting, row: BudgetRow) -> None:
    """No limit any more: asked under what that would do."""

    async def effect() -> str:
        query = PreviewBudget(scope=row.scope, key=row.key, window=row.window)
        return budget_effect((await screen.rows(query))[0], screen.view.now, screen.view.zone)

    command = RemoveBudget(scope=row.scope, key=row.key, window=row.window, actor=screen.actor)
    screen.confirm_effect(f"Take the limit of {whose(row)} by the {row.window} away?", command, effect)


def change_threshold(screen: Acting, period: str, limit: int | None) -> None:
    """Another sum from which on an alert is critical."""

    def sums(values: Values) -> tuple[int | None, int | None]:
        """The day's and the month's; None for the one that stays."""
        amount = amount_of(values, "limit")
        return (amount, None) if period == "day" else (None, amount)

    async def preview(values: Values) -> str:
        day, month = sums(values)
        return threshold_effect(await screen.rows(PreviewThreshold(day=day, month=month)))

    def make(values: Values) -> SetThreshold:
        day, month = sums(values)
        return SetThreshold(day=day, month=month, actor=screen.actor)

    screen.ask(
        f"From which sum of a {period} on is an alert critical? It stops nothing.",
        (Entry(name="limit", label=f"a {period}, $", value=plain_dollars(limit), hint="50.00"),),
        make,
        check=lambda values: _wrong_sum(values, "limit"),
        preview=preview,
        go="set it",
    )


def take_threshold(screen: Acting, period: str) -> None:
    """No alert from any sum on: asked under what that would do."""
    day, month = (0, None) if period == "day" else (None, 0)

    async def effect() -> str:
        return threshold_effect(await screen.rows(PreviewThreshold(day=day, month=month)))

    command = SetThreshold(day=day, month=month, actor=screen.actor)
    screen.confirm_effect(f"Alert no more however much a {period} costs?", command, effect)


def _wrong_sum(values: Values, name: str) -> Mapping[str, str]:
    found = dollars(values[name])
    if found is None:
        return {name: "dollars such as 50.00"}
    return {name: found} if isinstance(found, str) else {}


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
