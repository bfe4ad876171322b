"""What the simulated models say: short warm messages, titles, plans, and JSON of a given schema.

The texts are clean on purpose and varied enough that a screen full of them looks alive. They use the fan's name where
the prompt gives one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from engine.simulation.dice import Dice

ANY_OBJECT: Mapping[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}

_NAME_LINE = re.compile(
    r"^[ \t]*(?:fan|fan name|fan's name|name|first name)[ \t]*[:=][ \t]*(.{1,60}?)[ \t]*$", re.I | re.M
)
_NAME_FIELD = re.compile(r'"(?:fan_name|first_name|display_name|name)"\s*:\s*"([^"\\]{1,60})"')
_HOW_MANY = re.compile(r"\b(\d{1,2})\s+(?:\w+\s+){0,2}(?:titles?|ideas?|hooks?|captions?|options?)\b", re.I)

_WISH = 1_000  # characters: a prompt says what it wants at its beginning
_SCHEMA_WORDS = re.compile(r"\bJSON schema\b[^{]{0,40}\{", re.I)

_HELLOS = (
    "Hey {name}!",
    "Hi {name},",
    "{name}! There you are.",
    "Good to see you, {name}.",
    "Hello {name} ☀️",
    "Psst, {name}…",
    "{name}, quick one:",
    "Hey you! Yes, you, {name}.",
)
_NEWS = (
    "I just wrapped a new set and thought of you first.",
    "the behind-the-scenes reel from this weekend is finally up.",
    "I put together something special for the people who stayed with me this month.",
    "my next live is on Thursday and I would love to see your name in the chat.",
    "I finally edited the travel diary you asked about.",
    "today's shoot went way better than planned and I can't keep it to myself.",
    "I have a tiny surprise waiting in your inbox tonight.",
    "I'm picking the theme of the next series and your vote counts double.",
    "I re-opened the archive for a day, so have a look around.",
    "your last comment made my whole morning, thank you for that.",
    "I tried the thing you dared me to do, and yes, there is video.",
    "rainy day here, so I'm answering everyone personally.",
    "I recorded a little voice note just to say thanks for being here.",
    "new week, new looks: three of them are waiting for you.",
)
_ASKS = (
    "What would you like to see next?",
    "Tell me what you think?",
    "How has your week been?",
    "Want me to save you a spot?",
    "Come say hi when you have a minute 💌",
    "Let me know which one is your favourite!",
    "Talk soon?",
    "I read every reply, promise.",
    "Are you in?",
    "Sending you a big hug 🤗",
    "Let me know if you want the early link.",
)
_TITLES = (
    "A Slow Morning, Just Us",
    "What I Never Show on Camera",
    "Behind the Curtain: Sunday Edition",
    "Golden Hour on the Rooftop",
    "The Outfit You Voted For",
    "Three Looks, One Favourite",
    "Unfiltered: A Day With Me",
    "Rain, Coffee and Good Company",
    "Letters From the Road",
    "The Dare You Sent Me",
    "Midnight Questions, Honest Answers",
    "Postcards From the Coast",
    "Getting Ready Together",
    "The One You Asked For Twice",
    "Soft Light, Loud Music",
    "My Week in Ten Frames",
)
_PARTS = (
    "Open the week with a personal note and a poll, so that fans set the tone.",
    "Keep Tuesday for a short behind-the-scenes clip with a question in the caption.",
    "Midweek, answer five fan questions on camera and thank their askers by name.",
    "Offer the new set to long-standing fans a day before everyone else.",
    "Use the evening slot for a live of thirty minutes and announce it the day before.",
    "Close with a quiet photo series and an invitation to vote on the next theme.",
    "The core audience is loyal, visits after work, and values a personal answer over volume.",
    "They respond best to warm, direct language, small surprises and early access.",
    "Price the bundle in two steps, and make the first one an easy yes.",
    "Measure replies and renewals, not only opens, and drop what earns neither.",
    "Lead with a free guide of ten pages that solves one real problem.",
    "Follow up after two days with a story, after five with an offer, and then leave it.",
)
_WORDS = (  # noqa: SIM905 - a page of words reads better than 180 quoted ones
    "a about after again all also and are around as at back because before best better bright by calm can chat clear "
    "come day do early easy evening every favourite few find first for friend from full fun gentle get give glad good "
    "great happy have hello here home hope how idea in into it join just keep kind know last later laugh light like "
    "little live long look lot love make many maybe me meet message moment more morning most much music my new next "
    "nice night note now of on one open our out over people photo place plan play please post quick quiet read ready "
    "really remember reply ride same see send set share show simple smile so some soon special spring start stay story "
    "summer sun sure surprise sweet take talk tell thank that the their then there thing think this time to today "
    "together tomorrow tonight too try until very video visit voice wait walk want warm was watch way we week weekend "
    "well what when where while will wish with wonder word work world would write year you your"
).split()
_GENRES = (
    ("message", re.compile(r"\b(message|reply|dm|fan|chat|answer to)\b", re.I)),
    ("titles", re.compile(r"\b(titles?|titres?|headlines?|hooks?)\b", re.I)),
    (
        "long",
        re.compile(
            r"\b(plan|calendar|strategy|describe|descriptions?|persona|icp|magnet|pack|outline|guide|versions?)\b", re.I
        ),
    ),
)


def exactly(size: int, dice: Dice) -> str:
    """A text of exactly `size` tokens."""
    parts: list[str] = []
    left = size
    while left > 0:
        words = min(dice.whole(6, 14), left - 1) or 1
        sentence = " ".join(dice.pick(_WORDS) for _ in range(words))
        left -= words
        parts.append(sentence.capitalize() + ("." if left else ""))
        left -= left > 0
    return " ".join(parts)


def fan_name(prompt: str) -> str | None:
    """The fan's name in a prompt, where it says one: a line `Fan: …` or a JSON field such as "name"."""
    found = _NAME_LINE.search(prompt) or _NAME_FIELD.search(prompt)
    return found[1].strip(" \"'.,") if found else None


