"""Configuration: what wins, what every name means, and what is said of what is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.kernel.secret import Secret
from engine.kernel.values import DAY, SECOND, usd
from engine.limiter.settings import AccountLimit
from engine.orchestrator.settings import GATEWAY, TOOLS
from huntaze_console.config import InvalidSettings, Settings, load_settings

SHIPPED = Path(__file__).parents[2] / "config.toml"


def load(
    tmp_path: Path,
    text: str = "",
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    *,
    simulated: bool = False,
) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text(text, "utf-8")
    return load_settings(file, environ or {}, flags, simulated=simulated)


def problems(tmp_path: Path, text: str = "", environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Everything that is wrong, by key: the whole sentence."""
    with pytest.raises(InvalidSettings) as caught:
        load(tmp_path, text, environ)
    return {problem.key: str(problem) for problem in caught.value.problems}


# ── what is shipped ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_file_says_what_is_built_in() -> None:
    built_in, shipped = load_settings(None, {}), load_settings(SHIPPED, {})

    assert dataclasses.replace(shipped, source="") == dataclasses.replace(built_in, source="")


def test_the_shipped_file_holds_every_knob() -> None:
    text = SHIPPED.read_text("utf-8")
    secrets = {"token", "password", "redis_url", "slack_webhook_url", "api_key"}  # a file holds none
    lines = load_settings(None, {}).shown

    knobs = {row.key.split(".")[-1] for row in lines if not row.key.startswith("orchestrator.model_aliases")}

    assert [knob for knob in sorted(knobs - secrets) if knob not in text] == []


def test_every_tool_is_mapped_to_models_of_known_providers() -> None:
    settings = load_settings(None, {})

    assert set(settings.orchestrator.tools) == {*TOOLS, GATEWAY}
    for name, route in settings.orchestrator.tools.items():
        assert len(route.chain) >= 2
        assert bool(route.system) == (name != GATEWAY)
        assert {reference.split("/")[0] for reference in route.chain} <= set(settings.providers)


def test_the_tool_map_is_the_products() -> None:
    tools = load_settings(None, {}).orchestrator.tools

    assert {tools[name].chain[0] for name in ("title-generator", "descriptions", "icp-maker")} == {
        "deepseek/deepseek-chat"
    }
    assert tools["creator-pack"].chain[0].startswith("anthropic/")
    assert tools["lead-magnet"].chain[0].startswith("xai/")
    assert tools["content-plan"].chain[0].startswith("azure/")
    assert tools["message"].chain[0] == "openai/gpt-4o-mini"


# ── what wins ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_flags_win_over_the_environment_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    text = "[daemon]\nport = 1001\nhost = 'localhost'\n[limiter]\nmessages = 8"
    environ = {"HUNTAZE_DAEMON__PORT": "1002", "HUNTAZE_LIMITER__MESSAGES": "9"}

    settings = load(tmp_path, text, environ, {"daemon.port": 1003, "daemon.host": None})

    assert (settings.daemon.port, settings.daemon.host) == (1003, "localhost")
    assert settings.limiter.messages == 9
    assert settings.limiter.width == 60 * SECOND


def test_a_table_of_the_file_changes_only_what_it_names(tmp_path: Path) -> None:
    settings = load(tmp_path, "[tools.message]\nmodel = 'gpt-4o'\n[providers.openai]\norganization = 'org-1'")

    route = settings.orchestrator.tools["message"]
    assert route.chain == ("openai/gpt-4o", "deepseek/deepseek-chat", "anthropic/claude-sonnet-4-5")
    assert route.max_output_tokens == 400
    assert settings.providers["openai"].base_url == "https://api.openai.com/v1"


