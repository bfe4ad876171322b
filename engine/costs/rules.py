"""What a budget says, and what is decided when a call meets the budgets that cover it. Pure.

A call that fits is held. One that only other calls' holds stand against waits. One that does not fit what is left is
treated as each budget's actions say, in their order, and where several budgets speak the strictest is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from engine.costs.windows import EVER, Window
from engine.kernel.errors import BudgetRefused, CommandRefused, Refusal
from engine.kernel.values import NanoUSD, decimal_usd, usd

LARGEST = usd(1_000_000_000)
_KEY_LENGTH = 200


class Kind(StrEnum):
    """What a budget covers."""

    GLOBAL = "global"
    TENANT = "tenant"
    CAMPAIGN = "campaign"
    ACCOUNT = "account"
    USER = "user"
    PROVIDER = "provider"


class Action(StrEnum):
    """What is done about a call that does not fit what is left. Gentlest first."""

    CLAMP = "clamp"  # it may write less
    DOWNGRADE = "downgrade"  # the ladder's next model does it
    THROTTLE = "throttle"  # it waits until the window is over
    STOP = "stop"  # it is refused


class Origin(StrEnum):
    """Who set a budget."""

    CAMPAIGN = "campaign"
    COMMAND = "command"
    FILE = "file"


class Scope(NamedTuple):
    """What a budget covers: a kind and the id within it, empty for global."""

    kind: str
    key: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRule:
    """A budget as its owner gives it. `zone` is whose clock cuts the windows; empty: the costs' own."""

    kind: str
    key: str = ""
    window: str = Window.TOTAL
    limit: NanoUSD
    actions: tuple[str, ...] = (Action.STOP,)
    zone: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.key}"


def check_rule(rule: BudgetRule) -> BudgetRule:
    """The rule as it stands. Raises CommandRefused, with the field, for one that makes no sense."""
    if rule.kind not in set(Kind):
        raise _wrong("scope", f"{rule.kind} has no budgets", f"Known: {', '.join(Kind)}")
    if (rule.kind == Kind.GLOBAL) == bool(rule.key):
        missing = "the global budget has no id" if rule.key else f"a {rule.kind}'s budget needs the {rule.kind}'s id"
        raise _wrong("key", missing)
    if len(rule.key) > _KEY_LENGTH or not rule.key.isprintable():
        raise _wrong("key", f"an id is at most {_KEY_LENGTH} visible characters")
    if rule.window not in set(Window):
        raise _wrong("window", f"{rule.window!r} is no window", f"Known: {', '.join(Window)}")
    if not 0 <= rule.limit <= LARGEST:
        raise _wrong("limit", f"a limit is 0 to {decimal_usd(LARGEST)} dollars")
    _check_actions(rule)
    _check_zone(rule.zone)
    return rule


def _check_actions(rule: BudgetRule) -> None:
    for action in rule.actions:
        if action not in set(Action):
            raise _wrong("actions", f"{action!r} is no action", f"Known: {', '.join(Action)}")
    if not rule.actions or len(set(rule.actions)) < len(rule.actions):
        raise _wrong("actions", "name at least one action, each once")
    if {Action.THROTTLE, Action.STOP} & set(rule.actions[:-1]):
        raise _wrong("actions", "nothing comes after throttle or stop: put it last")
    if Action.THROTTLE in rule.actions and rule.window == Window.TOTAL:
        raise _wrong("actions", "a total never begins anew, so a throttled call would wait for ever", "Use stop")


def _check_zone(zone: str) -> None:
    try:
        if zone:
            ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise _wrong("time_zone", f"{zone[:100]!r} is not a time zone such as Europe/Paris") from error