def message(prompt: str, dice: Dice) -> str:
    """A short message to one fan."""
    hello = dice.pick(_HELLOS).format(name=fan_name(prompt) or dice.pick(("you", "friend", "lovely", "sunshine")))
    news = dice.pick(_NEWS)
    if hello[-1] not in ",:…":
        news = news[0].upper() + news[1:]
    return f"{hello} {news} {dice.pick(_ASKS)}"


def reply(prompt: str, dice: Dice) -> str:
    """What a model without further orders answers to the prompt."""
    genre = _genre(prompt[:_WISH])
    if genre == "titles":
        wanted = _HOW_MANY.search(prompt)
        return titles(int(wanted[1]) if wanted else 5, dice)
    return passage(dice) if genre == "long" else message(prompt, dice)


def _genre(wish: str) -> str:
    """What is asked for: the kind of text that is named first."""
    found = [(match.start(), name) for name, words in _GENRES if (match := words.search(wish))]
    return min(found, default=(0, "message"))[1]


def titles(number: int, dice: Dice) -> str:
    """A numbered list of titles."""
    start = dice.whole(0, len(_TITLES) - 1)
    chosen = [_TITLES[(start + 5 * n) % len(_TITLES)] for n in range(max(1, number))]
    return "\n".join(f"{n}. {title}" for n, title in enumerate(chosen, 1))


def passage(dice: Dice) -> str:
    """Several paragraphs of plan or description."""
    start = dice.whole(0, len(_PARTS) - 1)
    parts = [_PARTS[(start + 5 * n) % len(_PARTS)] for n in range(3 * dice.whole(4, 9))]
    return "\n".join(f"{n // 3 + 1}. {' '.join(parts[n : n + 3])}" for n in range(0, len(parts), 3))


def matching(schema: Mapping[str, Any], prompt: str, dice: Dice) -> str:
    """JSON that satisfies the schema (the subset that providers accept for structured answers)."""
    return orjson.dumps(_Filler(schema, prompt, dice).value(schema, "text")).decode()


