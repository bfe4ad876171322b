"""Message templates: `Hi {{first_name|there}}, …`, filled in for one fan at a time.

The grammar is this page's own: a name between two braces, and after a bar what stands there when the name has no value.
One brace is enough around a name that is known; around anything else it is text.
There are no attributes, calls, loops or filters, so there is nothing to break out of; a template engine would bring a
language, such as jinja2's, that has to be fenced in again, for one construct.

A template may also be the name of a ready one from the library, as `fitness/welcome`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.text import clean

LONGEST = 8_000  # characters of a template
LONGEST_VALUE = 60  # characters of one value: longer than names are, too short to smuggle a message in

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "name": "Sam Rivers",
        "first_name": "Sam",
        "account": "Anna",
        "creator": "Anna",
        "tag": "vip",
    }
)
"""What a template may name, and what a preview puts there: the fan's name and its first word, the account's name (also
as `creator`), and the fan's first tag."""

_REFERENCE = re.compile(r"\s*([a-z0-9-]+/[a-z0-9-]+)\s*")
_SINGLE = re.compile(rf"\{{({'|'.join(VARIABLES)})(?:\|([^{{}}\n]*))?\}}")
_BRACES = re.compile(rf"\{{\{{|\}}\}}|{_SINGLE.pattern}")
_HOLE = re.compile(r"\{\{[ \t]*([^{}|\n]*?)[ \t]*(?:\|([^{}\n]*))?\}\}")
_BLANK_BEFORE = re.compile(r"[ \t]+$")
_NO_BLANK_AFTER = re.compile(r"[ \t]*([,.;:!?…]|\n|$)")


@dataclass(frozen=True, slots=True)
class Hole:
    """A place for a value, and what stands there without one."""

    name: str
    default: str


def has_variables(text: str) -> bool:
    """Whether a text, such as a prompt, means to be filled in; the braces of JSON, say, are none of ours."""
    return "{{" in text or _SINGLE.search(text) is not None


def validate(template: str, *, field: str = "template") -> None:
    """Raise CommandRefused(INVALID) for the first thing wrong with a template: where it is, and what would be right."""
    _parse(template, field)


def render(template: str, values: Mapping[str, str]) -> str:
    """The text for one fan. Values are cleaned to one bounded line; one that is missing or empty gives its default.

    Where there is neither, the blank before the gap goes too: `Hi {{name}}, come in` becomes `Hi, come in`. Raises
    CommandRefused(INVALID) as `validate` does.
    """
    text = ""
    for part in _parse(template, "template"):
        if isinstance(part, str):
            text += part
        else:
            text += clean(values.get(part.name, ""), limit=LONGEST_VALUE).strip() or part.default or _GONE
    return _closed(text)


def preview(template: str) -> str:
    """The text for a fan that does not exist."""
    return render(template, VARIABLES)


def source(template: str, *, field: str = "template") -> str:
    """The template itself; of a reference, the library's text. Raises CommandRefused(INVALID) for an unknown one."""
    reference = _REFERENCE.fullmatch(template)
    if reference is None:
        return template
    ready = library().get(reference.group(1))
    if ready is None:
        known = ", ".join(library())
        raise _wrong(field, f"the library has no template {reference.group(1)[:40]!r}; it has {known}")
    return ready


@cache
def library() -> Mapping[str, str]:
    """The templates that ship: `niche/slug` → text."""
    niches = tomllib.loads(resources.files("engine.content").joinpath("library.toml").read_text("utf-8"))
    return MappingProxyType(
        {f"{niche}/{slug}": text.strip() for niche, slugs in niches.items() for slug, text in slugs.items()}
    )


_GONE = "\x00"  # marks a hole that stayed empty; no text holds it, since templates are cleaned


def _closed(text: str) -> str:
    """Without the empty holes, and without the blanks that stood around them for nothing."""
    before, *rest = text.split(_GONE)
    for after in rest:
        if _NO_BLANK_AFTER.match(after):
            before = _BLANK_BEFORE.sub("", before)
        elif not before or before[-1].isspace():
            after = after.lstrip(" \t")
        before += after
    return before


def _parse(template: str, field: str) -> tuple[str | Hole, ...]:
    text = clean(source(template, field=field), newlines=True)
    if len(text) > LONGEST:
        raise _wrong(field, f"a template has at most {LONGEST:,} characters, and this one {len(text):,}")
    parts: list[str | Hole] = []
    at = 0
    while brace := _BRACES.search(text, at):
        hole = _SINGLE.match(text, brace.start()) or _HOLE.match(text, brace.start())
        if hole is None:
            raise _malformed(text, brace, field)
        parts += [text[at : brace.start()], _hole(text, hole, field)]
        at = hole.end()
    return (*parts, text[at:])


def _hole(text: str, hole: re.Match[str], field: str) -> Hole:
    name, default = hole.group(1), hole.group(2)
    if name not in VARIABLES:
        raise _wrong(
            field, f"{_place(text, hole.start())}: there is no {name[:40]!r}; what there is: {', '.join(VARIABLES)}"
        )
    return Hole(name, (default or "").strip())


def _malformed(text: str, brace: re.Match[str], field: str) -> CommandRefused:
    what = "a }} without its {{" if brace.group() == "}}" else "a {{ without its }}, or with more than a name between"
    example = "write {{name}} or {{name|there}}, with one of " + ", ".join(VARIABLES)
    return _wrong(field, f"{_place(text, brace.start())}: {what}; {example}")


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return f"line {line}, character {column}"


def _wrong(field: str, message: str) -> CommandRefused:
    return CommandRefused(Refusal.INVALID, message, field=field)
