"""Quotas by property: in any window no more than the limit, however calls come, end, fail and crash."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import LimitAdapted
from engine.kernel.values import DAY, HOUR, MINUTE, SECOND
from engine.limiter import (
    NEVER,
    AdaptiveSettings,
    Claim,
    Counter,
    Grant,
    Layer,
    Measure,
    Pace,
    QuotaRefusal,
    Quotas,
    QuotaSettings,
    Rates,
)
from engine.limiter.local_quotas import LocalQuotas
from engine.limiter.quota import Bound
from engine.limiter.sliding import grain_of
from engine.storage import Database
from tests.fakes import MORNING, ManualClock

WIDTHS = st.sampled_from([MINUTE, HOUR, DAY])


def most_in_any_window(arrivals: Sequence[tuple[int, int]], width: int) -> int:
    """The greatest sum of amounts in any closed span of a width; it is enough to look at spans that end at one."""
    return max((sum(amount for at, amount in arrivals if end - width <= at <= end) for end, _ in arrivals), default=0)


@given(
    width=WIDTHS,
    limit=st.integers(1, 12),
    steps=st.lists(st.tuples(st.integers(0, 1_100), st.integers(1, 5), st.integers(0, 5)), max_size=120),
)
def test_in_any_window_no_more_than_the_limit_is_let_through(
    width: int, limit: int, steps: list[tuple[int, int, int]]
) -> None:
    """Steps in thousandths of the window; each amount is corrected afterwards to no more than was asked for."""
    counter, now, let_through = Counter.of(width), int(MORNING), []
    for wait, amount, really in steps:
        now += wait * width // 1_000
        if counter.opens_at(now, amount, limit, limit) <= now:
            stamp = counter.take(now, amount)
            used = min(really, amount)
            counter.adjust(stamp, used - amount)
            let_through.append((now, used))

    assert most_in_any_window(let_through, width) <= limit


@given(width=WIDTHS, amounts=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 5)), min_size=1, max_size=60))
def test_what_is_refused_fits_at_the_instant_named_and_not_before(width: int, amounts: list[tuple[int, int]]) -> None:
    counter, now, limit = Counter.of(width), int(MORNING), 10
    for wait, amount in amounts:
        now += wait * width // 1_000
        opens = counter.opens_at(now, amount, limit, limit)
        if opens > now:
            assert counter.opens_at(opens - 1, amount, limit, limit) > opens - 1
            assert counter.opens_at(opens, amount, limit, limit) == opens
            assert opens <= now + width + grain_of(width)
            now = opens
        counter.take(now, amount)


@given(width=st.sampled_from([HOUR, DAY]), waits=st.lists(st.integers(1, 10**12), max_size=2_000))
@settings(max_examples=20)
def test_a_counters_memory_is_bounded_whatever_is_counted(width: int, waits: list[int]) -> None:
    """Of a minute there are as many entries as calls, and so as its limit allows."""
    counter, now = Counter.of(width), int(MORNING)
    for wait in waits:
        now += wait
        counter.count(now)
        counter.take(now, 1)

        assert len(counter) <= 362


@given(steps=st.lists(st.tuples(st.integers(-5_000, 70_000), st.integers(1, 3)), max_size=80))
def test_a_clock_that_steps_back_frees_nothing(steps: list[tuple[int, int]]) -> None:
    """Instants by a clock that errs; the limit holds by the order in which they came, at one instant for each."""
    counter, clock, newest, let_through = Counter.of(MINUTE), int(MORNING), 0, []
    for step, amount in steps:
        clock += step * SECOND // 1_000
        if counter.opens_at(clock, amount, 5, 5) <= clock:
            counter.take(clock, amount)
            newest = max(newest, clock)
            let_through.append((newest, amount))

    assert most_in_any_window(let_through, MINUTE) <= 5


def test_more_than_the_whole_limit_never_fits_and_says_so() -> None:
    assert Counter.of(MINUTE).opens_at(0, 11, 10, 10) == NEVER


def test_under_a_lowered_limit_a_large_amount_still_fits_into_an_empty_window() -> None:
    counter = Counter.of(MINUTE)

    assert counter.opens_at(5, 8, 4, 10) == 5
    counter.take(5, 8)
    assert counter.opens_at(6, 8, 4, 10) == 5 + MINUTE + 1


@given(
    floor=st.floats(0.01, 1),
    recovery=st.floats(0.001, 1),
    limit=st.integers(1, 10_000),
    waits=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60),
)
def test_the_pace_is_never_above_the_limit_nor_below_its_floor(
    floor: float, recovery: float, limit: int, waits: list[tuple[int, bool]]
) -> None:
    pace, now = Pace(AdaptiveSettings(floor=floor, recovery=recovery), MINUTE), int(MORNING)
    for wait, throttled in waits:
        now += wait * 10 * SECOND
        before = pace.share(now)
        if throttled and pace.cut(now):
            assert pace.share(now) <= max(before // 2, round(floor * 1_000_000))
        assert max(1, int(limit * floor) - 1) <= pace.allowed(limit, now) <= limit


def test_throttles_of_one_window_halve_the_pace_once_and_it_recovers_slowly() -> None:
    pace = Pace(AdaptiveSettings(floor=0.1, recovery=0.05), MINUTE)

    cuts = [pace.cut(MORNING + second * SECOND) for second in (0, 1, 30, 59)]

    assert cuts == [True, False, False, False]
    assert pace.allowed(60, MORNING) == 30
    assert pace.allowed(60, MORNING + MINUTE) == 33
    assert pace.allowed(60, MORNING + 9 * MINUTE) == 57
    assert pace.whole_at() == MORNING + 10 * MINUTE
    assert pace.allowed(60, MORNING + 10 * MINUTE) == 60
    assert pace.cut(MORNING + 11 * MINUTE)


def bound(measure: Measure, width: int, limit: int, key: str = "k") -> Bound:
    return Bound.of(Layer.GLOBAL, key, measure, width, limit)


@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(["wait", "call", "large", "lost", "refused", "crash"]),
            st.integers(0, 90),
            st.integers(1, 9),
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(max_examples=25, deadline=None)
def test_after_any_crash_the_windows_are_as_full_as_before(plan: list[tuple[str, int, int]]) -> None:
    """Every claim is followed by a durable write, as the books make one before a request leaves; then it may die."""
    bounds = (bound(Measure.REQUESTS, MINUTE, 4), bound(Measure.REQUESTS, HOUR, 9), bound(Measure.TOKENS, HOUR, 40))
    made: list[tuple[int, int]] = []

    async def run(folder: Path) -> None:
        clock, todo = ManualClock(), list(plan)
        while todo:
            async with Database.open(folder / "q.db", readers=1, synchronous="OFF") as database:
                store = LocalQuotas(database, clock)
                await store.load()
                while todo:
                    step, wait, amount = todo.pop(0)
                    clock.jump(wait * SECOND * (60 if step == "wait" else 1))
                    if step == "crash":
                        break
                    grant = await store.reserve(Claim(bounds, amount))
                    await database.write(lambda tx: None)
                    if not isinstance(grant, Grant):
                        continue
                    if step == "refused":
                        await store.release(grant)
                        continue
                    made.append((clock.now(), 1 if step == "call" else amount))
                    if step == "call":
                        await store.settle(grant, 1)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
    assert most_in_any_window([(at, 1) for at, _ in made], MINUTE) <= 4
    assert most_in_any_window([(at, 1) for at, _ in made], HOUR) <= 9
    assert most_in_any_window(made, HOUR) <= 40


ONE, OTHER = ("one", "m"), ("one", "other")


class Bench:
    """Quotas on a machine's store, and what they told of slow-downs."""

    def __init__(self, database: Database, clock: ManualClock, settings: QuotaSettings) -> None:
        self.told: list[LimitAdapted] = []
        self.clock = clock
        self.store = LocalQuotas(database, clock)
        self.quotas = Quotas(self.store, clock, settings, self.told.append)

    async def calls(self, count: int, target: tuple[str, str] = ONE, user_id: str = "") -> int:
        """How many of so many calls at once are let through."""
        claims = (self.quotas.claim(target, user_id, "", lambda: 0) for _ in range(count))
        return sum([isinstance(await self.quotas.reserve(target, claim), Grant) for claim in claims])

    def throttled(self, times: int, target: tuple[str, str] = ONE) -> None:
        for _ in range(times):
            self.quotas.throttled(target)


