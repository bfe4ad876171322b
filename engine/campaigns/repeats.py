"""The same creation asked for twice: what it consists of, and the answer that was given to it."""

from __future__ import annotations

import hashlib

import orjson

from engine.kernel.errors import CommandRefused, Refusal
from engine.storage import Tx
from engine.surface.commands import CreateCampaign, Done


def digest_of(command: CreateCampaign) -> str:
    """What the creation consists of, for its idempotency. Raises CommandRefused(INVALID) for what JSON cannot hold."""
    try:
        return hashlib.sha256(orjson.dumps([command.draft, command.start])).hexdigest()
    except TypeError as error:
        raise CommandRefused(Refusal.INVALID, f"the draft cannot be stored: {error}") from error


def repeated(tx: Tx, key: str, digest: str) -> Done | None:
    """The answer to the same creation before. Raises CommandRefused(CONFLICT) for the same key with other content."""
    row = tx.execute("SELECT digest, answer FROM idempotency WHERE scope = 'campaign' AND key = ?", (key,)).fetchone()
    if row is None:
        return None
    if row["digest"] != digest:
        raise CommandRefused(
            Refusal.CONFLICT, "this idempotency key was used for another campaign", field="Idempotency-Key"
        )
    data = orjson.loads(row["answer"])
    return Done(f"Campaign {data['campaign_id']} was created before", data)
