"""Switches that an operator turns while the engine runs, and the stage that obeys them.

A flag is on for a user who is allowed, off for one who is denied, and else on for a share of the users: each stands at
a fixed place between 0 and 100, so that raising the percentage adds users and never takes one away. A flag that is not
enabled is off for everybody.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import orjson

from engine.events import FlagChanged
from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, ErrorClass, ProviderError, Refusal
from engine.orchestrator.router import chain_of
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Stage, Target, Task
from engine.storage import Database, Tx
from engine.surface.commands import FlagSetting

HYBRID = "use_hybrid_orchestrator"
KEPT = "use_kept_answers"

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        HYBRID: "strategies, fallback, kept answers and shared calls; off: the first model of the tool's chain alone",
        KEPT: "kept answers serve again and calls are shared; off: every task has a call of its own",
    }
)
"""Every flag, and what it switches."""

_PLACES = 10_000  # a hundredth of a percent apart
_LONGEST_LIST = 10_000  # users of one list


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag as it stands. `percentage` is 0 to 100."""

    name: str
    enabled: bool = True
    percentage: int = 100
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    changed_at: int = 0
    changed_by: str = ""

    def on(self, user: str) -> bool:
        """Whether the flag is on for a user."""
        if not self.enabled or user in self.deny:
            return False
        everybody = self.percentage == 100  # as most are: no need to know where the user stands
        return everybody or user in self.allow or place(self.name, user) < self.percentage * (_PLACES // 100)

    def described(self) -> str:
        """In a few words, for the record of changes; who is on the lists is not told."""
        state = "on" if self.enabled else "off"
        return f"{state}, {self.percentage} %, {len(self.allow)} allowed, {len(self.deny)} denied"


def place(name: str, user: str) -> int:
    """Where a user stands for a flag: the same at every time and in every process, and another for each flag."""
    digest = hashlib.sha256(f"{name}\0{user}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") * _PLACES >> 64


class Flags:
    """All flags, as stored."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._flags = {name: Flag(name=name) for name in FLAGS}

    async def load(self) -> None:
        async with self._database.reader() as reader:
            rows = await reader.rows("SELECT * FROM flags")
        for row in rows:
            if row["name"] in FLAGS:  # one of a version that knew it
                self._flags[row["name"]] = _of_row(row)

    def __iter__(self) -> Iterator[Flag]:
        return iter(self._flags.values())

    def on(self, name: str, user: str) -> bool:
        return self._flags[name].on(user)

    def get(self, name: str) -> Flag:
        """Raises CommandRefused(NOT_FOUND), naming those there are."""
        found = self._flags.get(name)
        if found is None:
            known = ", ".join(FLAGS)
            message = f"there is no flag {name[:100]!r}; the flags are {known}"
            raise CommandRefused(Refusal.NOT_FOUND, message, field="name")
        return found

    async def set(self, *settings: FlagSetting, actor: str) -> tuple[Flag, ...]:
        """Change flags, all or none; gives them as they stand then. Raises CommandRefused for what makes no sense.

        What a setting leaves as it is, is what the transaction finds: of two changes at once neither is lost.
        """
        for setting in settings:
            self.get(setting.name)
        now = self._clock.now()

        def write(tx: Tx) -> tuple[Flag, ...]:
            after = tuple(_change(tx, setting, actor, now) for setting in settings)
            tx.after_commit(lambda: self._flags.update({flag.name: flag for flag in after}))
            return after

        return await self._database.write(write)


class Flagged:
    """See Stage. Sends a task the way that its user's flags say. `plain` leads to one model, with limits and books."""

    def __init__(
        self,
        inner: Stage,
        plain: Hop,
        flags: Flags,
        serves: Callable[[Target], bool],
        admits: Callable[[Target], bool],
        clock: Clock,
        settings: OrchestratorSettings,
    ) -> None:
        self._inner = inner
        self._plain = plain
        self._flags = flags
        self._serves = serves
        self._admits = admits
        self._clock = clock
        self._settings = settings

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    async def complete(self, task: Task) -> Answer:
        if task.rehearsal:
            return await self._inner.complete(task)
        user = user_of(task)
        if not self._flags.on(HYBRID, user):
            return await self._ask_one(task)
        if not task.fresh and not self._flags.on(KEPT, user):
            task = task._replace(fresh=True)
        return await self._inner.complete(task)

    async def _ask_one(self, task: Task) -> Answer:
        """The way before there was an orchestrator: one model, once; on the books and within limits all the same."""
        deadline = task.deadline if task.deadline is not None else self._clock.now() + self._settings.total
        chain = (task.pinned,) if task.pinned is not None else chain_of(self._settings, task.tool)
        target = next((one for one in chain if self._serves(one)), None)
        if target is None:
            message = "no provider of its chain has a key"
            raise ProviderError("none", task.tool, ErrorClass.AUTHENTICATION, message, reached=False)
        if not self._admits(target):
            message = "it is left alone for now, after failures, and without the orchestrator no other stands in"
            raise ProviderError(target.provider, target.model, ErrorClass.SERVER_ERROR, message, reached=False)
        return await self._plain.complete(task._replace(deadline=deadline), target)


def user_of(task: Task) -> str:
    """Whom a task counts for: its user, else its account, else its tenant."""
    return task.user_id or task.account_id or task.tenant_id


def _change(tx: Tx, setting: FlagSetting, actor: str, now: int) -> Flag:
    row = tx.execute("SELECT * FROM flags WHERE name = ?", (setting.name,)).fetchone()
    old = _of_row(row) if row else Flag(name=setting.name)
    new = _checked(changed_flag(old, setting))
    if new == old:
        return old
    new = replace(new, changed_at=now, changed_by=actor)
    _store(tx, new)
    tx.emit(FlagChanged(at=now, name=new.name, before=old.described(), after=new.described(), actor=actor))
    return new


def changed_flag(flag: Flag, setting: FlagSetting) -> Flag:
    """The flag with what the setting says; its lists in order, each user once."""
    return replace(
        flag,
        enabled=flag.enabled if setting.enabled is None else setting.enabled,
        percentage=flag.percentage if setting.percentage is None else setting.percentage,
        allow=flag.allow if setting.allow is None else tuple(sorted(set(setting.allow))),
        deny=flag.deny if setting.deny is None else tuple(sorted(set(setting.deny))),
    )


def _of_row(row: sqlite3.Row) -> Flag:
    lists = {key: tuple(orjson.loads(row[key])) for key in ("allow", "deny")}
    return Flag(**{**dict(row), "enabled": bool(row["enabled"]), **lists})


def _checked(flag: Flag) -> Flag:
    if not 0 <= flag.percentage <= 100:
        raise CommandRefused(Refusal.INVALID, f"{flag.name}: the percentage is 0 to 100", field="percentage")
    for name, users in (("allow", flag.allow), ("deny", flag.deny)):
        if len(users) > _LONGEST_LIST or not all(users):
            message = f"{flag.name}: {name} holds at most {_LONGEST_LIST:,} users, each with a name"
            raise CommandRefused(Refusal.INVALID, message, field=name)
    if both := set(flag.allow) & set(flag.deny):
        raise CommandRefused(Refusal.INVALID, f"{flag.name}: {min(both)} is allowed and denied", field="deny")
    return flag


def _store(tx: Tx, flag: Flag) -> None:
    lists = (orjson.dumps(flag.allow).decode(), orjson.dumps(flag.deny).decode())
    tx.execute(
        "INSERT OR REPLACE INTO flags VALUES (?, ?, ?, ?, ?, ?, ?)",
        (flag.name, flag.enabled, flag.percentage, *lists, flag.changed_at, flag.changed_by),
    )