def test_what_is_shown_names_who_said_it(tmp_path: Path) -> None:
    environ = {"HUNTAZE_LIMITER__MESSAGES": "9", "OPENAI_API_KEY": "sk-secret-text"}

    settings = load(tmp_path, "[daemon]\n\nport = 1001", environ)

    shown = {row.key: (row.value, row.place) for row in settings.shown}
    assert shown["daemon.port"] == ("1001", f"{tmp_path / 'config.toml'}:3")
    assert shown["limiter.messages"] == ("9", "HUNTAZE_LIMITER__MESSAGES")
    assert shown["daemon.host"] == ('"127.0.0.1"', "default")
    assert shown["costs.day_threshold_usd"] == ('"50.00"', "default")
    assert shown["providers.openai.api_key"] == ("(set)", "OPENAI_API_KEY")
    assert "sk-secret-text" not in repr(settings) + str(settings.shown)


# ── the environment's names ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("OPENAI_API_KEY", "k-1", lambda s: s.providers["openai"].api_key.reveal()),
        ("OPENAI_BASE_URL", "https://one.test/v1", lambda s: s.providers["openai"].base_url),
        ("OPENAI_ORG_ID", "org-7", lambda s: s.providers["openai"].organization),
        ("AZURE_OPENAI_API_KEY", "k-2", lambda s: s.providers["azure"].api_key.reveal()),
        ("AZURE_OPENAI_ENDPOINT", "https://two.test", lambda s: s.providers["azure"].base_url),
        ("AZURE_OPENAI_DEPLOYMENT", "gpt-4o", lambda s: s.orchestrator.tools["content-plan"].chain[0].split("/")[1]),
        ("AZURE_OPENAI_API_VERSION", "2025-01-01", lambda s: s.providers["azure"].api_version),
        ("ANTHROPIC_API_KEY", "k-3", lambda s: s.providers["anthropic"].api_key.reveal()),
        ("ANTHROPIC_BASE_URL", "https://three.test", lambda s: s.providers["anthropic"].base_url),
        ("DEEPSEEK_API_KEY", "k-4", lambda s: s.providers["deepseek"].api_key.reveal()),
        ("DEEPSEEK_BASE_URL", "https://four.test", lambda s: s.providers["deepseek"].base_url),
        ("XAI_API_KEY", "k-5", lambda s: s.providers["xai"].api_key.reveal()),
        ("XAI_BASE_URL", "https://five.test", lambda s: s.providers["xai"].base_url),
        ("GEMINI_API_KEY", "k-6", lambda s: s.providers["gemini"].api_key.reveal()),
        ("GEMINI_BASE_URL", "https://six.test", lambda s: s.providers["gemini"].base_url),
        ("AZURE_BASE_URL", "https://seven.test", lambda s: s.providers["azure"].base_url),
        ("DEFAULT_AI_PROVIDER", "gemini", lambda s: s.orchestrator.tools["message"].chain[0].split("/")[0]),
        ("ONLYFANS_API_URL", "https://gateway.test", lambda s: s.platform.url),
        ("ONLYFANS_USER_AGENT", "agent/1", lambda s: s.platform.user_agent),
        ("ONLYFANS_API_TOKEN", "t-1", lambda s: s.platform.token.reveal()),
        ("SES_FROM_EMAIL", "from@mail.test", lambda s: s.smtp.from_address),
        ("COST_ALERT_EMAIL", "ops@mail.test", lambda s: ",".join(s.alerts.email_to)),
        ("SLACK_WEBHOOK_URL", "https://hooks.test/x", lambda s: s.alerts.slack_webhook_url.reveal()),
        ("REDIS_URL", "redis://:pw@cache.test", lambda s: s.backends.redis_url.reveal()),
        ("AWS_REGION", "eu-west-3", lambda s: s.dynamodb.region),
        ("DYNAMODB_COSTS_TABLE", "costs", lambda s: s.sync.table),
        ("DYNAMODB_ALERTS_TABLE", "alerts", lambda s: s.dynamodb.alerts_table),
        ("SQS_WORKFLOW_QUEUE", "work", lambda s: s.queue.workflow_queue),
        ("SQS_RATE_LIMITER_QUEUE", "slow", lambda s: s.queue.rate_limiter_queue),
        ("COST_ALERTS_SNS_TOPIC", "topic", lambda s: s.alerts.sns_topic),
        ("HUNTAZE_SMTP__PASSWORD", "pw-1", lambda s: s.smtp.password.reveal()),
        ("HUNTAZE_COSTS__TIME_ZONE", "Europe/Paris", lambda s: s.costs.time_zone),
        ("HUNTAZE_CONSOLE__THEME", "light", lambda s: s.console.theme),
    ],
)
def test_a_name_of_the_environment_is_heard(tmp_path: Path, name: str, value: str, found: Any) -> None:
    settings = load(tmp_path, environ={name: value})

    assert found(settings) == value


