from pathlib import Path

import pytest

from engine.kernel.errors import ConfigError
from engine.kernel.values import MILLISECOND, MINUTE, SECOND, usd
from engine.simulation import load_scenario, shipped, tokens
from engine.simulation.faults import FaultKind
from engine.simulation.scenario import parse_scenario

MINIMAL = 'name = "mine"\n'


def test_three_scenarios_are_shipped_and_valid() -> None:
    assert shipped() == ("azure-outage", "quiet-day", "runaway-cost")
    assert [load_scenario(name).name for name in shipped()] == list(shipped())


def test_the_quiet_day_has_no_fault_and_reports_no_cached_tokens() -> None:
    quiet = load_scenario("quiet-day")

    assert quiet.faults == ()
    assert not quiet.models.prompt_cache
    assert {account.id: account.fans for account in quiet.platform.accounts} == {
        "anna": 1_000,
        "bella": 220,
        "carla": 60,
    }


def test_azure_is_out_for_fifteen_minutes_and_then_slow() -> None:
    outage, *after = load_scenario("azure-outage").faults

    assert (outage.kind, outage.target, outage.lasts) == (FaultKind.OUTAGE, "azure", 15 * MINUTE)
    assert {fault.kind for fault in after if fault.target == "azure"} == {FaultKind.SERVER_ERROR, FaultKind.SLOW}


def test_runaway_prompts_are_as_long_as_they_say() -> None:
    longest = max((task.prompt for task in load_scenario("runaway-cost").demand.tasks), key=len)

    assert tokens.count(longest) > 12_000


def test_a_file_is_read_in_its_own_words(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        MINIMAL
        + """
        [platform]
        latency = ["PT0S", "PT5S"]
        [[fault]]
        kind = "rate_limit"
        target = "deepseek/deepseek-chat"
        at = "PT10M"
        for = "PT5M"
        share = 0.5
        retry_after = "PT7S"
        [[demand.campaigns]]
        name = "Hello"
        account = "anna"
        audience = { fan_ids = ["anna-00001"] }
        prompt = "Say hello"
        budget_usd = "5.00"
        every = "PT30M"
        [[demand.tasks]]
        tool = "message"
        per_minute = 2
        prompt = "Write {n}"
        """
    )

    mine = load_scenario(str(path))

    assert mine.platform.latency == (0, 5 * SECOND)
    assert mine.platform.reply_after[0] == 60_000 * MILLISECOND
    assert mine.faults[0].at == 10 * MINUTE
    assert mine.faults[0].retry_after == 7 * SECOND
    assert mine.demand.campaigns[0].budget == usd("5.00")
    assert mine.demand.campaigns[0].audience.fan_ids == ("anna-00001",)
    assert mine.demand.tasks[0].per_minute == 2


def test_the_example_in_the_documentation_is_valid() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text("utf-8")

    example = parse_scenario(page.split("```toml\n")[1].split("```")[0], source="docs/simulation.md")

    assert example.demand.campaigns
    assert all(kind.value in page for kind in FaultKind)


@pytest.mark.parametrize(
    ("text", "key", "valid"),
    [
        ('[platform]\nlatency = ["5 s", "6 s"]', "platform.latency.0", "PT10M"),
        ('[platform]\nlatency = ["PT2S", "PT1S"]', "platform.latency", "must not exceed"),
        ('[[fault]]\nkind = "flood"\ntarget = "azure"\nfor = "PT1M"', "fault.0.kind", "'outage'"),
        ('[[fault]]\nkind = "outage"\ntarget = "azure"', "fault.0.for", "required"),
        ('[[demand.tasks]]\ntool = "poem"\nper_minute = 1\nprompt = "x"', "demand.tasks.0.tool", "'quick-reply'"),
        (
            '[[demand.campaigns]]\nname = "x"\naccount = "a"\nprompt = "x"\naudience = {}',
            "demand.campaigns.0.audience",
            "exactly one",
        ),
        (
            '[[demand.campaigns]]\nname = "x"\naccount = "a"\nprompt = "x"\naudience = {all=true}\nbudget_usd = 5',
            "demand.campaigns.0.budget_usd",
            '"5.00"',
        ),
        ("[weather]\nrain = true", "weather", "not a key"),
    ],
)
def test_a_wrong_key_is_named_with_what_would_be_valid(text: str, key: str, valid: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_scenario(MINIMAL + text, source="mine.toml")

    assert caught.value.source == "mine.toml"
    assert caught.value.key == key
    assert valid in str(caught.value)


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match="azure-outage, quiet-day, runaway-cost"):
        load_scenario("stormy-day")


def test_text_that_is_no_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not TOML"):
        parse_scenario("name =", source="mine.toml")
