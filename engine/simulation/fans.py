"""Who is on the platform: the fans of each account, how the audience grows, and what they write back.

All of it follows from the seed and the virtual time; nothing is stored but what a test changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.kernel.values import DAY, HOUR, Instant
from engine.simulation.dice import Dice
from engine.simulation.scenario import Account, PlatformLife

_SMALL_AUDIENCE = 25  # of an account the scenario does not name
_MONTH = 30 * DAY

_CULTURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Europe/Paris", ("Chloé", "Théo", "Zoë", "Jérôme", "Maëlys", "François", "Inès", "Noé", "Léa D.", "Benoît")),
    ("Europe/Berlin", ("Jürgen", "Anja", "Björn", "Käthe", "Lukas", "Änne", "Florian", "Mia 🌸", "Sören", "Grete")),
    ("Europe/Madrid", ("Íñigo", "Lucía", "Álvaro", "Nuria", "Begoña", "José María", "Ximena", "Raúl", "Pilar", "Toño")),
    (
        "Europe/Warsaw",
        ("Łukasz", "Żaneta", "Paweł", "Agnieszka", "Michał", "Zofia", "Grześ", "Świętosława", "Kuba", "Ola"),
    ),
    ("Europe/London", ("Siobhán", "Oliver", "Priya", "Callum", "Niamh", "Harry", "Zara", "O'Brien", "Imogen", "Rhys")),
    ("Europe/Istanbul", ("Çağla", "İpek", "Oğuz", "Şirin", "Emre", "Gülşah", "Barış", "Ayşe", "Ömer", "Ece")),
    (
        "America/New_York",
        ("Tyler", "DeShawn", "Maria-Elena", "Jordan 🔥", "Kaitlyn", "Big Mike", "Aaliyah", "Cody", "J.R.", "Beth"),
    ),
    (
        "America/Sao_Paulo",
        ("João", "Conceição", "Thiago", "Luíza", "Antônio", "Bia 💛", "Caetano", "Márcia", "Zé", "Ana"),
    ),
    (
        "America/Mexico_City",
        ("Sofía", "Jesús", "Ángel", "Guadalupe", "Memo", "Renata", "Iñaki", "Yolotzin", "Beto", "Lupita"),
    ),
    ("Asia/Tokyo", ("さくら", "健太", "Yūki", "美咲", "Haruto", "あおい", "Ren ⚡", "陽子", "Takeshi", "りん")),
    ("Asia/Seoul", ("민준", "서연", "Ji-hoon", "하늘", "수아", "Min-seo", "도윤", "Yuna ✨", "지우", "현우")),
    ("Asia/Shanghai", ("小明", "王芳", "李伟", "Xiǎo Lín", "陈静", "Zhang", "刘洋", "Mei 🐼", "赵敏", "阿强")),
    ("Asia/Kolkata", ("Ananya", "राहुल", "Arjun", "प्रिया", "Lakshmi", "Vikram", "Sana", "Rohan 🏏", "Divya", "கவின்")),
    ("Africa/Cairo", ("ليلى", "Youssef", "نور", "Mariam", "أحمد", "Salma", "خالد", "Farida", "Omar", "دينا")),
    (
        "Africa/Lagos",
        ("Olúwaṣeun", "Chidi", "Adaeze", "Ngọzi", "Tunde", "Ìfẹ́", "Emeka", "Zainab", "Femi", "Blessing 🙏"),
    ),
    ("Asia/Ho_Chi_Minh", ("Nguyễn", "Thảo", "Đức", "Hương", "Phượng", "Tuấn", "Trần Anh", "Ngọc", "Bảo", "Mỹ Linh")),
    (
        "Australia/Sydney",
        ("Bazza", "Matilda", "Lachlan", "Kirra", "Jack 🏄", "Shazza", "Eleni", "Cooper", "Bronte", "Dave"),
    ),
    ("Europe/Kyiv", ("Олена", "Тарас", "Yulia", "Дмитро", "Софія", "Iryna", "Микола", "Леся", "Bohdan", "Настя 🌻")),
)
_TAGS = (("vip", 0.06), ("spender", 0.12), ("quiet", 0.25), ("chatty", 0.15), ("annual", 0.08))
_REPLIES = (
    "omg yes 😍",
    "haha you always know what to say",
    "Thank you! That made my day.",
    "can't wait!!",
    "How much is it?",
    "maybe next week, money's tight rn",
    "you're the best 💖",
    "which one is your favourite?",
    "lol ok convince me",
    "I already saw that one, what else?",
    "Merci, trop gentille 🙏",
    "¡Me encanta!",
    "Danke dir, bis Donnerstag!",
    "すごい！楽しみにしてる",
    "sounds good 👍",
    "Are you live tonight?",
    "Please stop sending me these.",
    "hi from the train, signal is awful but YES",
    "You remembered! ☺️",
    "?",
)
_BEFORE = (
    "hey, new here 👋",
    "loved the last set",
    "when's the next live?",
    "happy birthday!! 🎂",
    "you ok? been quiet",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fan:
    """One fan as the platform reports them. `joined` and `renews` are nanoseconds since the epoch."""

    id: str
    name: str
    time_zone: str | None
    tags: tuple[str, ...]
    joined: int
    renews: int
    opted_out: bool

    def shown(self, now: Instant, opted_out: bool) -> dict[str, object]:
        """The JSON object of the platform's contract. Absent facts are left out, as real gateways do."""
        shown: dict[str, object] = {"id": self.id, "name": self.name}
        if self.time_zone is not None:
            shown["timezone"] = self.time_zone
        tags = [*self.tags]
        if now - self.joined < 7 * DAY:
            tags.append("new")
        if 0 <= now - self.renews < 2 * DAY:
            tags.append("renewed")
        if tags:
            shown["tags"] = tags
        if opted_out:
            shown["opted_out"] = True
        return shown


