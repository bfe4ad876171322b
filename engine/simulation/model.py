"""The simulated language models: which exist, how fast they answer, and how many tokens a call used.

What an answer says is `prose`'s; what it costs in tokens and time is decided here, from the seed and the request alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from engine.kernel.values import MILLISECOND, SECOND
from engine.simulation import prose, tokens
from engine.simulation.dice import Dice

_CACHEABLE = 1_024  # tokens; the least prefix a provider's prompt cache keeps
_CACHE_STEP = 128  # tokens; cached amounts are whole multiples
_EXACTLY = re.compile(r"reply[ _]with[ _]exactly[ _](\d+)[ _]tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. `thinks` is the reasoning it adds to an answer, in tokens of median; 0 for none."""

    name: str
    answers_as: str  # the name it gives itself in its answers
    first: int  # nanoseconds to the first token, median
    rate: float  # tokens a second, median
    thinks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a model is asked. `contents` are the texts of all messages in the client's order, a system text first."""

    provider: str
    model: Model
    contents: tuple[str, ...]
    last_user: str
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    wants_json: bool = False
    cacheable: str | None = None  # the text the client marked for caching; None where the provider decides itself

    @property
    def text(self) -> str:
        return tokens.join(self.contents)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the text, hexadecimal: how the record names a prompt."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens by the world's count. Cached and written ones are part of the input, reasoning ones of the output."""

    input: int
    output: int
    cached: int = 0
    written: int = 0
    reasoning: int = 0


class End(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"  # the client's limit cut it
    FILTERED = "filtered"  # the provider withheld it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answers, and when: `first` and `whole` are nanoseconds after the request's arrival."""

    text: str
    end: End
    usage: Usage
    first: int
    whole: int


@dataclass(frozen=True, slots=True)
class _Family:
    pattern: re.Pattern[str]
    first: int  # milliseconds
    rate: float
    thinks: int = 0


def _family(pattern: str, first: int, rate: float, thinks: int = 0) -> _Family:
    return _Family(re.compile(pattern), first, rate, thinks)


_DATED = r"(-\d{4}-\d\d-\d\d)?"
_OPENAI = (
    _family(r"gpt-3\.5-turbo(-\d{4}|-16k)?", 320, 95),
    _family(r"gpt-(4o|4\.1|5(\.\d)?)-(mini|nano)" + _DATED, 340, 110),
    _family(r"gpt-(4|4-turbo|4o|4\.1|chat-latest)" + _DATED, 560, 70),
    _family(r"chatgpt-4o-latest", 560, 70),
    _family(r"(gpt-[56](\.\d)?(-pro|-sol|-luna|-terra)?|o[134](-mini|-pro)?)" + _DATED, 1_400, 90, 180),
)
_FAMILIES: Mapping[str, tuple[_Family, ...]] = {
    "openai": _OPENAI,
    "azure": _OPENAI,
    "anthropic": (
        _family(r"claude-(3(-5)?-haiku|haiku-\d(-\d)?)(-\d{8}|-latest)?", 380, 120),
        _family(r"claude-(3(-[57])?-(sonnet|opus)|(sonnet|opus|fable|mythos)-\d(-\d)?)(-\d{8}|-latest)?", 780, 65),
    ),
    "deepseek": (
        _family(r"deepseek-(chat|flash|v\d(\.\d)?(-(flash|pro|exp))?)", 640, 55),
        _family(r"deepseek-reasoner", 1_200, 50, 260),
    ),
    "xai": (_family(r"grok-[2-9](\.\d+|-\d)?(-mini|-fast|-latest|-(non-)?reasoning|-\d{4})*", 520, 85),),
    "gemini": (
        _family(r"(models/)?gemini-\d(\.\d)?-pro(-latest|-preview)*", 900, 110, 220),
        _family(r"(models/)?gemini-\d(\.\d)?-flash(-lite|-latest|-preview)*", 420, 140),
    ),
}
_EMBEDDINGS = re.compile(r"(text-embedding-(3-small|3-large|ada-002)|(models/)?(gemini-|text-)embedding-\d+)")
_ANSWERS_AS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
}
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "openai": (
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-3.5-turbo",
        "o4-mini",
        "text-embedding-3-small",
    ),
    "azure": ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"),
    "anthropic": ("claude-sonnet-5", "claude-opus-4-8", "claude-haiku-4-5", "claude-sonnet-4-5"),
    "deepseek": ("deepseek-chat", "deepseek-reasoner"),
    "xai": ("grok-3", "grok-3-mini", "grok-4-fast-non-reasoning"),
    "gemini": ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite", "gemini-embedding-001"),
}


