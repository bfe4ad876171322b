"""What a campaign would do: whom it reaches, what its texts may cost, when the last one goes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.campaigns.audience import Member, left_out
from engine.campaigns.writing import messages_for, variables
from engine.content import assess, render, screen
from engine.costs import Pricer
from engine.kernel.clock import Clock
from engine.kernel.values import NanoUSD
from engine.orchestrator import Orchestrator, Target, Task, route_of, text_bound
from engine.providers import Message, Role, Usage
from engine.surface.commands import CampaignDraft
from engine.surface.effects import MessageRow
from engine.surface.rows import EstimateRow
from engine.surface.snapshot import Snapshot, finish_at

_CHARACTERS_A_TOKEN = 4  # of English prose; more in most other languages, so the low figure stays low
_TYPICAL_OUTPUT = 0.25  # of the output cap: fan messages are far shorter than their cap
_PREVIEWS = 3
_MOST_MESSAGES = 100  # of one preview


class Estimator:
    """Prices a draft by the model that its tool's tasks go to now, at this moment's price."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        pricer: Pricer,
        snapshot: Callable[[], Snapshot],
        names: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._orchestrator = orchestrator
        self._pricer = pricer
        self._snapshot = snapshot
        self._names = names
        self._clock = clock

    def estimate(self, draft: CampaignDraft, members: Sequence[Member]) -> EstimateRow:
        reached = [member for member in members if not member.left_out]
        low, high, target = self._costs(draft, reached)
        now = self._clock.now()
        start = max(now, draft.starts_at or now)
        snapshot = self._snapshot()
        waiting = len(reached) + _queued(snapshot, draft.account_id)
        return EstimateRow(
            fans=len(reached),
            left_out=left_out(members),
            cost_low=low,
            cost_high=high,
            unpriced=low is None or high is None,
            provider=target.provider if target else "",
            model=target.model if target else "",
            starts_at=start,
            finish_at=finish_at(snapshot, draft.account_id, waiting, start) if reached else start,
            previews=self._previews(draft, reached),
            warnings=_warnings(draft, reached, high, target),
        )

    def messages(
        self, draft: CampaignDraft, members: Sequence[Member], skip: int, limit: int
    ) -> tuple[MessageRow, ...]:
        """What fans reached would get, `limit` of them after the first `skip`."""
        reached = [member for member in members if not member.left_out]
        start = max(0, skip)
        chosen = reached[start : start + max(1, min(limit, _MOST_MESSAGES))]
        return tuple(
            self._message(draft, member, number, len(reached)) for number, member in enumerate(chosen, start + 1)
        )

    def _message(self, draft: CampaignDraft, member: Member, number: int, fans: int) -> MessageRow:
        values = self._values(draft, member)
        if draft.template:
            kind, text = "text", render(draft.template, values)
            risk = assess(text)
            blocked, level, reason = screen(text), str(risk.level), risk.reason
        else:
            kind, text = "prompt", messages_for(draft, values)[-1].text
            blocked = level = reason = ""
        return MessageRow(
            number=number,
            fans=fans,
            fan_id=member.fan.fan_id,
            fan_name=member.fan.name,
            kind=kind,
            text=text,
            blocked=blocked,
            risk=level,
            risk_reason=reason,
        )

    def _costs(
        self, draft: CampaignDraft, reached: Sequence[Member]
    ) -> tuple[NanoUSD | None, NanoUSD | None, Target | None]:
        if draft.template:
            return NanoUSD(0), NanoUSD(0), None
        targets = self._orchestrator.targets(draft.tool)
        if not targets or not reached:
            return (None, None, None) if reached else (NanoUSD(0), NanoUSD(0), targets[0] if targets else None)
        route = route_of(self._orchestrator.settings, draft.tool)
        system = (Message(Role.SYSTEM, route.system),) if route.system else ()
        longest = max(reached, key=lambda member: len(member.fan.name.encode()))
        prompt = messages_for(draft, self._values(draft, longest))
        messages = (*system, *prompt)
        now, target = self._clock.now(), self._likely(draft, prompt) or targets[0]
        usage = Usage(
            input_tokens=sum(len(message.text) for message in messages) // _CHARACTERS_A_TOKEN,
            output_tokens=round(route.max_output_tokens * _TYPICAL_OUTPUT),
        )
        low = self._pricer.price(target.provider, target.model, usage, now).cost
        high = self._pricer.worst_case(
            target.provider,
            target.model,
            input_tokens=text_bound(messages),
            max_output_tokens=route.max_output_tokens,
            at=now,
        ).cost
        fans = len(reached)
        return _times(low, fans), _times(high, fans), target

    def _likely(self, draft: CampaignDraft, prompt: tuple[Message, ...]) -> Target | None:
        task = Task(
            tool=draft.tool,
            messages=prompt,
            trace_id="",
            account_id=draft.account_id,
            tenant_id=draft.tenant_id,
            rehearsal=True,
        )
        return self._orchestrator.likely(task)

    def _previews(self, draft: CampaignDraft, reached: Sequence[Member]) -> tuple[str, ...]:
        if not draft.template:
            return ()
        return tuple(render(draft.template, self._values(draft, member)) for member in reached[:_PREVIEWS])

    def _values(self, draft: CampaignDraft, member: Member) -> dict[str, str]:
        return variables(member.fan.name, self._names(draft.account_id), member.fan.tags)


def _times(cost: NanoUSD | None, fans: int) -> NanoUSD | None:
    return None if cost is None else NanoUSD(cost * fans)


def _queued(snapshot: Snapshot, account_id: str) -> int:
    """Messages of other campaigns that stand before this one's at the account's limit."""
    live = (view for view in snapshot.campaigns.values() if view.account_id == account_id)
    return sum(view.open for view in live if view.state in ("running", "awaiting_approval"))


def _warnings(
    draft: CampaignDraft, reached: Sequence[Member], high: NanoUSD | None, target: Target | None
) -> tuple[str, ...]:
    found = []
    if not reached:
        found.append("Nobody would get a message.")
    if not draft.template and target is None:
        found.append(f"No provider of the tool {draft.tool} has a key, so no text can be written.")
    elif high is None and reached:
        found.append("The price of the model is unknown: its calls are counted, but not in dollars.")
    if draft.budget is not None and high is not None and high > draft.budget:
        found.append("The budget is below the high estimate: writing may stop before the last fan.")
    return tuple(found)