def schema_in_words(prompt: str) -> Mapping[str, Any] | None:
    """The schema a prompt writes out after the words "JSON schema", as clients do for models without the option."""
    found = _SCHEMA_WORDS.search(prompt)
    if found is None:
        return None
    try:
        schema, _ = json.JSONDecoder().raw_decode(prompt, found.end() - 1)
    except ValueError:
        return None
    return schema if isinstance(schema, dict) else None


class _Filler:
    """Invents values for one schema. References are followed to a limited depth, so that a recursive schema ends."""

    def __init__(self, root: Mapping[str, Any], prompt: str, dice: Dice) -> None:
        self._root = root
        self._prompt = prompt
        self._dice = dice

    def value(self, schema: Any, name: str, depth: int = 0) -> Any:
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._dice.pick(list(schema["enum"]))
        for union in ("anyOf", "oneOf"):
            if schema.get(union):
                return self.value(self._option(schema[union], depth), name, depth)
        return self._typed(schema, _type_of(schema), name, depth)

    def _typed(self, schema: Mapping[str, Any], kind: str, name: str, depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "string":
                return self._string(schema, name)
            case "integer" | "number":
                return self._number(schema, kind)
            case "boolean":
                return self._dice.happens(0.5)
            case _:
                return None

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        for _ in range(16):
            if not isinstance(schema, Mapping):
                return {}
            if "$ref" in schema:
                schema = self._target(str(schema["$ref"]))
            elif len(schema.get("allOf") or ()) == 1:
                schema = {**{k: v for k, v in schema.items() if k != "allOf"}, **schema["allOf"][0]}
            else:
                return schema
        return {}

    def _target(self, reference: str) -> Any:
        found: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(part, {}) if isinstance(found, Mapping) and part else found
        return found

    def _option(self, options: list[Any], depth: int) -> Any:
        nothing = [option for option in options if _type_of(self._resolve(option)) == "null"]
        something = [option for option in options if option not in nothing]
        return nothing[0] if nothing and (depth > 6 or not something) else something[0]

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        wanted = [key for key in properties if depth <= 6 or key in required]
        return {key: self.value(properties[key], key, depth + 1) for key in wanted}

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(5, least)))
        if depth > 6:
            most = least
        number = self._dice.whole(max(least, min(3, most)), max(least, min(most, 5)))
        return [self.value(schema.get("items") or {"type": "string"}, name, depth + 1) for _ in range(number)]

    def _number(self, schema: Mapping[str, Any], kind: str) -> int | float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 100))
        if kind == "number":
            return round(float(low) + float(high - low) * self._dice.between(0.05, 0.95), 3)
        least = int(low) + ("exclusiveMinimum" in schema)
        return self._dice.whole(least, max(least, int(high) - ("exclusiveMaximum" in schema)))

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        text = self._formatted(str(schema.get("format", ""))) or self._named(name.lower())
        least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 1 << 20))
        while len(text) < least:
            text += " " + self._dice.pick(_WORDS)
        return text[:most]

    def _formatted(self, form: str) -> str:
        day = self._dice.whole(1, 28)
        return {
            "date": f"2026-03-{day:02d}",
            "date-time": f"2026-03-{day:02d}T18:00:00Z",
            "time": "18:00:00Z",
            "email": "hello@example.com",
            "uri": "https://example.com/",
            "uuid": f"{self._dice.token(8)}-0000-4000-8000-{self._dice.token(12)}",
        }.get(form, "")

    def _named(self, name: str) -> str:
        if "title" in name or "headline" in name or "subject" in name:
            return self._dice.pick(_TITLES)
        if any(part in name for part in ("text", "message", "reply", "body", "caption", "content")):
            return message(self._prompt, self._dice)
        if "name" in name:
            return fan_name(self._prompt) or self._dice.pick(("Alex", "Robin", "Sam", "Noa"))
        if "tag" in name or "keyword" in name:
            return self._dice.pick(_WORDS)
        return self._dice.pick(_PARTS)


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((str(one) for one in kind if one != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "string"
    return str(kind)