def find(provider: str, name: str) -> Model | None:
    """The provider's model of that name, if it has one."""
    for family in _FAMILIES[provider]:
        if family.pattern.fullmatch(name):
            return Model(
                name=name,
                answers_as=_ANSWERS_AS.get(name, name) if provider in ("openai", "azure") else name,
                first=family.first * MILLISECOND,
                rate=family.rate,
                thinks=family.thinks,
            )
    return None


def embeds(name: str) -> bool:
    """Whether the name is that of an embedding model."""
    return _EMBEDDINGS.fullmatch(name) is not None


def shown(provider: str) -> tuple[str, ...]:
    """The models a provider lists; others of the same families answer too."""
    return _SHOWN[provider]


class PromptCache:
    """Which beginnings of prompts a provider has seen. It answers the same whatever order the rest arrives in."""

    def __init__(self, *, enabled: bool, share: float) -> None:
        self._enabled = enabled
        self._share = share
        self._seen: set[tuple[str, str, str]] = set()

    def look(self, ask: Ask, size: int) -> tuple[int, int]:
        """(tokens read from the cache, tokens written to it) for a prompt of `size` tokens."""
        marked = ask.cacheable
        if not self._enabled or size < _CACHEABLE or (marked is not None and tokens.count(marked) < _CACHEABLE):
            return 0, 0
        prefix = marked if marked is not None else tokens.cut(ask.text, _CACHEABLE)
        key = (ask.provider, ask.model.name, hashlib.sha256(prefix.encode()).hexdigest())
        known = key in self._seen
        self._seen.add(key)
        if marked is not None:
            kept = tokens.count(marked)
            return (kept, 0) if known else (0, kept)
        return (max(_CACHEABLE, int(size * self._share) // _CACHE_STEP * _CACHE_STEP), 0) if known else (0, 0)


def answer(ask: Ask, seed: int, cache: PromptCache) -> Answer:
    """What the model answers. Only the cached amounts depend on what was asked before."""
    dice = Dice(seed, ask.provider, ask.model.name, ask.fingerprint)
    exactly = _EXACTLY.search(ask.last_user)
    full = _compose(ask, dice, int(exactly[1]) if exactly and not ask.schema else None)
    thinking = 0 if exactly or not ask.model.thinks else round(ask.model.thinks * dice.spread(0.5))
    limit = ask.max_tokens if ask.max_tokens is not None else 1 << 30
    thinking = min(thinking, limit)
    text = tokens.cut(full, limit - thinking)
    size = tokens.count(ask.text)
    cached, written = cache.look(ask, size)
    output = thinking + tokens.count(text)
    first, whole = _timing(ask.model, dice, thinking, output)
    usage = Usage(input=size, output=output, cached=cached, written=written, reasoning=thinking)
    end = End.LENGTH if len(text) < len(full) else End.STOP
    return Answer(text=text, end=end, usage=usage, first=first, whole=whole)


def withheld(answer: Answer) -> Answer:
    """The answer as a content filter lets it through: nothing of it, though its input was read and counts."""
    return replace(answer, text="", end=End.FILTERED, usage=replace(answer.usage, output=0, reasoning=0))


def as_far_as(answer: Answer, text: str) -> Answer:
    """The answer of which only this text was generated before its reader left: a provider stops then."""
    output = answer.usage.reasoning + tokens.count(text)
    return replace(answer, text=text, usage=replace(answer.usage, output=output))


def _compose(ask: Ask, dice: Dice, exactly: int | None) -> str:
    if exactly is not None:
        return prose.exactly(exactly, dice)
    if schema := ask.schema or prose.schema_in_words(ask.text):
        return prose.matching(schema, ask.text, dice)
    if ask.wants_json:
        return prose.matching(prose.ANY_OBJECT, ask.text, dice)
    return prose.reply(ask.text, dice)


def _timing(model: Model, dice: Dice, thinking: int, output: int) -> tuple[int, int]:
    each = SECOND / (model.rate * dice.spread(0.2))
    first = round(model.first * dice.spread(0.35) + thinking * each)
    return first, first + round((output - thinking) * each)
