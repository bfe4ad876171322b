"""The endpoints this product knows by name, as rows: a dialect is code, an endpoint is data.

A row says what the endpoint's own documentation says of its chat interface. Anything else that speaks OpenAI's
dialect (vLLM, a company's gateway) starts from the row `compatible` with a base URL of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Dialect(StrEnum):
    """The wire format an endpoint speaks; each has one adapter."""

    OPENAI = "openai"
    AZURE = "azure"
    ANTHROPIC = "anthropic"


class Schema(StrEnum):
    """How an endpoint can be held to a JSON schema."""

    ENFORCED = "enforced"  # it takes the schema and keeps to it
    JSON_ONLY = "json_only"  # it can promise JSON; the schema is told to the model in words
    TOLD = "told"  # nothing but words


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """In what an endpoint departs from the others of its dialect."""

    limit_field: str = "max_tokens"  # the name of the output limit; OpenAI's newer models refuse the old one
    schema: Schema = Schema.ENFORCED
    asks_stream_usage: bool = True  # a stream tells its usage only when asked to
    user_field: str = "user"  # where the opaque user id goes; empty where there is no place for it
    reasoning_in_total_only: bool = False  # reasoning tokens are billed but appear nowhere except in `total_tokens`
    half_price: frozenset[str] = frozenset()  # the service tiers billed at half, as a chat answer names them
    dearer: frozenset[str] = frozenset()  # and those billed at more, by rates of their own
    unbilled: frozenset[int] = frozenset(range(300, 500))  # statuses that are certain to cost nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row. An empty `base_url` must be configured; an empty `key_env` means that it works without a key."""

    name: str
    dialect: Dialect
    base_url: str
    key_env: str
    quirks: Quirks = Quirks()


_ROWS = (
    Endpoint(
        name="openai",
        dialect=Dialect.OPENAI,
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        quirks=Quirks(
            limit_field="max_completion_tokens",
            user_field="safety_identifier",
            half_price=frozenset({"batch", "flex"}),
            dearer=frozenset({"priority"}),
        ),
    ),
    Endpoint(
        name="azure",
        dialect=Dialect.AZURE,
        base_url="",
        key_env="AZURE_OPENAI_API_KEY",
        # Azure bills the prompt of a 400 from its content filter and of a 408 (its page "Plan to manage costs").
        quirks=Quirks(
            half_price=frozenset({"batch"}),
            dearer=frozenset({"priority"}),
            unbilled=frozenset(range(300, 500)) - {400, 408},
        ),
    ),
    Endpoint(
        name="anthropic",
        dialect=Dialect.ANTHROPIC,
        base_url="https://api.anthropic.com",
        key_env="ANTHROPIC_API_KEY",
        quirks=Quirks(asks_stream_usage=False, user_field="metadata.user_id"),
    ),
    Endpoint(
        name="deepseek",
        dialect=Dialect.OPENAI,
        base_url="https://api.deepseek.com",
        key_env="DEEPSEEK_API_KEY",
        quirks=Quirks(schema=Schema.JSON_ONLY, user_field=""),
    ),
    Endpoint(
        name="xai",
        dialect=Dialect.OPENAI,
        base_url="https://api.x.ai/v1",
        key_env="XAI_API_KEY",
        quirks=Quirks(limit_field="max_completion_tokens"),
    ),
    Endpoint(
        name="gemini",
        dialect=Dialect.OPENAI,
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env="GEMINI_API_KEY",
        quirks=Quirks(
            user_field="",
            reasoning_in_total_only=True,
            half_price=frozenset({"batch", "flex"}),
            dearer=frozenset({"priority"}),
        ),
    ),
    Endpoint(
        name="ollama",
        dialect=Dialect.OPENAI,
        base_url="http://127.0.0.1:11434/v1",
        key_env="",
        quirks=Quirks(user_field=""),
    ),
    Endpoint(
        name="compatible",
        dialect=Dialect.OPENAI,
        base_url="",
        key_env="",
        quirks=Quirks(user_field=""),
    ),
)

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({row.name: row for row in _ROWS})
