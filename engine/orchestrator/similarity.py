"""When two prompts say the same in other words' clothes, and when a prompt may be matched so at all. Pure.

Two prompts come near when they hold the same words, and the same numbers, negations, quotations and names in the same
order, differing only in letter case, punctuation, white space, politeness, articles, the verb that asks, a plural's s,
and in the place of at most one clause. One other word is another question: "a shorter title" is one word away from
"a longer title", and no measure of overlap tells that word from a harmless one. `benchmarks/similarity.py` measures
this against such measures on labelled pairs.

A prompt that may hold a person's data is never matched so; `may_name_a_person` errs towards holding one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST = 4_000  # characters; a longer prompt is a document, and reading it costs more than a near match brings

_QUOTES = {ord(quote): '"' for quote in "“”„«»‟"} | {ord(quote): "'" for quote in "‘’‚‛`´"}
_TOKEN = re.compile(r"\"[^\"]*\"|[$€£#@%+\-]?\d+(?:[.,:/\-]\d+)*[%°$€£]?|[^\W\d_]+(?:'[^\W\d_]+)*|\S")
_PUNCTUATION = frozenset(".,;:!?…-–—()[]{}*_~|/\\'\"•·>")
_LOOSE = frozenset({"a", "an", "the", "please", "kindly", "just", "me", "us", "my", "our"})
_OPENINGS = (
    ("can", "you"),
    ("could", "you"),
    ("would", "you"),
    ("will", "you"),
    ("i", "want", "you", "to"),
    ("i", "need", "you", "to"),
    ("i'd", "like", "you", "to"),
    ("i", "would", "like", "you", "to"),
    ("your", "task", "is", "to"),
    ("hi",),
    ("hello",),
    ("hey",),
    ("thanks",),
    ("thank", "you"),
)
_CLOSINGS = (("thanks",), ("thank", "you"), ("thanks", "in", "advance"), ("thank", "you", "in", "advance"))
_ASKING = frozenset(
    {"write", "create", "make", "generate", "draft", "compose", "give", "produce", "suggest", "propose"}
)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_NUMBERS)}
_LEAST_CLAUSE = 2  # words on either side of a moved clause; single words that change places change the sense

# ── who a prompt may name ───────────────────────────────────────────────────────────────────────────────────────────

# None of these looks far ahead or back: a text of a client's must not make them slow.
_ADDRESS = re.compile(r"\w@\w|(?<!\w)@\w\w|https?://|www\.")
_PHONE = re.compile(r"\+?\d[\d\s().\-/]{6,20}\d")
_DATA_LINE = re.compile(
    r"^\W{0,10}(?:fan|fans?'? name|name|known as|customer|client|user(?:name)?|subscriber|member|person|contact|e-?mail"
    r"|phone|tel|address|birthday|born|age|handle|account|creator|profile|about (?:the )?fan|message from \w{1,40})"
    r"\s{0,10}[:=]",
    re.IGNORECASE | re.MULTILINE,
)
_SAID = re.compile(
    r"\b(?:(?:my|his|her|their) name|named|called|i am|i'm|dear|mr|mrs|ms|miss|dr|she|he|him|her|his|hers)\b",
    re.IGNORECASE,
)
_COMMON = re.compile(  # words that are written large and are nobody
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august"
    "|september|october|november|december|spring|summer|autumn|winter|christmas|easter|halloween|thanksgiving"
    "|valentine|valentine's|ramadan|diwali|new|year's|i|i'm|i'd|i'll|ok|faq|seo|cta|diy|usd|eur|gbp|tv|ai|pdf|csv|json"
    "|html|url|id|instagram|tiktok|onlyfans|fansly|twitter|x|youtube|reddit|facebook|telegram|snapchat|twitch|patreon"
    "|english|french|german|spanish|italian|portuguese|dutch|polish|american|british|european|asian|dm|ppv|asmr|gif|vip"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_LARGE = re.compile(r"(?<![^\W_])[^\W\d_a-z][^\W\d_]*(?:['’\-][^\W\d_]+)*")  # what may begin with a capital
_SENTENCE_ENDS = frozenset('.!?:\n"“”„«»')
_BULLETS = " \t([{'‘’*#-–—•>"
_LONGEST_LOOK = 20_000  # characters; who writes so much may well name somebody
_LOOK_BACK = 40  # characters; between a sentence's end and its first word there is little else


def may_name_a_person(text: str) -> bool:
    """Whether a prompt may hold somebody's data: an address, a number to call, a line of data such as the writer's
    `Fan: …`, a personal pronoun, or a capital within a sentence that is no weekday, platform or language.

    A name written small escapes it; but then it is a word like any other, and near matching needs all of them equal.
    """
    if (
        len(text) > _LONGEST_LOOK
        or _ADDRESS.search(text)
        or _PHONE.search(text)
        or _DATA_LINE.search(text)
        or _SAID.search(text)
    ):
        return True
    return any(_looks_like_a_name(text, found) for found in _LARGE.finditer(text))


def _looks_like_a_name(text: str, found: re.Match[str]) -> bool:
    """A capital that neither begins a sentence nor belongs to a common word."""
    word = found.group()
    if not word[0].isupper() or _COMMON.fullmatch(word.casefold()):
        return False
    before = text[max(0, found.start() - _LOOK_BACK) : found.start()].rstrip(_BULLETS)
    return bool(before) and before[-1] not in _SENTENCE_ENDS


# ── what a prompt says ──────────────────────────────────────────────────────────────────────────────────────────────


def words_of(text: str) -> tuple[str, ...]:
    """What a prompt says, word by word: folded, without what does not matter. Empty for one too long to match."""
    if len(text) > LONGEST:
        return ()
    folded = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    found = [token for token in _TOKEN.findall(folded) if token not in _PUNCTUATION]
    tokens = [token if token.startswith('"') else token.casefold() for token in found]  # a quotation stands as it is
    tokens = _without_frame(tokens)
    words = [_stem(_NUMBER_WORDS.get(token, token)) for token in tokens if token not in _LOOSE]
    asking = next((at for at, word in enumerate(words) if word in _ASKING), None)
    if asking is not None:
        words[asking] = "write"
    return tuple(words)


def bucket(words: Sequence[str]) -> tuple[str, ...]:
    """What near prompts have in common: the same words, whatever their order."""
    return tuple(sorted(words))


def near(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two prompts, given by their words, ask for the same."""
    if not one or len(one) != len(other):
        return False
    return list(one) == list(other) or (sorted(one) == sorted(other) and _one_clause_moved(one, other))


