"""Where packages that must not know each other are joined: small adapters between their ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from engine.costs import Attempt, Dimensions, Ledger, Pricer, Settlement
from engine.kernel.values import Instant, NanoUSD
from engine.orchestrator import Call, Result
from engine.queue import Bury, Lease, Outcome
from engine.storage import Tx

__all__ = ["LedgerMeter", "route_jobs"]


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


def route_jobs(handlers: Mapping[str, Callable[[Lease], Awaitable[Outcome]]]) -> Callable[[Lease], Awaitable[Outcome]]:
    """One queue, several kinds of work: a job's id begins with its kind, as in `write_dlv_…`."""

    async def handle(lease: Lease) -> Outcome:
        handler = handlers.get(lease.job_id.partition("_")[0])
        if handler is None:
            return Bury("nobody here knows this kind of job")
        return await handler(lease)

    return handle
