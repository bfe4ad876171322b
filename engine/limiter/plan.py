"""From the configured rates to the windows that one call counts in. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from engine.kernel.values import DAY, HOUR, MINUTE
from engine.limiter.quota import Bound, Layer, Measure
from engine.limiter.settings import QuotaSettings, Rates

_KEPT = 10_000  # combinations of provider, user and account whose windows are remembered


class Plan:
    """The windows of each combination of provider, user and account, outermost layer last."""

    def __init__(self, settings: QuotaSettings) -> None:
        self.settings = settings
        self._known: dict[tuple[str, str, str], tuple[Bound, ...]] = {}

    def bounds(self, provider: str, user_id: str, account_id: str) -> tuple[Bound, ...]:
        """Every window a call counts in; a missing user or account has none."""
        key = (provider, user_id, account_id)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[key] = tuple(self._bounds(provider, user_id, account_id))
        return found

    def _bounds(self, provider: str, user_id: str, account_id: str) -> Iterator[Bound]:
        settings = self.settings
        if user_id:
            at = settings.users_at.get(provider, Rates())
            yield from _of(Layer.USER_AT, f"{provider}/{user_id}", at)
            yield from _of(Layer.USER, user_id, settings.user)
        if account_id:
            yield from _of(Layer.ACCOUNT, account_id, settings.account)
        yield from _of(Layer.PROVIDER, provider, settings.providers.get(provider, Rates()))
        yield from _of(Layer.GLOBAL, "", settings.everybody)


def _of(layer: Layer, key: str, rates: Rates) -> Iterator[Bound]:
    for measure, width, limit in (
        (Measure.REQUESTS, MINUTE, rates.requests_minute),
        (Measure.REQUESTS, HOUR, rates.requests_hour),
        (Measure.REQUESTS, DAY, rates.requests_day),
        (Measure.TOKENS, MINUTE, rates.tokens_minute),
        (Measure.TOKENS, HOUR, rates.tokens_hour),
        (Measure.TOKENS, DAY, rates.tokens_day),
    ):
        if limit is not None:
            yield Bound.of(layer, key, measure, width, limit)
