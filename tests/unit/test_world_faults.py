from engine.kernel.values import MINUTE, Instant
from engine.simulation.faults import Fault, FaultKind, FaultPlan

STARTED = Instant(1_000 * MINUTE)


def plan(*faults: Fault, seed: int = 7) -> FaultPlan:
    return FaultPlan(seed, STARTED, faults)


def fault(target: str, *, at: int = 0, share: float = 1.0, kind: FaultKind = FaultKind.OUTAGE) -> Fault:
    return Fault(kind=kind, target=target, at=at, lasts=5 * MINUTE, share=share)


def after(minutes: int) -> Instant:
    return Instant(STARTED + minutes * MINUTE)


def test_a_fault_lasts_from_its_beginning_to_just_before_its_end() -> None:
    faults = plan(fault("azure", at=10 * MINUTE))

    hit = [minute for minute in range(20) if faults.strike(after(minute), "azure", "gpt-4o", "x")]

    assert hit == [10, 11, 12, 13, 14]


def test_a_target_is_everything_a_party_or_one_part_of_it() -> None:
    def struck(target: str) -> list[str]:
        parties = [("azure", "gpt-4o"), ("azure", "gpt-4o-mini"), ("platform", "anna")]
        return [f"{a}/{b}" for a, b in parties if plan(fault(target)).strike(after(1), a, b, "x")]

    assert len(struck("*")) == 3
    assert struck("azure") == ["azure/gpt-4o", "azure/gpt-4o-mini"]
    assert struck("azure/gpt-4o") == ["azure/gpt-4o"]
    assert struck("platform/anna") == ["platform/anna"]


def test_which_requests_are_hit_depends_on_the_seed_and_not_on_their_order() -> None:
    requests = [str(n) for n in range(400)]
    first, again, other = plan(fault("*", share=0.3)), plan(fault("*", share=0.3)), plan(fault("*", share=0.3), seed=8)

    hit = {r for r in requests if first.strike(after(1), "openai", "m", r)}

    assert hit == {r for r in reversed(requests) if again.strike(after(1), "openai", "m", r)}
    assert hit != {r for r in requests if other.strike(after(1), "openai", "m", r)}
    assert 80 < len(hit) < 160


def test_a_repeated_request_gets_a_draw_of_its_own() -> None:
    faults = plan(fault("openai", share=0.5))

    draws = [faults.strike(after(1), "openai", "m", "same") is not None for _ in range(40)]

    assert 8 < sum(draws) < 32


def test_cleared_faults_never_strike() -> None:
    faults = plan(fault("*"))

    faults.clear()

    assert faults.strike(after(1), "openai", "m", "x") is None
