"""What `:` understands: places, things by their names, actions by theirs; and what is meant by a part of a word. Pure.

Names are the engine's and may be anything, so they are cleaned before they are offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from engine.surface.snapshot import QueueView
from screens import theme as themes
from screens.facts import account_name
from screens.formatting import clean
from screens.registry import REGISTRY
from screens.view import View

_JOBS = ("ready", "delayed", "leased", "parked", "dead")
_LONGEST = 80  # characters of a name


@dataclass(frozen=True, slots=True)
class Visit:
    """Go to a place; there, filter its rows, put the cursor on one, or do something."""

    place: str
    filter: str = ""
    row: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Show:
    """Open one thing over what is shown. `what` is account, campaign, fan, jobs, model, provider; `key` its id."""

    what: str
    key: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Do:
    """Run an action of the console or of the screen in sight, as its key would."""

    action: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is meant by it."""

    why: str


T = TypeVar("T")
Step = Visit | Show | Do | Unknown


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to go on: the whole line, and what it does."""

    line: str
    about: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that a word takes: how it is written, what it stands for, and what it is."""

    text: str
    key: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A first word. `choices` are what may follow; `step` says what is meant by one of them, or by any text."""

    name: str
    about: str
    step: Callable[[str, View], Step]
    aliases: tuple[str, ...] = ()
    choices: Callable[[View], Sequence[Choice]] | None = None
    wants: str = ""  # what must follow; empty where it stands alone


@dataclass(frozen=True, slots=True)
class Act:
    """An action that can be done here and now: its name, its words, and its key."""

    name: str
    words: str
    key: str


def rank(typed: str, name: str) -> tuple[int, int, int] | None:
    """How well a name fits what was typed, the least the best; None where it does not at all.

    The same; begins so; a word of it begins so; contains it; has its letters in that order.
    """
    typed, name = typed.casefold(), name.casefold()
    if typed == name:
        return 0, 0, 0
    if (at := name.find(typed)) >= 0:
        begins = next(
            (i for i in range(at, len(name)) if name.startswith(typed, i) and not name[i - 1 : i].isalnum()), -1
        )
        kind = 1 if at == 0 else 2 if begins >= 0 else 3
        return kind, begins if kind == 2 else at, len(name)
    at = -1
    for letter in typed:
        at = name.find(letter, at + 1)
        if at < 0:
            return None
    return 4, at, len(name)


def offers(line: str, view: View, acts: Sequence[Act] = ()) -> list[Offer]:
    """Every way to go on from what is typed, the likeliest first."""
    first, space, rest = line.lstrip().partition(" ")
    if not space:
        words = _ranked(first, words_known(acts), lambda word: (word.name, *word.aliases))
        return [Offer(word.name, word.about) for word in words]
    word = _exactly(first, acts)
    if word is None or word.choices is None:
        return []
    found = _ranked(rest.strip(), word.choices(view), lambda choice: (choice.text, choice.key))
    return [Offer(f"{first} {choice.text}", choice.about or word.about) for choice in found]


def meaning(line: str, view: View, acts: Sequence[Act] = ()) -> Step:
    """What a whole line means. A part of a word is enough where it is clear, or where what it means only shows."""
    first, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    word = _exactly(first, acts) or _begun(first.casefold(), bool(rest), acts)
    if word is None:
        near = [offer.line for offer in offers(first, view, acts)[:3]]
        return Unknown(f"{clean(first, longest=40)} is no command. {_near(near)}")
    if word.wants and not rest:
        return Unknown(f"{word.name} wants {word.wants}")
    if word.choices is None or not rest:
        return word.step(rest, view)
    choices = word.choices(view)
    exact = [choice for choice in choices if rest.casefold() in (choice.text.casefold(), choice.key.casefold())]
    found = exact or _ranked(rest, choices, lambda choice: (choice.text, choice.key))
    if not found and word.wants:
        return Unknown(f"No {word.name} is called {clean(rest, longest=60)}. {_near([c.text for c in choices[:3]])}")
    return word.step(found[0].key if found else rest, view)


def _near(names: Sequence[str]) -> str:
    return f"Near: {', '.join(names)}" if names else ": and then tab shows what there is"


def _begun(first: str, followed: bool, acts: Sequence[Act]) -> Word | None:
    """The word that a part of it means: the only one that begins so, else the first that does no more than show."""
    found = [word for word in words_known(acts) if word.name.startswith(first)] if first else []
    if len(found) == 1:
        return found[0]
    harmless = [word for word in found if word in (*_THINGS, *_places())]
    fitting = [word for word in harmless if bool(word.wants) == followed]
    return next(iter(fitting or harmless), None)


def _exactly(name: str, acts: Sequence[Act]) -> Word | None:
    typed = name.casefold()
    return next((word for word in words_known(acts) if typed in (word.name, *word.aliases)), None)


def _ranked(typed: str, things: Iterable[T], names: Callable[[T], Iterable[str]]) -> list[T]:
    if not typed:
        return list(things)
    found = []
    for at, thing in enumerate(things):
        ranks = [found_rank for name in names(thing) if (found_rank := rank(typed, name)) is not None]
        if ranks:
            found.append((min(ranks), at, thing))
    return [thing for _, _, thing in sorted(found, key=lambda each: each[:2])]


# ── the words ───────────────────────────────────────────────────────────────────────────────────────────────────────


def words_known(acts: Sequence[Act] = ()) -> list[Word]:
    """Things first, then places, then what the console does, then what this screen does."""
    known = [*_THINGS, *_places(), *_DEEDS]
    taken = {name for word in known for name in (word.name, *word.aliases)}
    own = [_act(act) for act in acts if act.name not in taken]
    return [*known, *own]


def _act(act: Act) -> Word:
    return Word(act.name, f"{act.words} ({act.key})", lambda _rest, _view: Do(act.name))


@cache
def _places() -> tuple[Word, ...]:
    """Each with the words of a filter behind it; a word that names a thing as well is the thing's."""
    taken = {name for word in _THINGS for name in (word.name, *word.aliases)}
    found = []
    for entry in REGISTRY:
        aliases = tuple(alias for alias in entry.aliases if alias not in taken)
        if entry.name not in taken:
            found.append(Word(entry.name, entry.about, _visit(entry.name), aliases))
    return tuple(found)