def test_values_of_the_environment_are_toml(tmp_path: Path) -> None:
    environ = {
        "HUNTAZE_PLATFORM__IDEMPOTENT": "true",
        "HUNTAZE_LIMITER__WINDOW_SECONDS": "90",
        "HUNTAZE_COSTS__DAY_THRESHOLD_USD": "12.50",
        "HUNTAZE_CONSOLE__THEME": '"light"',
        "HUNTAZE_TOOLS__TITLE_GENERATOR__MAX_OUTPUT_TOKENS": "77",
        "HUNTAZE_TOOLS__MESSAGE__FALLBACK": '["xai/grok-3"]',
        "HUNTAZE_PROVIDERS__AZURE__DEPLOYMENTS": '{ "prod" = "gpt-4o" }',
        "HUNTAZE_ORCHESTRATOR__BREAKER__FAILURE_RATE": "0.25",
        "COST_ALERT_EMAIL": "a@mail.test, b@mail.test",
    }

    settings = load(tmp_path, environ=environ)

    assert settings.platform.idempotent is True
    assert settings.limiter.width == 90 * SECOND
    assert settings.costs.day_threshold == usd("12.50")
    assert settings.console.theme == "light"
    assert settings.orchestrator.tools["title-generator"].max_output_tokens == 77
    assert settings.orchestrator.tools["message"].chain[1:] == ("xai/grok-3",)
    assert settings.costs.azure_deployments == {"gpt-4o": "gpt-4o", "prod": "gpt-4o"}
    assert settings.orchestrator.breaker.failure_rate == 0.25
    assert settings.alerts.email_to == ("a@mail.test", "b@mail.test")


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    settings = load(tmp_path, environ={"OPENAI_BASE_URL": "", "HUNTAZE_DAEMON__PORT": "", "OPENAI_API_KEY": ""})

    assert settings.providers["openai"].base_url == "https://api.openai.com/v1"
    assert settings.providers["openai"].missing == "OPENAI_API_KEY is not set"


def test_a_provider_of_ones_own_has_a_base_url_variable_too(tmp_path: Path) -> None:
    text = "[providers.my-vllm]\nbase_url = 'http://127.0.0.1:8000/v1'\nfree = true"

    settings = load(tmp_path, text, {"MY_VLLM_BASE_URL": "http://127.0.0.1:9000/v1"})

    assert settings.ready_providers()["my-vllm"].base_url == "http://127.0.0.1:9000/v1"
    assert settings.costs.local_providers == ("my-vllm",)


def test_an_account_keeps_the_case_of_its_id(tmp_path: Path) -> None:
    settings = load(tmp_path, "[accounts.Anna]\nlimit = 5", {"HUNTAZE_ACCOUNTS__ANNA__NAME": "Anna B."})

    assert settings.accounts["Anna"].name == "Anna B."
    assert settings.limiter.of("Anna") == AccountLimit(messages=5, width=60 * SECOND)


# ── tools and aliases ───────────────────────────────────────────────────────────────────────────────────────────────


def test_aliases_of_tools_and_models_are_understood(tmp_path: Path) -> None:
    text = """
        [tools.pack-createur]
        provider = "deepseek"
        model = "deepseek-v3"
        fallback = ["claude-3.5-sonnet", "grok-3"]
        [tools.generateur-titres]
        max_output_tokens = 99
    """

    settings = load(tmp_path, text)

    assert settings.orchestrator.tools["creator-pack"].chain == (
        "deepseek/deepseek-chat",
        "anthropic/claude-sonnet-4-5",
        "xai/grok-3",
    )
    assert settings.orchestrator.tools["title-generator"].max_output_tokens == 99
    assert settings.orchestrator.aliases["generateur-titres"] == "title-generator"


