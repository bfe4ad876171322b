"""What single models can do, as rows: how much they hold and write, and whether they see, call tools, keep a schema.

From the providers' model pages and the bundled price table, as of November 2026. A name stands for itself and for
every version that goes on with a hyphen (`gpt-4o` for `gpt-4o-2024-08-06`); the longest that fits wins. Of a model
without a row nothing is held against it: a router that refused what it does not know would refuse every new model.
Operators correct a row under `[models]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Tokens, None where they are not known. `context` holds a call's input and output together."""

    context: int | None = None
    largest_output: int | None = None
    images: bool = True
    tools: bool = True
    schema: bool = True  # it can be held to a JSON schema; JSON alone is not enough
    thinks_unseen: bool = False  # it bills reasoning that no piece of a stream shows


UNKNOWN_MODEL = Model()


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What an operator says of one model; None leaves the row as it is."""

    context: int | None = None
    largest_output: int | None = None
    images: bool | None = None
    tools: bool | None = None
    schema: bool | None = None
    thinks_unseen: bool | None = None


def _text(context: int, output: int, *, schema: bool = True, tools: bool = True) -> Model:
    return Model(context=context, largest_output=output, images=False, tools=tools, schema=schema)


def _sees(context: int, output: int, *, schema: bool = True) -> Model:
    return Model(context=context, largest_output=output, schema=schema)


_OPENAI: Mapping[str, Model] = MappingProxyType(
    {
        "gpt-3.5-turbo": _text(16_385, 4_096, schema=False),
        "gpt-4": _text(8_192, 8_192, schema=False),
        "gpt-4-1106": _text(128_000, 4_096, schema=False),
        "gpt-4-0125": _text(128_000, 4_096, schema=False),
        "gpt-4-turbo": _sees(128_000, 4_096, schema=False),
        "gpt-4o": _sees(128_000, 16_384),
        "gpt-4o-2024-05-13": _sees(128_000, 4_096, schema=False),
        "gpt-4.1": _sees(1_047_576, 32_768),
        "gpt-5": _sees(400_000, 128_000),
        "o1": _sees(200_000, 100_000),
        "o1-mini": _text(128_000, 65_536, schema=False, tools=False),
        "o3": _sees(200_000, 100_000),
        "o3-mini": _text(200_000, 100_000),
        "o4-mini": _sees(200_000, 100_000),
        "text-embedding": Model(context=8_192, images=False, tools=False, schema=False),
    }
)

_ROWS: Mapping[str, Mapping[str, Model]] = MappingProxyType(
    {
        "openai": _OPENAI,
        "azure": _OPENAI,
        "anthropic": MappingProxyType(
            {
                "claude-3-haiku": _sees(200_000, 4_096, schema=False),
                "claude-3-5": _sees(200_000, 8_192, schema=False),
                "claude-3-7-sonnet": _sees(200_000, 64_000, schema=False),
                "claude-sonnet-4": _sees(200_000, 64_000, schema=False),
                "claude-sonnet-4-5": _sees(200_000, 64_000),
                "claude-opus-4": _sees(200_000, 32_000, schema=False),
                "claude-opus-4-1": _sees(200_000, 32_000),
                "claude-opus-4-5": _sees(200_000, 64_000),
                "claude-haiku-4-5": _sees(200_000, 64_000),
                "claude-sonnet-4-6": Model(context=1_000_000),
                "claude-opus-4-6": Model(context=1_000_000),
                "claude-opus-4-7": Model(context=1_000_000),
                "claude-opus-4-8": Model(context=1_000_000),
            }
        ),
        "deepseek": MappingProxyType(
            {
                "deepseek-chat": _text(128_000, 8_192, schema=False),
                "deepseek-reasoner": _text(128_000, 64_000, schema=False),
            }
        ),
        "xai": MappingProxyType(
            {
                "grok-2": Model(context=131_072, images=False),
                "grok-2-vision": Model(context=32_768),
                "grok-3": Model(context=131_072, images=False),
                "grok-4": Model(context=256_000),
                "grok-4-fast": Model(context=2_000_000),
                "grok-4-1-fast": Model(context=2_000_000),
                "grok-code-fast-1": Model(context=256_000, images=False),
            }
        ),
        "gemini": MappingProxyType(
            {
                "gemini-2.0-flash": _sees(1_048_576, 8_192),
                "gemini-2.5-flash": _sees(1_048_576, 65_536),
                "gemini-2.5-pro": _sees(1_048_576, 65_536),
            }
        ),
    }
)


_THINK_UNSEEN = ("o1", "o3", "o4", "gpt-5", "gemini-2.5", "gemini-3", "grok-4")
"""How the names of the families begin that reason unseen. At whatever provider, with or without a row, and in versions
yet to come: to take one for a model that shows all it bills would book a broken stream too low."""


_KEPT = 1_000  # models looked up; a client of the gateway may name any


class Models:
    """Looks models up. `deployments` says which model stands behind an Azure deployment."""

    def __init__(
        self, corrections: Mapping[str, Correction] | None = None, deployments: Mapping[str, str] | None = None
    ) -> None:
        self._corrections = corrections or {}
        self._deployments = deployments or {}
        self._found: dict[tuple[str, str], Model] = {}

    def correct(self, corrections: Mapping[str, Correction]) -> None:
        """Take over what the operator knows now."""
        self._corrections = corrections
        self._found.clear()

    def of(self, provider: str, name: str) -> Model:
        """What is known of a model; nothing is held against one with neither a row nor a correction."""
        found = self._found.get((provider, name))
        if found is None:
            if len(self._found) >= _KEPT:
                self._found.clear()
            found = self._found[provider, name] = self._look_up(provider, name)
        return found

    def _look_up(self, provider: str, name: str) -> Model:
        deployed = provider == "azure" or provider not in _ROWS  # a second Azure resource has a name of its own
        behind = self._deployments.get(name, name) if deployed else name
        unseen = behind.rpartition("/")[2].startswith(_THINK_UNSEEN)
        row = replace(_row(_ROWS.get(provider, {}), behind), thinks_unseen=unseen)
        correction = self._corrections.get(f"{provider}/{name}")
        if correction is None:
            return row
        return Model(
            context=row.context if correction.context is None else correction.context,
            largest_output=row.largest_output if correction.largest_output is None else correction.largest_output,
            images=row.images if correction.images is None else correction.images,
            tools=row.tools if correction.tools is None else correction.tools,
            schema=row.schema if correction.schema is None else correction.schema,
            thinks_unseen=row.thinks_unseen if correction.thinks_unseen is None else correction.thinks_unseen,
        )


def _row(rows: Mapping[str, Model], name: str) -> Model:
    fitting = [known for known in rows if name == known or name.startswith(f"{known}-")]
    return rows[max(fitting, key=len)] if fitting else UNKNOWN_MODEL
