"""What a text says to the eye, in plain small letters, however it is spelled.

`plain` keeps digits and signs as they stand, for numbers and addresses. `readings` are the ways its words may be read:
letters that stand apart joined, digits and signs read as the letters they resemble, stretched letters shortened. An
undisguised text has one reading, a disguised one a handful.
"""

from __future__ import annotations

import re
import unicodedata
from string import ascii_lowercase, digits

_LOOK_ALIKE = {
    # Cyrillic
    **dict(zip("авекмнорстухгпьѕіјӏԁԛԝһґ", "abekmhopctyxrnbsijldqwhr", strict=True)),
    # Greek
    **dict(zip("αβγεζηικμνορτυχωϲϳσς", "abyeznikuvoptuxwcjss", strict=True)),
    # Latin beyond the alphabet, small capitals and letters with a stroke
    **dict(zip("ıɩɪłøđħŧəɐɑɡʏʟɴʀʙɢʜꜰꜱʞɯ", "iiilodhteaagylnrbghfskm", strict=True)),
    **dict(zip("ᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢɛʋɾʂɳƙɓɗ", "acdejkmoptuvwzevrsnkbd", strict=True)),
    # Armenian
    **dict(zip("օոսհցԁյ", "onuhgdj", strict=True)),
    # Signs that pass for letters, and typographic ones that pass for plain ones
    **dict(zip("¡¢£§×’‘`´ʼ′‐‑‒–—−", "icesx''''''------", strict=True)),
}
_ALPHABETS = (0x1F1E6, 0x1F150, 0x1F170)  # regional indicators; white on black: circled, squared
_TABLE = {ord(sign): letter for sign, letter in _LOOK_ALIKE.items()} | {
    start + index: chr(ord("a") + index) for start in _ALPHABETS for index in range(26)
}
_CAPITALS = {
    ord(sign): letter for sign, letter in zip("АВЕКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "abekmhopctyxabezhikmnoptyx", strict=True)
}
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u0300-\u036f\u0483-\u0489\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f"
    "\ufeff\uffa0\U000e0000-\U000e0fff]"
)

_SIGNS = re.escape("0134578@$€!|+")
_MIXED = re.compile(rf"(?<![a-z0-9@$€!|+])(?:[a-z]+[{_SIGNS}]|[{_SIGNS}]+[a-z])[a-z0-9@$€!|+]*")
_LEET = {"4": "a", "@": "a", "3": "e", "€": "e", "0": "o", "5": "s", "$": "s", "7": "t", "+": "t", "8": "b"}
_AS_I = str.maketrans({**_LEET, "1": "i", "!": "i", "|": "i"})
_AS_L = str.maketrans({**_LEET, "1": "l", "!": "i", "|": "l"})
_APART = re.compile(r"(?<![a-z0-9])(?:[a-z0-9@$€!|][^a-z0-9@$€!|\n]{1,3}){3,}[a-z0-9@$€|](?![a-z0-9])")
_BETWEEN = re.compile(r"[^a-z0-9@$€!|]+")
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_TRIPLES = tuple(3 * letter for letter in ascii_lowercase)

_OTHERS = re.compile(r"[^\x00-\x7f]+")
_KEPT = ascii_lowercase + digits
_PARTED = str.maketrans(
    {chr(code): " " for code in range(128) if chr(code) not in _KEPT} | dict.fromkeys(".!?;\n", ".")
)
_SPELLED_OUT = {
    "im": "i m",
    "ill": "i ll",
    "ima": "i m going to",
    "imma": "i m going to",
    "ive": "i ve",
    "youre": "you re",
    "shes": "she s",
    "hes": "he s",
    "dont": "don t",
    "wont": "won t",
    "cant": "can t",
    "u": "you",
    "ur": "your",
    "urself": "yourself",
    "gonna": "going to",
    "wanna": "want to",
    "jai": "j ai",
    "jvais": "je vais",
    "jsuis": "je suis",
}


def plain(text: str) -> str:
    """The text in undecorated small letters; digits and signs as they are."""
    if text.isascii():
        return text.lower()
    text = _UNSEEN.sub("", unicodedata.normalize("NFKD", text))
    return _UNSEEN.sub("", unicodedata.normalize("NFKD", text.translate(_CAPITALS).casefold().translate(_TABLE)))


def readings(text: str) -> tuple[str, ...]:
    """The ways the words of a `plain` text may be read, the plainest first.

    Each is words of a-z and 0-9 with one blank between and ` . ` between sentences: an apostrophe parts words, and the
    usual contractions are written out, `dont` as `don t`.
    """
    found: dict[str, None] = {}
    for joined in dict.fromkeys((text, _APART.sub(_join, text))):
        for letters in _unleet(joined):
            found.update(dict.fromkeys(_words(reading) for reading in _unstretched(letters)))
    return tuple(found)


def _words(text: str) -> str:
    """The words of a text, its sentences kept apart."""
    parted = _OTHERS.sub(" ", text).translate(_PARTED).replace(".", " . ")
    return " ".join([_SPELLED_OUT.get(word, word) for word in parted.split()])


def _join(apart: re.Match[str]) -> str:
    return _BETWEEN.sub("", apart.group())


def _unleet(text: str) -> dict[str, None]:
    """As it stands; and, where words mix letters with signs, with the signs read as letters, 1 as i and as l."""
    if _MIXED.search(text) is None:
        return {text: None}
    return dict.fromkeys((text, _MIXED.sub(_with_i, text), _MIXED.sub(_with_l, text)))


def _with_i(word: re.Match[str]) -> str:
    return _translated(word.group(), _AS_I)


def _with_l(word: re.Match[str]) -> str:
    return _translated(word.group(), _AS_L)


def _translated(word: str, table: dict[int, str]) -> str:
    """A word's signs as letters, but for those that close it as punctuation."""
    body = word.rstrip("!|+")
    return body.translate(table) + word[len(body) :]


def _unstretched(text: str) -> tuple[str, ...]:
    """As it stands; and, where a letter stands three times or more, with it once and with it twice."""
    if not any(triple in text for triple in _TRIPLES):
        return (text,)
    return text, _STRETCHED.sub(r"\1", text), _STRETCHED.sub(r"\1\1", text)