def test_the_default_provider_goes_to_the_front_of_every_tool(tmp_path: Path) -> None:
    tools = load(tmp_path, environ={"DEFAULT_AI_PROVIDER": "deepseek"}).orchestrator.tools

    assert {route.chain[0] for route in tools.values()} == {"deepseek/deepseek-chat"}
    assert tools["message"].chain == ("deepseek/deepseek-chat", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5")
    assert tools["content-plan"].chain[1] == "azure/gpt-4o"


def test_the_azure_deployment_must_say_which_model_it_is(tmp_path: Path) -> None:
    found = problems(tmp_path, environ={"AZURE_OPENAI_DEPLOYMENT": "prod"})

    assert "its price is unknown" in found["AZURE_OPENAI_DEPLOYMENT"]
    mapped = load(tmp_path, "[providers.azure.deployments]\nprod = 'gpt-4o'", {"AZURE_OPENAI_DEPLOYMENT": "prod"})
    assert mapped.orchestrator.tools["content-plan"].chain[0] == "azure/prod"


def test_mail_goes_out_once_server_sender_and_recipient_are_named(tmp_path: Path) -> None:
    environ = {"SES_FROM_EMAIL": "from@mail.test", "COST_ALERT_EMAIL": "ops@mail.test", "HUNTAZE_SMTP__PASSWORD": "pw"}

    mail = load(tmp_path, "[smtp]\nhost = 'smtp.mail.test'", environ).mail

    assert load(tmp_path, "", environ).mail is None
    assert mail is not None
    assert (mail.host, mail.sender, mail.recipients) == ("smtp.mail.test", "from@mail.test", ("ops@mail.test",))
    assert mail.password == Secret("pw")


def test_the_rules_know_the_thresholds_of_the_costs(tmp_path: Path) -> None:
    text = "[costs]\nday_threshold_usd = '7.50'\n[alerts]\nthrottle_seconds = 60"

    rules = load(tmp_path, text).alert_rules

    assert (rules.day_threshold, rules.throttle) == (usd("7.50"), 60 * SECOND)


def test_the_copy_of_the_ledger_is_kept_as_long_as_one_says(tmp_path: Path) -> None:
    assert load(tmp_path, "").sync.keep == 30 * DAY
    assert load(tmp_path, "[dynamodb]\nttl_days = 90").sync.keep == 90 * DAY


def test_prices_of_ones_own_are_read(tmp_path: Path) -> None:
    text = """
        [[costs.prices]]
        provider = "openai"
        model = "gpt-9"
        from = 2026-01-01
        input = "0.15"
        output = "0.60"
    """

    price = load(tmp_path, text).costs.overrides[0]

    assert (price.provider, price.model, price.from_day) == ("openai", "gpt-9", date(2026, 1, 1))
    assert (price.input, price.output, price.cached) == (Decimal("0.15"), Decimal("0.60"), None)


# ── what is wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_wrong_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = """
[deamon]
port = 1
[daemon]
prot = 1
port = "8642"
[tools.mesage]
model = "x"
[costs]
day_threshold_usd = 50.0
time_zone = "Europe/Pariss"
[[costs.prices]]
provider = "openai"
from = 2026-01-01
input = "cheap"
[console]
theme = "blue"
"""
    environ = {
        "HUNTAZE_DAEMN": "1",
        "HUNTAZE_LIMITER__MESSAGES": "ten",
        "HUNTAZE_COSTS__DAY_TRESHOLD_USD": "3",
        "DEFAULT_AI_PROVIDER": "opena",
    }

    found = problems(tmp_path, text, environ)

    file = tmp_path / "config.toml"
    assert found["deamon"].startswith(f"{file}:2: deamon: is not a setting. Did you mean daemon?")
    assert found["daemon.prot"].startswith(f"{file}:5: ")
    assert "Did you mean port?" in found["daemon.prot"]
    assert "Valid here: host, port" in found["daemon.prot"]
    assert found["daemon.port"] == f"{file}:6: daemon.port: must be a whole number"
    assert "Did you mean message?" in found["tools.mesage"]
    assert "in quotes" in found["costs.day_threshold_usd"]
    assert "Europe/Paris" in found["costs.time_zone"]
    assert found["costs.prices.0.model"] == f"{file}:12: costs.prices.0.model: is missing"
    assert "costs.prices.0.output" in found
    assert found["costs.prices.0.input"].startswith(f"{file}:15: ")
    assert "dark, light, contrast or colour-blind" in found["console.theme"]
    assert "Did you mean HUNTAZE_DAEMON__…?" in found["HUNTAZE_DAEMN"]
    assert found["limiter.messages"] == "HUNTAZE_LIMITER__MESSAGES: limiter.messages: must be a whole number"
    assert "Did you mean day_threshold_usd?" in found["costs.day_treshold_usd"]
    assert "Did you mean openai?" in found["DEFAULT_AI_PROVIDER"]


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("[tools.message]\nfallback = ['opnai/x']", "tools.message.fallback", "Did you mean openai?"),
        ("[tools.message]\nfallback = ['gpt']", "tools.message.fallback", "is no provider/model"),
        ("[tools.message]\nprovider = 'mine'", "tools.message.provider", "is not a provider"),
        ("[tools.content-plan]\nmodel = 'gpt-5'", "tools.content-plan.model", "is not a deployment of azure"),
        ("[daemon]\nhost = '0.0.0.0'", "daemon.host", "needs TLS"),
        ("[daemon]\ntls_cert = 'cert.pem'", "daemon.tls_key", "is missing"),
        ("[providers.mine]\nenabled = true", "providers.mine", "MINE_BASE_URL"),
        ("[providers.mine]\nbase_url = 'ftp://x'", "providers.mine.base_url", "https://"),
        (
            "[providers.mine]\nbase_url = 'https://me:pw@x'",
            "providers.mine.base_url",
            "does not belong into an address",
        ),
        ("[orchestrator]\ntotal_seconds = inf", "orchestrator.total_seconds", "finite"),
        ("[orchestrator]\ntask_seconds = 10", "orchestrator.task_seconds", "shorter than total_seconds"),
        ("[costs]\nhold_lease_seconds = 5", "costs.hold_lease_seconds", "must exceed"),
        ("[costs]\nday_threshold_usd = '-1'", "costs.day_threshold_usd", "negative"),
        ("[costs]\nday_threshold_usd = 'lots'", "costs.day_threshold_usd", "not an amount"),
        ("[limiter]\nmessages = 0", "limiter.messages", "greater than or equal to 1"),
        ("[limiter]\nmessages = true", "limiter.messages", "whole number"),
        ("[campaigns]\ndisclosure_text = ''", "campaigns.disclosure_text", "one line of visible text"),
        ("[alerts]\nerror_rate = 0.5", "alerts.error_rate_critical", "below error_rate"),
        ("limiter = 3", "limiter", "must be a table"),
        ("tools = 3", "tools", "must be a table"),
        ("providers = []", "providers", "must be a table"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, key: str, said: str) -> None:
    assert said in problems(tmp_path, text)[key]


def test_a_file_that_is_not_toml_is_named_with_the_line(tmp_path: Path) -> None:
    assert "line 2" in problems(tmp_path, "[daemon]\nport = \n")[""]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="No such file"):
        load_settings(tmp_path / "none.toml", {})


def test_names_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    load(tmp_path, environ={"SOME_BASE_URL": "nonsense", "HUNTAZE_CONFIG": "x", "HUNTAZE_STATE_DIR": "y", "HUNT": "z"})


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "key", "variable"),
    [
        ("[providers.openai]\napi_key = 'do-not-show'", "providers.openai.api_key", "OPENAI_API_KEY"),
        ("[providers.mine]\napi_key = 'do-not-show'\nbase_url = 'https://x'", "providers.mine.api_key", "HUNTAZE_PROV"),
        ("[platform]\ntoken = 'do-not-show'", "platform.token", "ONLYFANS_API_TOKEN"),
        ("[smtp]\npassword = 'do-not-show'", "smtp.password", "HUNTAZE_SMTP__PASSWORD"),
        ("[alerts]\nslack_webhook_url = 'do-not-show'", "alerts.slack_webhook_url", "SLACK_WEBHOOK_URL"),
        ("[providers.openai]\norganization = 'sk-do-not-show-0123456789'", "providers.openai.organization", "HUNTAZE_"),
        ("[providers.openai]\napi_key_env = 'sk-do-not-show-0123456789'", "providers.openai.api_key_env", ""),
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_repeated(tmp_path: Path, text: str, key: str, variable: str) -> None:
    found = problems(tmp_path, text)[key]

    assert variable in found
    assert "do-not-show" not in found


def test_a_private_file_may_hold_a_secret(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("from-a-file\n")
    key.chmod(0o600)
    text = f"[providers.openai]\napi_key_file = '{key}'"

    assert load(tmp_path, text).providers["openai"].api_key == Secret("from-a-file")
    assert load(tmp_path, text, {"OPENAI_API_KEY": "from-env"}).providers["openai"].api_key == Secret("from-env")


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("do-not-show")
    key.chmod(0o640)

    found = problems(tmp_path, f"[platform]\ntoken_file = '{key}'")["platform.token_file"]

    assert "0640" in found
    assert f"chmod 600 {key}" in found
    assert "do-not-show" not in found


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, "[smtp]\npassword_file = '/nowhere/at/all'")

    assert "No such file" in found["smtp.password_file"]


def test_a_key_with_a_blank_in_it_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load(tmp_path, environ={"OPENAI_API_KEY": "do not show"})

    assert "OPENAI_API_KEY: providers.openai.api_key" in str(caught.value)
    assert "do not show" not in str(caught.value)


# ── simulation ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_simulation_reads_no_real_key_or_address(tmp_path: Path) -> None:
    environ = {
        "OPENAI_API_KEY": "real",
        "OPENAI_BASE_URL": "https://real.test",
        "AZURE_OPENAI_ENDPOINT": "https://real.test",
        "AZURE_OPENAI_DEPLOYMENT": "unmapped",
        "ONLYFANS_API_TOKEN": "real",
        "SLACK_WEBHOOK_URL": "https://real.test",
        "HUNTAZE_PROVIDERS__XAI__API_KEY": "real",
        "HUNTAZE_SMTP__PASSWORD": "real",
    }

    settings = load(tmp_path, "[platform]\ntoken_file = '/nowhere'", environ, simulated=True)

    assert all(not row.api_key for row in settings.providers.values())
    assert settings.providers["openai"].base_url == "https://api.openai.com/v1"
    assert not settings.platform.token
    assert not settings.smtp.password
    assert not settings.alerts.slack_webhook_url


def test_settings_for_a_world_dial_nothing_else(tmp_path: Path) -> None:
    text = (
        "[backends]\nledger_sync = 'dynamodb'\n[smtp]\nhost = 'mail.test'\n[providers.mine]\nbase_url='https://m.test'"
    )

    settings = load(tmp_path, text, simulated=True).for_world("http://127.0.0.1:9/")

    assert {name: row.base_url for name, row in settings.providers.items()} == {
        "openai": "http://127.0.0.1:9/openai/v1",
        "azure": "http://127.0.0.1:9/azure",
        "anthropic": "http://127.0.0.1:9/anthropic",
        "deepseek": "http://127.0.0.1:9/deepseek/v1",
        "xai": "http://127.0.0.1:9/xai/v1",
        "gemini": "http://127.0.0.1:9/gemini/v1beta/openai",
        "mine": "http://127.0.0.1:9/openai/v1",
    }
    assert {row.api_key.reveal() for row in settings.ready_providers().values()} == {"simulated"}
    assert settings.platform.url == "http://127.0.0.1:9/platform"
    assert settings.backends.ledger_sync == "off"
    assert settings.smtp.host == ""
    assert settings.idle_tools() == ()


def test_a_world_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        load(tmp_path, simulated=True).for_world("http://world.test")