def likeness(one: str, other: str) -> int:
    """How many words two answers have in common, of all they have, in thousandths. For figures, not for decisions."""
    mine, theirs = Counter(_words(one)), Counter(_words(other))
    all_ = (mine | theirs).total()
    return 1000 * (mine & theirs).total() // all_ if all_ else 1000


def _words(text: str) -> list[str]:
    return [found.group().casefold() for found in _WORD.finditer(unicodedata.normalize("NFKC", text))]


def _one_clause_moved(one: Sequence[str], other: Sequence[str]) -> bool:
    start, end = 0, len(one)
    while one[start] == other[start]:
        start += 1
    while one[end - 1] == other[end - 1]:
        end -= 1
    mine, theirs = list(one[start:end]), list(other[start:end])
    cuts = range(_LEAST_CLAUSE, len(mine) - _LEAST_CLAUSE + 1)
    return any(mine[cut:] + mine[:cut] == theirs and not _guarded(mine[:cut], mine[cut:]) for cut in cuts)


def _guarded(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether both sides hold something whose order matters: a number, a quotation, a negation."""
    return any(map(_matters, first)) and any(map(_matters, second))


def _matters(word: str) -> bool:
    return (
        word.startswith('"') or any(letter.isdigit() for letter in word) or word in _NEGATIONS or word.endswith("n't")
    )


_NEGATIONS = frozenset({"not", "no", "never", "none", "without", "except", "avoid", "cannot", "only", "then", "than"})


def _without_frame(tokens: list[str]) -> list[str]:
    """Without the courtesies around a request."""
    changed = True
    while changed:
        changed = False
        while tokens and tokens[0] in _LOOSE:
            tokens, changed = tokens[1:], True
        for opening in _OPENINGS:
            if tuple(tokens[: len(opening)]) == opening:
                tokens, changed = tokens[len(opening) :], True
        for closing in _CLOSINGS:
            if len(tokens) > len(closing) and tuple(tokens[-len(closing) :]) == closing:
                tokens, changed = tokens[: -len(closing)], True
    return tokens


def _stem(word: str) -> str:
    """A noun without its plural's s. Only the plainest: a wrong stem would join what differs."""
    plural = len(word) > 4 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s", "news", "series"))
    return word[:-1] if plural and word.isalpha() and word.isascii() else word
