"""The limits on calls of the models, as the surface shows them."""

from __future__ import annotations

from engine.kernel.errors import CommandRefused, Refusal, StorageError
from engine.limiter import Layer, Quotas, WindowUse
from engine.surface.queries import ListLimits, Page
from engine.surface.rows import LimitRow

_FIRST = (Layer.GLOBAL, Layer.PROVIDER, Layer.MODEL, Layer.ACCOUNT, Layer.USER, Layer.USER_AT)


class Limits:
    """Answers ListLimits."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas

    async def listing(self, query: ListLimits) -> Page[LimitRow]:
        """The widest layers first, and in each the fullest. Raises CommandRefused while the store cannot be asked."""
        try:
            found = await self._quotas.usage()
        except StorageError as error:
            raise CommandRefused(Refusal.UNAVAILABLE, error.message, remedy=error.remedy) from error
        ordered = sorted(found, key=_order)
        return Page(tuple(_row(use) for use in ordered[: max(1, min(query.limit, 1000))]))


def _order(use: WindowUse) -> tuple[int, float, str, int]:
    return _FIRST.index(use.bound.layer), -use.used / use.allowed, use.bound.key, use.bound.width


def _row(use: WindowUse) -> LimitRow:
    return LimitRow(
        layer=str(use.bound.layer),
        key=use.bound.key,
        measure=str(use.bound.measure),
        per=use.bound.window,
        used=use.used,
        limit=use.bound.limit,
        allowed=use.allowed,
        frees_at=use.frees_at,
    )
