"""The desk's part that watches: what passed through endpoints and models, ratings, load tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import HOUR, MINUTE
from engine.orchestrator import LoadTests, Report
from engine.storage import Database
from engine.surface import commands, queries
from engine.surface.commands import Command, Done
from engine.surface.queries import Page, Query
from engine.surface.rates import monitor_row
from engine.surface.rows import LoadTestBound, LoadTestCall, LoadTestRow, MonitorRow
from engine.telemetry import Figures, Kind, Mean, Monitor, Rated, find, means, rate

_STEPS = {"minute": MINUTE, "hour": HOUR}
_LONGEST = {"": 0, "minute": 6 * HOUR, "hour": 31 * 24 * HOUR}  # nanoseconds; a bucket and name each is a row


class Watch:
    """Commands and queries for `EngineDesk.extend`. `rated` is told of each rating."""

    def __init__(
        self,
        database: Database,
        monitor: Monitor,
        tests: LoadTests,
        clock: Clock,
        rated: Callable[[Rated], None],
    ) -> None:
        self._database = database
        self._monitor = monitor
        self._tests = tests
        self._clock = clock
        self._rated = rated
        self.commands: Mapping[type[Command], Callable[[Any], Awaitable[Done]]] = {
            commands.RateCall: self._rate,
            commands.StartLoadTest: self._start_test,
            commands.CancelLoadTest: self._cancel_test,
        }
        self.queries: Mapping[type[Query], Callable[[Any], Awaitable[Page[Any]]]] = {
            queries.Monitor: self._look,
            queries.GetLoadTest: self._get_test,
            queries.BoundLoadTest: self._bound_test,
        }

    async def _rate(self, command: commands.RateCall) -> Done:
        async with self._database.reader() as reader:
            found = await find(reader, command.call_id, command.score)
        await self._database.write(lambda tx: rate(tx, found, command.actor, self._clock.now()))
        self._rated(found)
        data = {"attempt_id": found.attempt_id, "score": found.score}
        return Done(f"The answer of {found.provider}/{found.model} for {found.tool} is rated {found.score} of 5", data)

    async def _look(self, query: queries.Monitor) -> Page[MonitorRow]:
        now = self._clock.now()
        end = query.to if query.to is not None else now
        start = query.from_ if query.from_ is not None else end - query.last
        step = _STEPS.get(query.step)
        if start >= end:
            raise CommandRefused(Refusal.INVALID, "the period ends before it begins", field="from")
        if step and end - start > _LONGEST[query.step]:
            most = _LONGEST[query.step] // HOUR
            raise CommandRefused(Refusal.INVALID, f"by the {query.step}, at most {most} hours are shown", field="step")
        found = await self._monitor.figures(Kind(query.kind), start, end, step=step)
        async with self._database.reader() as reader:
            ratings = await means(reader)
        length = step or min(end, now) - start
        rated = [(one, _rating(one, ratings)) for one in found]
        return Page(
            tuple(
                monitor_row(one.kind, one.name, one.at, one.series, length, rating=mean.score, ratings=mean.count)
                for one, mean in rated
            )
        )

    async def _start_test(self, command: commands.StartLoadTest) -> Done:
        """The audit has the test before the first of its calls costs something."""
        summary = f"{command.tool} is tested with {command.count:,} calls, {command.concurrency} at once"

        async def begun(test_id: str) -> None:
            await self._database.write(lambda tx: Done(summary, {"test_id": test_id}))

        test_id = await self._tests.start(command.tool, command.count, command.concurrency, begun=begun)
        return Done(summary, {"test_id": test_id})

    async def _cancel_test(self, command: commands.CancelLoadTest) -> Done:
        """Stopped first and written down after: what costs money stops, also where that cannot be written."""
        stopped = self._tests.cancel(command.test_id)
        return Done("The load test is cancelled" if stopped else "The load test was over already")

    async def _get_test(self, query: queries.GetLoadTest) -> Page[LoadTestRow]:
        return Page((_test_row(self._tests.report(query.test_id)),))

    async def _bound_test(self, query: queries.BoundLoadTest) -> Page[LoadTestBound]:
        most = self._tests.most(query.tool, query.count)
        return Page((LoadTestBound(tool=query.tool, count=query.count, cost=most),))


def _rating(found: Figures, ratings: Mapping[tuple[str, str, str], Mean]) -> Mean:
    chosen = [mean for subject, mean in ratings.items() if _name(found.kind, *subject) == found.name]
    return Mean(sum(one.count for one in chosen), sum(one.total for one in chosen))


def _name(kind: Kind, tool: str, provider: str, model: str) -> str:
    """What a rating of this tool's model counts for in rows of a kind; nothing for endpoints."""
    names = {Kind.TOOL: tool, Kind.PROVIDER: provider, Kind.MODEL: f"{provider}/{model}"}
    return names.get(kind, "")


def _test_row(report: Report) -> LoadTestRow:
    test, calls = report.test, report.calls
    return LoadTestRow(
        test_id=test.test_id,
        tool=test.tool,
        state=test.state,
        count=test.count,
        concurrency=test.at_once,
        started_at=test.started_at,
        ended_at=test.ended_at,
        answered=sum(report.answered_by.values()),
        fallbacks=report.fallbacks,
        answered_by=report.answered_by,
        errors=report.errors,
        p50=report.p50,
        p95=report.p95,
        longest=report.longest,
        cost=sum(call.cost for call in calls),
        unpriced=sum(call.unpriced for call in calls),
        input_tokens=sum(call.input_tokens for call in calls),
        output_tokens=sum(call.output_tokens for call in calls),
        calls=tuple(
            LoadTestCall(
                number=call.number,
                outcome=call.outcome,
                target=call.target,
                duration=call.duration,
                failed=call.failed,
                attempts=call.attempts,
                cost=call.cost,
                unpriced=call.unpriced,
                input_tokens=call.input_tokens,
                output_tokens=call.output_tokens,
                trace_id=call.trace_id,
            )
            for call in calls
        ),
    )