def _visit(place: str) -> Callable[[str, View], Step]:
    return lambda rest, _view: Visit(place, filter=rest)


def _accounts(view: View) -> list[Choice]:
    found = (Choice(account_name(view, key), key, clean(key, longest=_LONGEST)) for key in view.snapshot.accounts)
    return sorted(found, key=lambda choice: choice.text)


def _campaigns(view: View) -> list[Choice]:
    """By name, the newest of a name first; where several share one, by their ids."""
    rows = sorted(view.snapshot.campaigns.values(), key=lambda row: (row.name.casefold(), -row.created_at))
    names = [clean(row.name, longest=_LONGEST) for row in rows]
    return [
        Choice(name if names.count(name) == 1 else row.campaign_id, row.campaign_id, f"{name}, {clean(row.state)}")
        for name, row in zip(names, rows, strict=True)
    ]


def _models(view: View) -> list[Choice]:
    """By the model's name; with the provider before it where two offer the same."""
    keys = sorted(view.snapshot.models)
    names = [key.partition("/")[2] for key in keys]
    return [
        Choice(clean(name if names.count(name) == 1 else key, longest=_LONGEST), key, f"calls of {clean(key)}")
        for name, key in zip(names, keys, strict=True)
    ]


def _providers(view: View) -> list[Choice]:
    names = sorted({model.provider for model in view.snapshot.models.values()})
    return [Choice(clean(name, longest=_LONGEST), name, "its models") for name in names]


def _queues(view: View) -> list[Choice]:
    """The states of jobs first: the queue with the most of them is meant. Then each queue, and each with a state."""
    queues = sorted(view.snapshot.queues.values(), key=lambda queue: queue.queue)
    found = [Choice(state, f"\x00{state}", _how_many(queues, state)) for state in reversed(_JOBS)]
    for queue in queues:
        name = clean(queue.queue, longest=_LONGEST)
        found.append(Choice(name, f"{queue.queue}\x00", "its jobs"))
        found += [
            Choice(f"{name} {state}", f"{queue.queue}\x00{state}", f"{getattr(queue, state):,} jobs")
            for state in reversed(_JOBS)
            if getattr(queue, state)
        ]
    return found


def _how_many(queues: Sequence[QueueView], state: str) -> str:
    return f"{sum(getattr(queue, state) for queue in queues):,} {state} jobs"


def _jobs(key: str, view: View) -> Step:
    if "\x00" not in key:
        return Visit("queue", filter=key)
    queue, _, state = key.partition("\x00")
    if not queue:
        most = max(view.snapshot.queues.values(), key=lambda each: getattr(each, state), default=None)
        if most is None or not getattr(most, state):
            return Unknown(f"No queue has a {state} job")
        queue = most.queue
    return Show("jobs", queue, state)


def _themes(_view: View) -> list[Choice]:
    return [Choice(name, name, f"the {name} theme") for name in themes.NAMES]


_THINGS: tuple[Word, ...] = (
    Word("account", "one account's slots: :account anna", lambda key, _: Visit("limits", row=key),
         choices=_accounts, wants="an account"),
    Word("campaign", "one campaign's deliveries: :campaign spring", lambda key, _: Show("campaign", key),
         choices=_campaigns, wants="a campaign"),
    Word("provider", "one provider's models: :provider azure", lambda key, _: Show("provider", key),
         choices=_providers, wants="a provider"),
    Word("model", "one model's calls: :model gpt-4o-mini", lambda key, _: Show("model", key),
         choices=_models, wants="a model"),
    Word("queue", "queues, or jobs: :queue dead", _jobs, ("queues", "jobs"), choices=_queues),
    Word("fan", "what one fan got, and why not: :fan NAME or :fan ACCOUNT/ID", lambda rest, _: Show("fan", rest),
         ("why",), wants="a fan's name or id, or ACCOUNT/ID"),
)  # fmt: skip
_DEEDS: tuple[Word, ...] = (
    Word("alert", "alerts that hold these words: :alert breaker", _visit("alerts")),
    Word("silence", "keep an alert quiet for a while", lambda rest, _: Visit("alerts", filter=rest, action="silence")),
    Word("stop", "stop sending, everywhere", lambda _rest, _view: Do("halt"), ("halt",)),
    Word("resume", "resume sending", lambda _rest, _view: Do("resume_sending")),
    Word("new", "a new campaign", lambda _rest, _view: Do("compose_campaign"), ("compose",)),
    Word("freeze", "hold what is shown, or let it go on", lambda _rest, _view: Do("freeze")),
    Word("replay", "the past: :replay 14:00, :replay 20m, :replay FILE", lambda rest, _: Do(f"past({rest!r})"),
         ("past",), wants="a time as 14:00, two times, 20m for twenty minutes ago, or a recording's file"),
    Word("record", "record what happens into a file, or stop it", lambda _rest, _view: Do("record")),
    Word("theme", "other colours: :theme light", lambda rest, _: Do(f"theme('{rest}')" if rest else "next_theme"),
         choices=_themes),
    Word("help", "every key that works here", lambda _rest, _view: Do("help"), ("?",)),
    Word("quit", "leave the console", lambda _rest, _view: Do("leave"), ("q", "exit", "leave")),
)  # fmt: skip
