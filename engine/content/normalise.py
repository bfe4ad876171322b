"""What a text says to the eye, in plain lower-case letters, however it is spelled.

`figures` keeps digits and signs as they stand, for numbers and addresses. `readings` are the ways the words may be
read: letters that stand apart joined, digits and signs read as the letters they resemble, stretched letters shortened.
A plain text has one reading; only a disguised one has more, and never more than a handful.
"""

from __future__ import annotations

import re
import unicodedata

_LOOK_ALIKE = {
    # Cyrillic
    **dict(zip("авекмнорстухгпьѕіјӏԁԛԝһґ", "abekmhopctyxrnbsijldqwhr", strict=True)),
    **dict(zip("АВЕКМНОРСТУХЅІЈӀԀԚԜҺ", "abekmhopctyxsijldqwh", strict=True)),
    # Greek; some capitals look like other letters than their small ones
    **dict(zip("αβγεζηικμνορτυχωϲϳς", "abyeznikuvoptuxwcjs", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ", "abezhikmnoptyxcj", strict=True)),
    # Latin beyond the alphabet, small capitals and letters with a stroke
    **dict(zip("ıɩɪłøđħŧəɐɑɡʏʟɴʀʙɢʜꜰꜱʞɯ", "iiilodhteaagylnrbghfskm", strict=True)),
    **dict(zip("ᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢɛʋɾʂɳƙɓɗ", "acdejkmoptuvwzevrsnkbd", strict=True)),
    # Armenian
    **dict(zip("օոսհցԁյ", "onuhgdj", strict=True)),
    # Signs that pass for letters or spaces
    **dict(zip("¡¢£§×", "icesx", strict=True)),
}
_EMOJI_ALPHABETS = (0x1F1E6, 0x1F150, 0x1F170)  # regional indicators; white on black: circled, squared
_TABLE = {ord(letter): plain for letter, plain in _LOOK_ALIKE.items()} | {
    start + index: chr(ord("a") + index) for start in _EMOJI_ALPHABETS for index in range(26)
}
_TYPOGRAPHY = str.maketrans(dict.fromkeys("’‘`´ʼ′", "'") | dict.fromkeys("‐‑‒–—−", "-"))

_LEET = str.maketrans("4@3€05$7+89", "aaeeossttbg")
_LEET_I = {**_LEET, **str.maketrans("1!|", "iii")}
_LEET_L = {**_LEET, **str.maketrans("1!|", "lil")}

_APART = re.compile(r"(?<![\w@$!|+€])(?:[\w@$!|+€][^\w@$|+€]{1,3}){2,}[\w@$!|+€](?![\w@$|+€])")
_SEPARATORS = re.compile(r"[^\w@$!|+€]+")
_MIXED = re.compile(r"(?=[^\s]*[a-z])(?=[^\s]*[0-9@$!|+€])[^\s]+")
_EDGE = re.compile(r"^(.*?)([!+|]*)$")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_STRETCHED_VOWEL = re.compile(r"([aeiouy])\1{2,}")
_SPACES = re.compile(r"\s+")
_INVISIBLE = frozenset({"Cf", "Cc", "Mn", "Me", "Cs", "Co", "Cn"})


def figures(text: str) -> str:
    """The text in compatible, undecorated small letters; digits and signs as they are, each gap one blank."""
    text = unicodedata.normalize("NFKD", text).translate(_TYPOGRAPHY)
    visible = "".join(letter for letter in text if letter.isspace() or unicodedata.category(letter) not in _INVISIBLE)
    folded = unicodedata.normalize("NFKD", visible.translate(_TABLE).casefold())
    plain = "".join(letter for letter in folded if unicodedata.category(letter) not in _INVISIBLE or letter.isspace())
    return _SPACES.sub(" ", plain).strip()


def readings(text: str) -> tuple[str, ...]:
    """The ways the words of `figures` of a text may be read, the plainest first."""
    found: dict[str, None] = {}
    for joined in dict.fromkeys((text, _APART.sub(_join, text))):
        for letters in dict.fromkeys((joined, _unleet(joined, _LEET_I), _unleet(joined, _LEET_L))):
            found.update(dict.fromkeys(reading.replace("_", " ") for reading in _unstretched(letters)))
    return tuple(found)


def _join(apart: re.Match[str]) -> str:
    return _SEPARATORS.sub("", apart.group())


def _unleet(text: str, table: dict[int, int]) -> str:
    return _MIXED.sub(lambda word: _read_signs(word.group(), table), text)


def _read_signs(word: str, table: dict[int, int]) -> str:
    """A word's digits and signs as letters, but for those that close it as punctuation."""
    match = _EDGE.match(word)
    body, edge = match.groups() if match else (word, "")
    return body.translate(table) + edge


def _unstretched(text: str) -> tuple[str, ...]:
    """As it stands; and, where a letter stands three times or more, with it once, and with consonants twice."""
    if not _STRETCHED.search(text):
        return (text,)
    vowels_once = _STRETCHED_VOWEL.sub(r"\1", text)
    return text, _STRETCHED.sub(r"\1", text), _STRETCHED.sub(r"\1\1", vowels_once)