def _wrong(field: str, message: str, remedy: str = "") -> CommandRefused:
    return CommandRefused(Refusal.INVALID, message, field=field, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Where a budget stands in its window, in nano-dollars. `held` is what calls under way may yet cost."""

    id: int
    name: str
    window: str
    zone: str
    actions: tuple[str, ...]
    origin: str
    limit: NanoUSD
    spent: NanoUSD
    held: NanoUSD
    begins: int
    ends: int  # when it begins anew; EVER for a total
    warned: int  # the highest percentage told in this window

    @property
    def left(self) -> int:
        """What is not spent, whatever is held."""
        return self.limit - self.spent

    @property
    def room(self) -> int:
        """What a call may be given now."""
        return self.limit - self.spent - self.held

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    @property
    def key(self) -> str:
        return self.name.partition(":")[2]


class NoRoom(BudgetRefused):
    """See BudgetRefused. `names` are the scopes in the way; `used_up` the budgets that had to act."""

    def __init__(
        self,
        scope: str,
        message: str,
        *,
        waitable: bool = False,
        downgrade: bool = False,
        retry_at: int | None = None,
        names: tuple[str, ...] = (),
        used_up: tuple[Budget, ...] = (),
    ) -> None:
        super().__init__(scope, message, waitable=waitable, downgrade=downgrade, retry_at=retry_at)
        self.names = names
        self.used_up = used_up

    @property
    def throttled(self) -> bool:
        """It waits for a window's end, not for other calls."""
        return self.waitable and bool(self.used_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a call wants: at most `worst` (None: no price is known) for at most `tokens` of output.

    `price` says what it costs at most with fewer; `least` is the shortest output worth a call; `rung` whether the
    ladder has a cheaper model for it.
    """

    worst: NanoUSD | None
    tokens: int
    price: Callable[[int], NanoUSD | None]
    least: int = 1
    rung: bool = False


class Grant(NamedTuple):
    """The call may be made, with at most so many tokens of output, for at most `worst`."""

    tokens: int
    worst: NanoUSD
    used_up: tuple[Budget, ...] = ()  # budgets that made it shorter


def judge(ask: Ask, budgets: Sequence[Budget]) -> Grant:
    """What becomes of a call under these budgets. Raises NoRoom where it may not be made now, or not so."""
    if ask.worst is None:
        first = budgets[0]
        raise NoRoom(first.name, f"the {first.kind} has a budget, and the most this call can cost is not known")
    grant = Grant(ask.tokens, ask.worst)
    short = tuple(budget for budget in budgets if ask.worst > budget.left)
    if short:
        grant = _act(ask, ask.worst, short)
    blocking = tuple(budget for budget in budgets if grant.worst > budget.room)
    if blocking:
        raise _blocked(blocking)
    return grant


def _act(ask: Ask, worst: NanoUSD, short: tuple[Budget, ...]) -> Grant:
    """The strictest of what the budgets without enough left want done."""
    fits = {budget.id: _cap(ask, budget.left) for budget in short}
    chosen = {budget.id: _choose(budget, fits[budget.id], ask.rung) for budget in short}
    strictest = max(chosen.values(), key=list(Action).index)
    if strictest is Action.CLAMP:
        tokens = min(fits.values())
        price = ask.price(tokens)
        assert price is not None  # noqa: S101 - the same card as the worst case's
        return Grant(tokens, price, short)
    decisive = tuple(budget for budget in short if chosen[budget.id] is strictest)
    tightest = min(decisive, key=lambda budget: budget.left)
    wanted, left = decimal_usd(worst), decimal_usd(NanoUSD(max(0, tightest.left)))
    raise NoRoom(
        tightest.name,
        f"the call may cost {wanted} USD and the {tightest.kind}'s budget has {left} USD left{_per(tightest)}",
        waitable=strictest is Action.THROTTLE,
        downgrade=strictest is Action.DOWNGRADE,
        retry_at=_latest(decisive),
        names=tuple(dict.fromkeys(budget.name for budget in decisive)),
        used_up=decisive,
    )


def _choose(budget: Budget, cap: int, rung: bool) -> Action:
    for action in budget.actions:
        if (action == Action.CLAMP and not cap) or (action == Action.DOWNGRADE and not rung):
            continue
        return Action(action)
    return Action.STOP


def _cap(ask: Ask, left: int) -> int:
    """The most output tokens that `left` pays for; 0 where that is less than is worth a call."""
    low, high = ask.least - 1, ask.tokens  # low fits or is too few; high does not fit
    while high - low > 1:
        middle = (low + high) // 2
        price = ask.price(middle)
        if price is not None and price <= left:
            low = middle
        else:
            high = middle
    return low if low >= ask.least else 0


def _blocked(blocking: tuple[Budget, ...]) -> NoRoom:
    tightest = min(blocking, key=lambda budget: budget.room)
    held = decimal_usd(tightest.held)
    return NoRoom(
        tightest.name,
        f"calls under way hold {held} USD of the {tightest.kind}'s budget",
        waitable=True,
        retry_at=_latest(blocking),
        names=tuple(dict.fromkeys(budget.name for budget in blocking)),
    )


def _latest(budgets: Sequence[Budget]) -> int | None:
    """When all of them have begun anew; None if one never does."""
    ends = max(budget.ends for budget in budgets)
    return None if ends == EVER else ends


def _per(budget: Budget) -> str:
    return "" if budget.window == Window.TOTAL else f" this {budget.window}"
