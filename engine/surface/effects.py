"""What an act would do, before it is done, and why something was not: rows of the previews and explanations.

Amounts are nano-dollars, times nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """What one fan of a draft would get. `number` counts the fans reached, from 1."""

    number: int
    fans: int  # reached in all
    fan_id: str
    fan_name: str
    kind: str  # text: what is sent; prompt: what the model is asked for this fan
    text: str
    blocked: str  # why such a text is never sent; empty
    risk: str  # none, low, medium, high; empty for a prompt
    risk_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that was looked at. `verdict` is ok, waits, stops or unknown."""

    name: str
    verdict: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyRow:
    """Why a message was not sent: one sentence, what helps, and the facts behind."""

    delivery_id: str
    answer: str
    helps: str  # empty where nothing has to be done
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetEffectRow:
    """A hard limit as it is and as it would be. None: no limit."""

    scope: str
    key: str
    window: str
    before: int | None
    after: int | None
    spent: int
    held: int
    left: int | None  # under the new limit; 0 where it is overspent already
    resets_at: int | None
    pauses: tuple[str, ...]  # names of campaigns that would find no room for their next text
    goes_on: tuple[str, ...]  # of those that wait for it and would find room
    actions: tuple[str, ...]  # what is tried with a call that does not fit


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEffectRow:
    """Whom a tool's tasks go to now and would go to then, as provider/model; empty: nobody.

    The costs are of a text as long as the tool's lately were; None where a price is unknown.
    """

    tool: str
    before: str
    after: str
    cost_before: int | None
    cost_after: int | None
    why: str  # the reason for the one who would be taken, or against all
    order: tuple[str, ...]  # who would be asked, in that order


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRow:
    """From which sum on an alert is critical; None: there is no such alert."""

    period: str  # day, month
    limit: int | None
    file_limit: int | None  # what the configuration file says
    spent: int
    set_by: str  # who set it over the file; empty: it is the file's
    set_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdEffectRow:
    """A threshold as it is and as it would be. A severity is empty where no alert would be open for it."""

    period: str
    before: int | None
    after: int | None
    spent: int
    severity_before: str
    severity_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagEffectRow:
    """For how many of the users of the last 7 days a flag is on now, and would be then."""

    name: str
    users: int
    before: int
    after: int
    described_before: str
    described_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowEffectRow:
    """What a trial would come to a day, by the tasks of the last 24 hours."""

    tool: str
    target: str
    tasks: int  # of the tool in the last 24 hours
    tried: int  # of them, at the percentage
    cost: int | None  # at most, within the budget; None where no price is known
    budget: int
