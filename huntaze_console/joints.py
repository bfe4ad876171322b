"""Where packages that must not know each other are joined: small adapters between their ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from engine.costs import Attempt, Dimensions, Ledger, Pricer, Settlement
from engine.kernel.clock import Clock
from engine.kernel.values import Instant, NanoUSD
from engine.orchestrator import Call, Orchestrator, Result, Target, route_of, text_bound
from engine.providers import Message, Role
from engine.queue import Bury, Lease, Outcome
from engine.storage import Tx

__all__ = ["LedgerMeter", "route_jobs", "tool_bound", "worst_cost"]


class LedgerMeter:
    """The orchestrator's Meter, kept by the costs' Ledger."""

    def __init__(self, ledger: Ledger, pricer: Pricer) -> None:
        self._ledger = ledger
        self._pricer = pricer

    async def open(self, call: Call) -> Call:
        deadline = Instant(call.task.deadline) if call.task.deadline is not None else None
        await self._ledger.open(self._attempt(call), deadline=deadline)
        return call

    def cost(self, call: Call, result: Result) -> NanoUSD | None:
        return self._ledger.appraise(self._attempt(call), _settlement(result)).priced.cost

    def settle(self, tx: Tx, call: Call, result: Result) -> NanoUSD | None:
        return self._ledger.settle(tx, self._attempt(call), _settlement(result))

    def _attempt(self, call: Call) -> Attempt:
        task, target, opened_at = call.task, call.target, Instant(call.opened_at)
        return Attempt(
            id=call.attempt_id,
            dimensions=Dimensions(
                provider=target.provider,
                model=target.model,
                tool=task.tool,
                campaign_id=task.campaign_id,
                account_id=task.account_id,
                tenant_id=task.tenant_id,
                user_id=task.user_id,
            ),
            opened_at=opened_at,
            worst_case=self._pricer.worst_case(
                target.provider,
                target.model,
                input_tokens=call.input_bound,
                max_output_tokens=call.request.max_output_tokens,
                at=opened_at,
            ),
            input_tokens_bound=call.input_bound,
            max_output_tokens=call.request.max_output_tokens,
            job_id=task.job_id,
            trace_id=task.trace_id,
        )


def _settlement(result: Result) -> Settlement:
    return Settlement(
        outcome=result.outcome,
        usage=result.usage,
        billed=result.billed,
        ended_at=Instant(result.ended_at),
        received=result.received,
    )


def tool_bound(
    orchestrator: Orchestrator, pricer: Pricer, clock: Clock
) -> Callable[[str, Sequence[Message]], NanoUSD | None]:
    """The most that one task of a tool may cost: every try at every model of its chain, each at its dearest."""

    def bound(tool: str, messages: Sequence[Message]) -> NanoUSD | None:
        settings = orchestrator.settings
        route = route_of(settings, tool)
        standing = (Message(Role.SYSTEM, route.system),) if route.system else ()
        whole = 0
        for target in orchestrator.targets(tool):
            priced = pricer.worst_case(
                target.provider,
                target.model,
                input_tokens=text_bound((*standing, *messages)),
                max_output_tokens=route.max_output_tokens,
                at=clock.now(),
            )
            if priced.cost is None:
                return None
            whole += priced.cost * settings.retry.attempts
        return NanoUSD(whole)

    return bound


def worst_cost(pricer: Pricer, clock: Clock) -> Callable[[Target, int, int], NanoUSD | None]:
    """The Router's prices, kept by the costs' Pricer."""

    def worst(target: Target, input_tokens: int, output_tokens: int) -> NanoUSD | None:
        card = pricer.card(target.provider, target.model, clock.now())
        return None if isinstance(card, str) else card.worst(input_tokens, output_tokens)

    return worst


def route_jobs(handlers: Mapping[str, Callable[[Lease], Awaitable[Outcome]]]) -> Callable[[Lease], Awaitable[Outcome]]:
    """One queue, several kinds of work: a job's id begins with its kind, as in `write_dlv_…`."""

    async def handle(lease: Lease) -> Outcome:
        handler = handlers.get(lease.job_id.partition("_")[0])
        if handler is None:
            return Bury("nobody here knows this kind of job")
        return await handler(lease)

    return handle