@asynccontextmanager
async def bench(folder: Path, settings: QuotaSettings | None = None) -> AsyncIterator[Bench]:
    async with Database.open(folder / "q.db", readers=1, synchronous="OFF") as database:
        yield Bench(database, ManualClock(), settings or QuotaSettings())


async def test_a_model_without_a_limit_is_held_to_half_of_what_it_took_before_it_throttled(tmp_path: Path) -> None:
    async with bench(tmp_path) as stage:
        assert await stage.calls(200) == 200
        stage.throttled(5)

        assert await stage.calls(200) == 100
        assert [(event.layer, event.key, event.limit, event.allowed) for event in stage.told] == [
            ("model", "one/m", 200, 100)
        ]
        (shown,) = await stage.quotas.usage()
        assert (shown.bound.layer, shown.bound.key, shown.used, shown.allowed) == (Layer.MODEL, "one/m", 100, 100)
        stage.clock.jump(2 * MINUTE)
        assert await stage.calls(200) == 120
        stage.clock.jump(9 * MINUTE)
        assert await stage.calls(300) == 300
        assert await stage.quotas.usage() == []


@given(taken=st.integers(0, 400), rounds=st.integers(1, 12), throttles=st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_however_often_it_throttles_a_model_without_a_limit_keeps_its_least(
    taken: int, rounds: int, throttles: int
) -> None:
    async def run(folder: Path) -> None:
        async with bench(folder, QuotaSettings(adaptive=AdaptiveSettings(least=60))) as stage:
            await stage.calls(taken)
            for _ in range(rounds):
                stage.throttled(throttles)
                stage.clock.jump(MINUTE + SECOND)
                assert await stage.calls(60) == 60

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def test_a_throttle_or_two_a_minute_slow_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as stage:
        for _ in range(5):
            await stage.calls(500)
            stage.throttled(2)
            stage.clock.jump(MINUTE + SECOND)

        assert stage.told == []
        assert await stage.calls(1_000) == 1_000


async def test_a_model_that_throttles_slows_no_other_of_its_provider(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(providers={"one": Rates(requests_minute=100)})) as stage:
        stage.throttled(3)

        assert await stage.calls(100) == 50
        assert await stage.calls(100, OTHER) == 50


async def test_a_throttled_model_of_a_limited_provider_is_halved_and_halved_again_but_a_tenth_stays(
    tmp_path: Path,
) -> None:
    async with bench(tmp_path, QuotaSettings(providers={"one": Rates(requests_minute=40)})) as stage:
        let_through = []
        for _ in range(6):
            stage.throttled(3)
            let_through.append(await stage.calls(100))
            stage.clock.jump(MINUTE + SECOND)

        assert let_through[0] == 20
        assert let_through == sorted(let_through, reverse=True)
        assert let_through[-1] == 4


async def test_a_users_own_minute_is_left_alone_when_a_model_throttles(tmp_path: Path) -> None:
    limits = QuotaSettings(users_at={"one": Rates(requests_minute=10)})
    async with bench(tmp_path, limits) as stage:
        await stage.calls(300)
        stage.throttled(3)

        assert await stage.calls(20, user_id="ann") == 10


async def test_of_processes_that_share_a_store_each_counts_for_itself_what_it_has_learnt(tmp_path: Path) -> None:
    async with bench(tmp_path) as stage:
        other = Quotas(stage.store, stage.clock, QuotaSettings(), stage.told.append, own="other")
        await stage.calls(1_000)
        stage.throttled(3)
        assert await stage.calls(1_000) == 500

        stage.quotas = other
        await stage.calls(70)
        stage.throttled(3)

        assert await stage.calls(100) == 60


async def test_what_is_known_of_models_is_bounded(tmp_path: Path) -> None:
    async with bench(tmp_path, QuotaSettings(adaptive=AdaptiveSettings(throttles=1))) as stage:
        for number in range(2_000):
            await stage.calls(1, ("one", f"m{number}"))
            stage.throttled(1, ("one", f"m{number}"))

        assert max(len(known) for known in (stage.quotas._sent, stage.quotas._throttles)) <= 512


async def test_a_refusal_names_the_window_that_frees_last_and_counts_nowhere(tmp_path: Path) -> None:
    clock = ManualClock()
    settings_ = QuotaSettings(
        everybody=Rates(requests_minute=1), users_at={"one": Rates(requests_hour=1)}, account=Rates(tokens_day=1_000)
    )
    async with Database.open(tmp_path / "q.db", readers=1, synchronous="OFF") as database:
        quotas = Quotas(LocalQuotas(database, clock), clock, settings_, lambda event: None)
        await quotas.reserve(ONE, quotas.claim(ONE, "ann", "acc", lambda: 400))

        refusal = await quotas.reserve(ONE, quotas.claim(ONE, "ann", "acc", lambda: 400))

        assert isinstance(refusal, QuotaRefusal)
        assert refusal.bound is not None
        assert (refusal.bound.layer, refusal.bound.key, refusal.bound.window) == (Layer.USER_AT, "one/ann", "hour")
        assert refusal.opens_at is not None
        assert refusal.opens_at > clock.now() + HOUR
        assert {use.bound.name: use.used for use in await quotas.usage()}["account:tokens:86400:acc"] == 400