class Audience:
    """The fans of one account, numbered from 0 in the order they joined; a later one never changes an earlier."""

    def __init__(self, seed: int, account: Account, life: PlatformLife, started: Instant) -> None:
        self._seed = seed
        self._account = account
        self._life = life
        self._started = started
        self._fans: list[Fan] = []
        self._numbers: dict[str, int] = {}
        self._consent: dict[str, bool] = {}  # opted_out as a test set it

    def size(self, now: Instant) -> int:
        """How many fans the account has."""
        hours = max(0, now - self._started) // HOUR
        rate = self._life.new_fans_per_hour * self._account.fans / 1_000
        return self._account.fans + sum(self._new_in(hour, rate) for hour in range(hours))

    def _new_in(self, hour: int, rate: float) -> int:
        whole, rest = divmod(rate, 1)
        return int(whole) + Dice(self._seed, "growth", self._account.id, hour).happens(rest)

    def page(self, start: int, length: int, now: Instant) -> tuple[list[Fan], int | None]:
        """The fans from number `start` on, and the number the next page starts at, if there is one."""
        size = self.size(now)
        self._grow(size)
        end = min(start + length, size)
        return self._fans[start:end], end if end < size else None

    def find(self, fan_id: str, now: Instant) -> Fan | None:
        """The fan of that id, if the account has them by now."""
        self._grow(self.size(now))
        number = self._numbers.get(fan_id)
        return self._fans[number] if number is not None else None

    def opted_out(self, fan: Fan) -> bool:
        """Whether this fan wants no messages."""
        return self._consent.get(fan.id, fan.opted_out)

    def set_opted_out(self, fan: Fan, opted_out: bool) -> None:
        self._consent[fan.id] = opted_out

    def _grow(self, size: int) -> None:
        while len(self._fans) < size:
            fan = self._invent(len(self._fans))
            self._numbers[fan.id] = len(self._fans)
            self._fans.append(fan)

    def _invent(self, number: int) -> Fan:
        dice = Dice(self._seed, "fan", self._account.id, number)
        zone, names = dice.pick(_CULTURES)
        founding = number < self._account.fans
        joined = self._started - int(dice.between(0, 400 * DAY)) if founding else self._joined(number)
        return Fan(
            id=f"{self._account.id}-{number:05d}",
            name=dice.pick(names),
            time_zone=zone if dice.happens(0.9) else None,
            tags=tuple(tag for tag, share in _TAGS if dice.happens(share)),
            joined=joined,
            renews=self._started - 2 * DAY + int(dice.between(0, _MONTH)),
            opted_out=founding and dice.happens(self._life.opted_out_share),
        )

    def _joined(self, number: int) -> int:
        hour, size = 0, self._account.fans
        rate = self._life.new_fans_per_hour * self._account.fans / 1_000
        while size <= number:
            size += self._new_in(hour, rate)
            hour += 1
        return self._started + hour * HOUR


class Audiences:
    """The audience of every account; one the scenario does not name has a small one."""

    def __init__(self, seed: int, life: PlatformLife, started: Instant) -> None:
        self._seed = seed
        self._life = life
        self._started = started
        self._named: Mapping[str, Account] = {account.id: account for account in life.accounts}
        self._made: dict[str, Audience] = {}

    def of(self, account_id: str) -> Audience:
        if account_id not in self._made:
            account = self._named.get(account_id) or Account(id=account_id, fans=_SMALL_AUDIENCE)
            self._made[account_id] = Audience(self._seed, account, self._life, self._started)
        return self._made[account_id]


def reply_to(dice: Dice, life: PlatformLife) -> tuple[int, str] | None:
    """What a fan answers to a message, and how many nanoseconds later; None when they do not."""
    if not dice.happens(life.reply_share):
        return None
    return int(dice.between(*life.reply_after)), dice.pick(_REPLIES)


def earlier_words(dice: Dice) -> list[tuple[int, str]]:
    """What a fan wrote before the world began: (nanoseconds before the start, text), oldest first."""
    written = [(int(dice.between(HOUR, 20 * DAY)), dice.pick(_BEFORE)) for _ in range(dice.whole(0, 2))]
    return sorted(written, reverse=True)
