"""Settings, secrets, and what opening a provider loads."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

from engine.kernel.errors import ConfigError
from engine.kernel.secret import Secret
from engine.providers import ENDPOINTS, Dialect, ProviderSettings

KEY = Secret("sk-live-12345")


def test_secret_never_shows_itself() -> None:
    settings = ProviderSettings.of("openai", api_key=KEY)

    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{KEY!r:>10}", repr(settings), str(settings)):
        assert "live" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(KEY)
    assert copy.deepcopy(settings) == settings
    assert KEY.reveal() == "sk-live-12345"


def test_secrets_compare_by_text_and_empty_ones_are_falsy() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("a") != "a"
    assert not Secret()


def test_row_gives_what_is_not_configured() -> None:
    settings = ProviderSettings.of("deepseek", api_key=KEY)

    assert settings.name == "deepseek"
    assert settings.dialect is Dialect.OPENAI
    assert settings.base_url == "https://api.deepseek.com"
    assert settings.quirks == ENDPOINTS["deepseek"].quirks


def test_any_compatible_address_needs_no_key() -> None:
    assert ProviderSettings.of("compatible", name="vllm", base_url="http://10.0.0.5:8000/v1").name == "vllm"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"endpoint": "opnai", "api_key": KEY}, "Known: openai"),
        ({"endpoint": "xai"}, "XAI_API_KEY"),
        ({"endpoint": "azure", "api_key": KEY}, "azure.base_url"),
        ({"endpoint": "openai", "api_key": KEY, "base_url": "api.openai.com"}, "openai.base_url"),
        ({"endpoint": "openai", "api_key": Secret("sk-live-1\n")}, "openai.api_key"),
    ],
)
def test_wrong_settings_are_named_without_the_key(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ProviderSettings.of(**fields)  # type: ignore[arg-type]

    assert named in str(caught.value)
    assert "live" not in str(caught.value)


def test_azure_price_needs_the_explicit_map() -> None:
    azure = ProviderSettings.of("azure", api_key=KEY, base_url="https://r.example", deployments={"dep": "gpt-4o"})

    assert azure.priced_model("dep") == "gpt-4o"
    assert azure.priced_model("gpt-4o") is None
    assert ProviderSettings.of("openai", api_key=KEY).priced_model("gpt-4o") == "gpt-4o"


@pytest.mark.parametrize(
    ("dialect", "absent"),
    [(None, "openai anthropic httpx2 aiohttp pydantic"), ("openai", "anthropic"), ("anthropic", "openai")],
)
def test_only_the_sdk_that_is_asked_for_is_loaded(dialect: str | None, absent: str) -> None:
    opening = f"""
from engine.kernel.clock import SystemClock
from engine.kernel.secret import Secret
open_provider(ProviderSettings.of({dialect!r}, api_key=Secret("x"), base_url="http://127.0.0.1:9"), SystemClock())
"""
    code = "import sys\nfrom engine.providers import *" + (opening if dialect else "")
    code += f"\nprint([name for name in {absent.split()!r} if name in sys.modules])"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"
