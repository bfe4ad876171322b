from engine.kernel.values import DAY, HOUR, Instant
from engine.simulation.fans import Audience, Audiences
from engine.simulation.options import START
from engine.simulation.scenario import Account, PlatformLife

ANNA = Account(id="anna", fans=1_000)
LIFE = PlatformLife()


def audience(account: Account = ANNA, seed: int = 7) -> Audience:
    return Audience(seed, account, LIFE, START)


def test_an_audience_repeats_from_its_seed() -> None:
    first, again, other = (audience(seed=seed).page(0, 1_000, START)[0] for seed in (7, 7, 8))

    assert first == again
    assert first != other
    assert len({fan.id for fan in first}) == 1_000


def test_an_audience_is_as_mixed_as_a_real_one() -> None:
    fans = audience().page(0, 1_000, START)[0]

    assert 5 < sum(fan.opted_out for fan in fans) < 50
    assert any(not fan.name.isascii() for fan in fans)
    assert len({fan.time_zone for fan in fans}) > 10
    assert {"vip", "quiet", "spender"} <= {tag for fan in fans for tag in fan.tags}


def test_new_fans_come_with_the_hours_and_never_change_the_earlier_ones() -> None:
    anna = audience()
    tomorrow = Instant(START + DAY)
    before = anna.page(0, 1_000, START)[0]

    grown = anna.size(tomorrow)

    assert grown == 1_000 + 48
    assert anna.page(0, 1_000, tomorrow)[0] == before
    newest = anna.page(grown - 1, 100, tomorrow)[0][0]
    assert START < newest.joined <= tomorrow
    assert "new" in str(newest.shown(tomorrow, opted_out=False)["tags"])


def test_a_small_audience_grows_in_proportion() -> None:
    small = audience(Account(id="carla", fans=60))

    assert 60 < small.size(Instant(START + 30 * DAY)) < 60 + 30 * 24
    assert small.size(Instant(START + HOUR)) <= 61


def test_an_account_nobody_named_has_a_few_fans() -> None:
    assert 0 < Audiences(7, LIFE, START).of("someone").size(START) <= 100


def test_consent_set_by_a_test_holds() -> None:
    anna = audience()
    fan = anna.page(0, 1, START)[0][0]

    anna.set_opted_out(fan, opted_out=True)

    assert anna.opted_out(fan)
    assert fan.shown(START, anna.opted_out(fan))["opted_out"] is True
