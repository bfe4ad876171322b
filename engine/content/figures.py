"""The hard blocks on numbers and addresses: what leads to a person, or to their money off the platform.

Searched in the `plain` text of `engine.content.normalise`, where digits and signs stand as they were written. Numbers
with a check digit must pass it, so that prices, dates, scores and countdowns do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from engine.content.row import Category


@dataclass(frozen=True, slots=True)
class Figure:
    """One kind of number or address. `sign` is what a text must hold to be worth the search."""

    category: Category
    reason: str
    sign: re.Pattern[str]
    pattern: re.Pattern[str]
    proves: Callable[[str], bool] | None = None  # a check digit or the like; None: the pattern is proof

    def finds(self, text: str) -> bool:
        """Whether the text holds one."""
        if self.sign.search(text) is None:
            return False
        return any(self.proves is None or self.proves(match.group()) for match in self.pattern.finditer(text))


def is_phone(text: str) -> bool:
    """Whether digits could be a telephone number: no round figure, no counting up or down, no two dates."""
    digits = re.sub(r"\D", "", text)
    steps = {int(after) - int(first) for first, after in pairwise(digits)}
    counting = steps <= {1, -9} or steps <= {-1, 9} or steps <= {0}
    return 7 <= len(digits) <= 15 and not counting and not digits.endswith("00000")


def is_spelled(text: str) -> bool:
    """Whether digits in words, or one by one, could be a telephone number: as `is_phone`, and no countdown from ten."""
    digits = "".join(_DIGITS.get(word, word) for word in re.findall(r"[a-z]+|\d", text))
    return is_phone(digits) and not digits.startswith(("109876", "987654", "123456", "012345"))


def is_card(text: str) -> bool:
    """Whether digits pass the check of payment cards (Luhn, ISO/IEC 7812)."""
    digits = re.sub(r"\D", "", text)
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(value - 9 * (value > 9) for value in doubled) % 10 == 0 and int(digits) > 0


def is_iban(text: str) -> bool:
    """Whether a text begins with what passes the check of bank account numbers (ISO 13616, modulus 97)."""
    compact = re.sub(r"[^0-9a-z]", "", text)[:34]
    lengths = range(15, len(compact) + 1)
    return any(_remainder(compact[:length]) == 1 for length in lengths)


def is_dni(text: str) -> bool:
    """Whether a text passes the check of Spanish identity numbers."""
    compact = re.sub(r"[^0-9a-z]", "", text)
    number = compact[:-1].translate(str.maketrans("xyz", "012"))
    return number.isdigit() and "trwagmyfpdxbnjzsqvhlcke"[int(number) % 23] == compact[-1]


def _remainder(account: str) -> int:
    return int("".join(str(int(letter, 36)) for letter in account[4:] + account[:4])) % 97


_DIGITS = {
    word: str(digit)
    for words in (
        "zero one two three four five six seven eight nine",
        "zero un deux trois quatre cinq six sept huit neuf",
        "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "null eins zwei drei vier funf sechs sieben acht neun",
    )
    for digit, word in enumerate(words.split())
} | {"oh": "0", "fuenf": "5", "ten": "10", "dix": "10", "diez": "10", "zehn": "10"}

_DIGIT = re.compile(r"\d")
_SOME_DIGITS = re.compile(r"\d(?:[^\d\n]{0,4}\d){5}")
_MAIL = re.compile(r"@|\bat\b|arobase|arroba")
_SPELLED = "|".join(sorted(_DIGITS, key=len, reverse=True))
_UNIT = r"(?! ?(?:uhr|prozent|euro|mal|minuten|min|jahre|tage|stunden|km|%))"
_NAME = (
    r"(?!(?:the|a|an|of|on|down|from|this|that|my|our|your|in|to|more|long|hot|new|blocks?|miles?|min\w*|hours?|days?"
)
_NAME += r"|weeks?|years?|videos?|pics?|photos?|off|at|for|and|with|people|fans)\b)[a-z0-9']+"
_STREET = r"(?:street|avenue|road|boulevard|lane|ave|blvd|rd|crescent|terrace)"

FIGURES = (
    Figure(
        Category.DOXXING,
        "holds an e-mail address",
        _MAIL,
        re.compile(
            r"[\w.+-] ?(?:@|[(\[] ?(?:at|@|arobase|arroba) ?[)\]]) ?[\w-]{2,63} ?"
            r"(?:\.|[(\[] ?(?:dot|point|punto|punkt) ?[)\]]|\b(?:dot|point|punto|punkt)\b) ?[a-z]{2,24}"
            r"|\w (?:at|arobase|arroba) [\w-]{2,63} (?:dot|point|punto|punkt) [a-z]{2,24}\b"
            r"|\b(?:at|arobase|arroba) (?:gmail|hotmail|outlook|yahoo|proton|protonmail|icloud|gmx|web)\b ?\.?"
        ),
    ),
    Figure(
        Category.DOXXING,
        "holds a telephone number",
        _SOME_DIGITS,
        re.compile(
            r"(?=[\d+(])(?:(?<![\w.])(?:\+|00)\d{1,3}[ .()/-]{0,3}\d(?:[ .()/-]{0,2}\d){6,12}(?!\d)"
            r"|(?<![\w$.,/-])(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?!\d)"
            r"|(?<![\w$.,/-])[2-9]\d{9}(?!\d)"
            r"|(?<![\w$.,/-])0[1-9](?:[ .-]?\d{2}){4}(?!\d)"
            r"|(?<![\w$.,/-])[679]\d{2}(?:[ .-]?\d{3}){2}(?![ .,]?\d)"
            r"|(?<![\w$.,/-])[679]\d{2}(?:[ .-]\d{2}){3}(?![ .,]?\d)"
            r"|(?<![\w$.,/-])0\d{2,4}[ /-]{1,3}\d{5,9}(?!\d)|(?<![\w$.,/-])01[567]\d[ /-]?\d{7,8}(?!\d))"
        ),
        is_phone,
    ),
    Figure(
        Category.DOXXING,
        "holds a telephone number",
        _SOME_DIGITS,
        re.compile(
            r"\b(?:call|text|whatsapp|phone|number|tel|telefono?|numero|appelle|llama\w*|ruf|nummer|handy)\b"
            r"[^\d.!?]{0,20}\d(?:[ .()/-]{0,2}\d){6,12}(?!\d)"
        ),
        is_phone,
    ),
    Figure(
        Category.DOXXING,
        "holds a telephone number",
        re.compile(rf"\b(?:\d|{_SPELLED})\b"),
        re.compile(rf"(?<![\w.,])(?:(?:\d|{_SPELLED})\b[ ,._-]{{1,3}}){{7,14}}(?:\d|{_SPELLED})(?!\w)"),
        is_spelled,
    ),
    Figure(
        Category.DOXXING,
        "holds an identity number",
        _SOME_DIGITS,
        re.compile(
            r"(?=\d)(?:(?<![\d-])(?!000|666|9)\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])"
            r"|(?<!\d)[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[ab]) ?\d{3} ?\d{3} ?\d{2}(?!\d))"
        ),
    ),
    Figure(
        Category.DOXXING,
        "holds an identity number",
        _DIGIT,
        re.compile(
            r"\b(?:ssn|social security|passport|passeport|pasaporte|reisepass|personalausweis|national id|id number|"
            r"driver'?s licen[sc]e|steuer-?id|dni|nie)\b[^\d.!?]{0,20}(?=[a-z0-9-]*\d{4})[a-z0-9-]{6,14}"
        ),
    ),
    Figure(
        Category.DOXXING,
        "holds an identity number",
        _SOME_DIGITS,
        re.compile(r"(?<!\w)(?:\d{8}|[xyz]\d{7})[ -]?[a-z](?!\w)"),
        is_dni,
    ),
    Figure(
        Category.DOXXING,
        "holds a street address",
        _DIGIT,
        re.compile(
            rf"(?=\d)(?:(?<![\w$.,:])\d{{1,5}}[a-z]?,? (?:{_NAME} ){{1,3}}{_STREET}\b"
            r"|(?<![\w$.,:])\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|allee|chemin|impasse|quai) "
            r"(?:(?:de|du|des) (?:la |l')?|d'|l')?[a-z]{3,})"
        ),
    ),
    Figure(
        Category.DOXXING,
        "holds a street address",
        _DIGIT,
        re.compile(
            r"\b(?:calle|avenida|avda|paseo|carrer) (?!a |en |con |y |hoy )(?:[a-z]+ ){0,3}[a-z]+,? ?(?:n[o.]{1,2} ?)?"
            r"\d{1,4}(?![\d%]|[.,:]\d)"
            rf"|\b[a-z-]{{2,40}}(?:strasse|strase|str\.|gasse|allee) \d{{1,4}} ?[a-z]?\b{_UNIT}"
            r"|\bp\.? ?o\.? box \d+"
        ),
    ),
    Figure(
        Category.PAYMENT,
        "holds the address of a crypto wallet",
        re.compile(r"[a-z0-9]{26}"),
        re.compile(
            r"(?<!\w)(?:bc1[a-z0-9]{25,60}|0x[a-f0-9]{40}|ltc1[a-z0-9]{25,60}"
            r"|(?=[a-z]*\d[a-z]*\d[a-z0-9]*[a-z])[13][a-z0-9]{25,34}|t(?=[a-z]*\d)[a-z0-9]{33})(?!\w)"
        ),
    ),
    Figure(
        Category.PAYMENT,
        "holds a bank account number",
        re.compile(r"\b[a-z]{2} ?\d{2}"),
        re.compile(r"(?<!\w)[a-z]{2} ?\d{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,3})?(?!\w)"),
        is_iban,
    ),
    Figure(
        Category.PAYMENT,
        "holds the number of a payment card",
        _SOME_DIGITS,
        re.compile(r"(?<![\d.,])\d(?:[ -]?\d){12,18}(?!\d|[.,]\d)"),
        is_card,
    ),
    Figure(
        Category.PAYMENT,
        "asks to pay off the platform",
        re.compile(r"\$[a-z]|\.(?:me|app)\b"),
        re.compile(r"(?<!\w)\$[a-z][a-z0-9]{4,19} on cash|cash[ :]*\$[a-z]|(?<!\w)(?:paypal|venmo|cash)\.(?:me|app)\b"),
    ),
)
