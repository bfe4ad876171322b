"""The most input tokens a request can have: counted by the provider's own tokenizer where there is one, else by bytes.

A count must never be too low, since a budget rests on it. What the provider adds around a message is taken at the most
that OpenAI documents; what it does with pictures and tools, which is not public, is bounded from above.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Protocol

from engine.providers import ModelRequest

_log = logging.getLogger(__name__)

_MESSAGE = 4  # tokens around a message in OpenAI's chat format: its beginning, role, separator and end
_NAMED = 2  # more for one that carries a name
_ANSWER = 3  # the beginning of the answer
_MARGIN = 1.25  # JSON of tools and schemas is rewritten by the provider, into something shorter as a rule
_FRAME = 32  # tokens around a rewritten piece
_PICTURE = 48_169  # the dearest picture OpenAI documents: 2,833 and 8 tiles of 5,667 for gpt-4o-mini, in high detail
_DOCUMENT = 128_000  # a file may hold more than its bytes, once its pages are looked at: a whole context
_LONGEST = 100_000  # bytes of one text that are counted; a longer one is bounded by its bytes, quickly
_MOST = 500_000  # bytes of a request that is counted
_THREADED = 20_000  # bytes from which the count leaves the loop: it takes a millisecond or two

_UNREAD = frozenset({"model", "user", "metadata", "stream_options", "service_tier", "reasoning_effort", "stop"})
"""Parameters of a request that the model does not read."""

_O200K = ("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "chatgpt-4o", "o1", "o3", "o4")
"""Beginnings of the names of the models that read o200k."""


class Tokenizer(Protocol):
    """Counts tokens."""

    def count(self, text: str) -> int: ...


class TokenCounter:
    """Loads its tokenizer in a thread at the first call that could use it; until then, and without one, bytes count.

    `models` says what model stands behind a name, as an Azure deployment's.
    """

    def __init__(self, *, counting: bool = True, models: Mapping[str, str] | None = None) -> None:
        self._counting = counting
        self._models = models or {}
        self._tokenizer: Tokenizer | None = None
        self._loading: asyncio.Task[None] | None = None

    async def bound(self, model: str, request: ModelRequest, by_bytes: int, *, close: bool = True) -> int:
        """The most input tokens the request can have; `by_bytes` bounds its texts, and the pictures of a body.

        `close`: worth a count, since somebody pays for what is held too much.
        """
        beyond = _structure_bytes(request.schema) if request.body is None else 0
        model = self._models.get(model, model).removeprefix("ft:")
        if not (close and self._counting) or not model.startswith(_O200K) or by_bytes > _MOST:
            return by_bytes + beyond
        if self._tokenizer is None:
            self._load()
            return by_bytes + beyond
        counted = count(self._tokenizer, request) if by_bytes < _THREADED else await self._apart(request)
        return min(by_bytes + beyond, counted)

    async def _apart(self, request: ModelRequest) -> int:
        assert self._tokenizer is not None  # noqa: S101 - asked by the only caller
        return await asyncio.to_thread(count, self._tokenizer, request)

    async def ready(self) -> None:
        """Wait until the tokenizer is loaded, or known to be missing."""
        self._load()
        if self._loading is not None:
            await self._loading

    def _load(self) -> None:
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._loaded())

    async def _loaded(self) -> None:
        try:
            self._tokenizer = await asyncio.to_thread(_open)
        except (ImportError, OSError, AttributeError) as error:
            _log.warning("input is bounded by its bytes, for the tokenizer could not be loaded: %s", error)


def _open() -> Tokenizer:
    """The o200k vocabulary, from the package's compiled part alone: its Python part builds tables of 75 MB for a face
    that is not needed here. See docs/decisions/0009-tokenizer.md. Raises ImportError, OSError."""
    package = find_spec("bpe_openai")
    places = package.submodule_search_locations if package is not None else None
    libraries = (Path(place, f"_bindings{suffix}") for place in places or () for suffix in EXTENSION_SUFFIXES)
    found = next((path for path in libraries if path.is_file()), None)
    if found is None:
        raise ImportError("the package bpe-openai is not installed")
    name = "_bindings"  # as the library calls itself
    loader = ExtensionFileLoader(name, str(found))
    spec = spec_from_file_location(name, found, loader=loader)
    assert spec is not None  # noqa: S101 - there is a loader
    module = module_from_spec(spec)
    loader.exec_module(module)
    tokenizer: Tokenizer = module.tokenizer_for_encoding("o200k_base")
    return tokenizer


def count(tokenizer: Tokenizer, request: ModelRequest) -> int:
    """The most tokens of a request by this tokenizer."""
    if request.body is not None:
        return _body(tokenizer, request.body)
    total = _ANSWER + sum(_MESSAGE + _text(tokenizer, message.text) for message in request.messages)
    return total + (_structure(tokenizer, request.schema) if request.schema else 0)


def _body(tokenizer: Tokenizer, body: Mapping[str, Any]) -> int:
    """Of an OpenAI-shaped request: texts as they are, pictures at their most, all else by its JSON."""
    total = _ANSWER
    for key, value in body.items():
        if key == "messages" and isinstance(value, Sequence) and not isinstance(value, str):
            total += sum(_message(tokenizer, message) for message in value)
        elif isinstance(value, str | Mapping | Sequence) and key not in _UNREAD:
            total += _structure(tokenizer, value)
    return total


def _message(tokenizer: Tokenizer, message: object) -> int:
    if not isinstance(message, Mapping):
        return _structure(tokenizer, message)
    total = _MESSAGE + _NAMED
    for key, value in message.items():
        if isinstance(value, str):
            total += _text(tokenizer, value)
        elif key == "content" and isinstance(value, Sequence):
            total += sum(_part(tokenizer, part) for part in value)
        elif value is not None:
            total += _structure(tokenizer, value)
    return total


def _part(tokenizer: Tokenizer, part: object) -> int:
    if isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return _MESSAGE + _text(tokenizer, part["text"])
    return _beyond(part) or _structure(tokenizer, part)


def _structure(tokenizer: Tokenizer, value: object) -> int:
    return int(_text(tokenizer, json.dumps(value, ensure_ascii=False, default=repr)) * _MARGIN) + _FRAME


def _structure_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=repr).encode()) + _FRAME if value else 0


def _beyond(part: object) -> int:
    """By what it holds: a server may take a part that forgot to say its type."""
    if not isinstance(part, Mapping):
        return 0
    return _PICTURE if "image_url" in part else _DOCUMENT if "file" in part else 0


def _text(tokenizer: Tokenizer, text: str) -> int:
    """A token has at least one byte, so a text's bytes bound it, however hard it is to count."""
    size = len(text.encode(errors="replace"))
    return size if size > _LONGEST else tokenizer.count(text)
