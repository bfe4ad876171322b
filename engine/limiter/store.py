"""The port of the limiter."""

from __future__ import annotations

from typing import Protocol

from engine.limiter.window import Admission, Refusal


class LimitStore(Protocol):
    """Windows of all accounts, shared by whoever sends for them, and durable: a slot given is not forgotten.

    A slot's life: `reserve` before the send, then exactly one of `complete` (it may have arrived) and `release` (it
    certainly did not leave). If neither comes, because the process died, the slot is held for the send time-out and
    the window after it.
    """

    async def reserve(self, account_id: str, slot_id: str) -> Admission | Refusal:
        """Take a slot durably. Reserving the same slot again is the same slot. Unsure is a refusal, never a slot."""
        ...

    async def complete(self, account_id: str, slot_id: str, *, timed_out: bool = False) -> None:
        """The send is over now: the slot frees one window from now, after a time-out one send time-out later still."""
        ...

    async def release(self, account_id: str, slot_id: str) -> None:
        """The send never left: the slot is free."""
        ...

    async def throttled(self, account_id: str) -> None:
        """The platform said that the account sends too much: fewer a window from now on, the limit again in time."""
        ...

    def opens_at(self, account_id: str) -> int | None:
        """When a slot can be had, now or later; None while only the end of a send can tell. A hint, no promise."""
        ...

    def free(self, account_id: str) -> int:
        """Slots that can be had now. A hint, no promise."""
        ...

    async def changed(self, account_id: str) -> None:
        """Return when a send of this account has ended, so that `opens_at` may say something new."""
        ...
