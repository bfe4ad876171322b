"""What an action is called in `[console.keys]`, which actions there are, and whether a remapping can work.

An action's name is that of its method where it takes no argument, else made of its words: `halt`, `redrive_all`, `up`.
Two actions of one screen on the same key take turns on it and share the first one's name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

from textual.binding import Binding, BindingType
from textual.keys import Keys, key_to_character

_EATEN: Mapping[str, str] = {
    "ctrl+a": "GNU screen takes it",
    "ctrl+b": "tmux takes it",
    "ctrl+c": "it always leaves the console",
    "ctrl+h": "terminals send it for backspace",
    "ctrl+i": "terminals send it for tab",
    "ctrl+j": "terminals send it for enter",
    "ctrl+m": "terminals send it for enter",
    "ctrl+q": "terminals take it to let their output go on",
    "ctrl+s": "terminals take it to hold their output",
    "ctrl+z": "it always suspends the console",
    **{f"f{number}": "many terminals keep it for themselves" for number in range(1, 25)},
}
_KEPT = frozenset({"ctrl+c", "ctrl+z"})  # what these do is not taken from them
_SPELLED: Mapping[str, str] = {
    "escape": "esc",
    "slash": "/",
    "space": "space",
    "pageup": "page up",
    "pagedown": "page down",
}
_LONE = ("screens.compose", "screens.help")  # with screens that no place leads to by an import


@dataclass(frozen=True, slots=True)
class Wrong:
    """One entry of a remapping that cannot work: why, and what to do."""

    action: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Bindings that are active together: those of a screen and its table, or of the whole console."""

    name: str
    bindings: tuple[Binding, ...]


def named(bindings: Iterable[BindingType]) -> list[BindingType]:
    """The bindings of a class, each with the name of its action."""
    found: list[BindingType] = []
    first: dict[str, str] = {}
    for binding in bindings:
        if isinstance(binding, Binding) and binding.id is None and binding.key not in _KEPT:
            name = first.setdefault(binding.key, action_name(binding))
            binding = replace(binding, id=name)
        found.append(binding)
    return found


def action_name(binding: Binding) -> str:
    name = binding.action.partition("(")[0]
    if name != binding.action:
        name = re.sub(r"\W+", "_", binding.description.casefold()).strip("_")
    return name.rpartition(".")[2]


def wrongs(keys: Mapping[str, Sequence[str]]) -> list[Wrong]:
    """What cannot work about a remapping of actions to keys."""
    known = actions()
    found: list[Wrong] = []
    sound: dict[str, tuple[str, ...]] = {}
    for action, given in keys.items():
        if action not in known:
            near = difflib.get_close_matches(action, known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else "huntaze config keys lists every action"
            found.append(Wrong(action, "is no action of the console", remedy))
        elif why := _no_key(given):
            found.append(Wrong(action, why, "Write a key as in S, f, space, ctrl+x or alt+x"))
        else:
            sound[action] = normal(given)
    return [*found, *_clashes(sound)]


def _no_key(given: Sequence[str]) -> str:
    if not given:
        return "has no key"
    valid = {key.value for key in Keys}
    for key in given:
        if not (len(key) == 1 and key.isprintable()) and key not in valid and not re.fullmatch(r"alt\+\w", key):
            return f"{key!r} is no key"
    eaten = [key for key in given if key in _EATEN]
    if len(eaten) == len(given):
        return f"{eaten[0]} cannot be its only key: {_EATEN[eaten[0]]}"
    return ""


def _clashes(keys: Mapping[str, tuple[str, ...]]) -> Iterator[Wrong]:
    """A key given to an action while another one that is active with it has the same."""
    told: set[frozenset[str]] = set()
    console, *screens = scopes()
    for screen in (console, *screens):
        together = (*screen.bindings, *console.bindings) if screen is not console else console.bindings
        for action in keys:
            if not any(binding.id == action for binding in together):
                continue
            for other in together:
                own = {binding.key for binding in together if binding.id == action}
                shared = (set(keys[action]) - own) & set(keys.get(other.id or "", normal((other.key,))))
                pair = frozenset((action, other.id or ""))
                if shared and other.id != action and pair not in told:
                    told.add(pair)
                    where = "everywhere" if other in console.bindings else f"on {screen.name}"
                    message = f"{min(shared)} is {other.description!r} {where} ({other.id})"
                    yield Wrong(action, message, f"Give {action} another key, or {other.id} one as well")


def spelled(key: str) -> str:
    """A key as an operator reads it: `?`, `esc`, `^p`."""
    if key in _SPELLED:
        return _SPELLED[key]
    if re.fullmatch(r"ctrl\+\w", key):
        return f"^{key[5:]}"
    character = key_to_character(key)
    return character if character and character.isprintable() else key


def normal(keys: Iterable[str]) -> tuple[str, ...]:
    """Keys as Textual calls them: `?` is question_mark."""
    return tuple(each.key for key in keys for each in Binding.make_bindings([Binding(key, "none")]))


def keymap(keys: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A remapping as Textual takes it."""
    return {action: ",".join(normal(given)) for action, given in keys.items()}


# ── which actions there are ─────────────────────────────────────────────────────────────────────────────────────────


@cache
def scopes() -> tuple[Scope, ...]:
    """The console's own bindings first, then those of each screen with its table's."""
    from screens.app import ConsoleApp
    from screens.listing import Listing
    from screens.place import Place
    from screens.registry import REGISTRY
    from screens.widgets.table import Table

    for module in (*(entry.at.partition(":")[0] for entry in REGISTRY), *_LONE):
        import_module(module)
    found = [Scope("everywhere", _bindings(ConsoleApp))]
    for screen in sorted(set(_kinds(Place)), key=lambda kind: kind.__name__):
        table = _bindings(Table) if issubclass(screen, Listing) else ()
        found.append(Scope(spoken(screen), (*_bindings(screen), *table)))
    return tuple(found)


def actions() -> dict[str, tuple[str, str, str]]:
    """Every action by its name: what it does, its keys as they come, and where it is."""
    found: dict[str, tuple[str, dict[str, None], dict[str, None]]] = {}
    for scope in scopes():
        for binding in scope.bindings:
            if binding.id:
                _, keys, where = found.setdefault(binding.id, (binding.description, {}, {}))
                keys[binding.key] = None
                where[scope.name] = None
    most = len(scopes()) // 3
    return {
        name: (does, ", ".join(keys), ", ".join(where) if len(where) <= most else "most screens")
        for name, (does, keys, where) in found.items()
    }


def _kinds(kind: type[Any]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        if below.__name__.endswith("Screen"):
            yield below
        yield from _kinds(below)


def spoken(screen: type[Any]) -> str:
    """CampaignsScreen → campaigns."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", screen.__name__.removesuffix("Screen")).casefold()


def _bindings(kind: type[Any]) -> tuple[Binding, ...]:
    """Every binding of a class and of those of ours it is made of, one a key; a class's own key replaces its base's."""
    found: dict[str, list[Binding]] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("screens."):
            own: dict[str, list[Binding]] = {}
            for binding in Binding.make_bindings(base.__dict__.get("BINDINGS", [])):
                own.setdefault(binding.key, []).append(binding)
            found |= own
    return tuple(binding for bindings in found.values() for binding in bindings)
