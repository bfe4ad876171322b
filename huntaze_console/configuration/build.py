"""Checked sections -> Settings: seconds become nanoseconds, and each package gets its own frozen settings."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import Any

from engine.alerts.settings import AlertSettings, SmtpSettings
from engine.bus.settings import MqttSettings, unfit
from engine.content.settings import ContentSettings
from engine.costs.settings import CostSettings, PriceOverride, SyncSettings
from engine.kernel.backoff import Backoff
from engine.kernel.secret import Secret
from engine.kernel.values import DAY, decimal_usd, nanos
from engine.limiter.settings import AccountLimit, AdaptiveSettings, LimiterSettings, QuotaSettings, Rates
from engine.messaging.settings import PlatformSettings, SendingSettings
from engine.orchestrator.settings import (
    GATEWAY,
    BreakerSettings,
    CacheSettings,
    DegradationSettings,
    GaugeSettings,
    HedgeSettings,
    OrchestratorSettings,
    RetrySettings,
    TuningSettings,
)
from engine.providers import Correction, Timeouts
from huntaze_console.configuration.kinds import Section
from huntaze_console.configuration.layers import Layer
from huntaze_console.configuration.problems import dotted
from huntaze_console.configuration.sections import (
    DegradationSection,
    ModelSection,
    PlatformSection,
    PriceSection,
    ProviderSection,
    RatesSection,
    Sections,
)
from huntaze_console.configuration.settings import ProviderRow, Settings, Shown
from huntaze_console.configuration.shape import Path
from huntaze_console.configuration.telling import MqttSection
from huntaze_console.configuration.tools import Preferences, aliases, gateway_route, ladder, routes

DEFAULT = "default"


def build(sections: Sections, layer: Layer, preferences: Preferences, *, simulated: bool) -> Settings:
    """The settings that sound sections mean; `layer` says where each value came from."""
    return Settings(
        source=layer.source,
        simulated=simulated,
        console=sections.console,
        daemon=sections.daemon,
        backends=sections.backends,
        providers={name: _row(name, row) for name, row in sections.providers.items()},
        orchestrator=_orchestrator(sections, preferences),
        costs=_costs(sections),
        sync=_sync(sections),
        dynamodb=sections.dynamodb,
        limiter=_limiter(sections),
        quotas=_quotas(sections),
        accounts=dict(sections.accounts),
        platform=_platform(sections),
        sending=_sending(sections.platform),
        campaigns=sections.campaigns,
        content=_content(sections),
        alerts=sections.alerts,
        alert_rules=_alerts(sections),
        smtp=sections.smtp,
        mail=_mail(sections),
        mqtt=_mqtt(sections.mqtt),
        queue=sections.queue,
        gateway=sections.gateway,
        model_aliases=dict(sections.orchestrator.model_aliases),
        simulation=sections.simulation,
        logging=sections.logging,
        shown=tuple(_shown(sections, layer)),
    )


def _row(name: str, row: ProviderSection) -> ProviderRow:
    return ProviderRow(
        name=name,
        dialect=row.dialect,
        base_url=row.base_url,
        api_key=row.api_key,
        api_key_env=row.api_key_env,
        organization=row.organization,
        api_version=row.api_version,
        deployments=dict(row.deployments),
        default_model=row.default_model,
        enabled=row.enabled,
        max_connections=row.max_connections,
    )


def _orchestrator(sections: Sections, preferences: Preferences) -> OrchestratorSettings:
    section = sections.orchestrator
    retry, breaker = section.retry, section.breaker
    return OrchestratorSettings(
        tools={**routes(sections, preferences), GATEWAY: gateway_route(sections, preferences)},
        aliases=aliases(sections.tools),
        timeouts=Timeouts(
            connect=nanos(section.connect_seconds),
            first_byte=nanos(section.first_byte_seconds),
            idle=nanos(section.idle_seconds),
            total=nanos(section.total_seconds),
        ),
        total=nanos(section.task_seconds),
        concurrency=section.concurrency,
        waiting=sections.limits.waiting,
        retry=RetrySettings(
            attempts=retry.attempts,
            backoff=_backoff(retry.base_seconds, retry.ceiling_seconds, retry.floor_seconds),
            patience=nanos(retry.patience_seconds),
            budget_share=retry.budget_share,
            budget_floor=retry.budget_floor,
            budget_window=nanos(retry.budget_window_seconds),
        ),
        breaker=BreakerSettings(
            failure_rate=breaker.failure_rate,
            slow_call=nanos(breaker.slow_call_seconds),
            slow_rate=breaker.slow_rate,
            window=nanos(breaker.window_seconds),
            least_calls=breaker.least_calls,
            open_for=nanos(breaker.open_seconds),
            open_at_most=nanos(breaker.open_at_most_seconds),
            probes=breaker.probes,
            probe_lease=nanos(breaker.probe_lease_seconds),
        ),
        cache=CacheSettings(
            keep=nanos(section.cache.keep_seconds),
            keep_old=nanos(section.cache.keep_old_seconds),
            most_bytes=section.cache.max_bytes,
            most_bytes_each=section.cache.max_bytes_each,
        ),
        hedge=HedgeSettings(share=section.hedge.share, floor=section.hedge.floor),
        gauges=GaugeSettings(
            decay=nanos(section.gauges.decay_seconds),
            forget=nanos(section.gauges.forget_seconds),
            prior_quality=section.gauges.prior_quality,
            prior_weight=section.gauges.prior_weight,
            memory=section.gauges.memory,
        ),
        tuning=TuningSettings(
            least=section.tuning.least,
            tolerance=section.tuning.tolerance,
            throttled=section.tuning.throttled_share,
            cut=section.tuning.cut,
            every=section.tuning.look_seconds,
        ),
        models={name: _correction(row) for name, row in sections.models.items()},
        model_aliases=dict(section.model_aliases),
        degradation=_degradation(section.degradation),
    )


def _degradation(section: DegradationSection) -> DegradationSettings:
    return DegradationSettings(
        window=nanos(section.window_seconds),
        least_tasks=section.least_tasks,
        cached_at=section.cached_at,
        cheaper_at=section.cheaper_at,
        template_at=section.template_at,
        calm=nanos(section.calm_seconds),
        probe_every=nanos(section.probe_every_seconds),
        probes=section.probes,
        slow=nanos(section.slow_seconds),
    )


def _correction(row: ModelSection) -> Correction:
    return Correction(
        context=row.context,
        largest_output=row.largest_output,
        images=row.images,
        tools=row.tools,
        schema=row.json_schema,
        thinks_unseen=row.thinks_unseen,
    )


def _backoff(base: float, ceiling: float, floor: float) -> Backoff:
    return Backoff(base=nanos(base), ceiling=nanos(ceiling), floor=nanos(floor))


def _costs(sections: Sections) -> CostSettings:
    section, providers = sections.costs, sections.providers
    deployments = {
        name: model for row in providers.values() if row.dialect == "azure" for name, model in row.deployments.items()
    }
    return CostSettings(
        time_zone=section.time_zone,
        day_threshold=section.day_threshold_usd,
        month_threshold=section.month_threshold_usd,
        overrides=tuple(map(_override, section.prices)),
        azure_deployments=deployments,
        price_as={name: row.priced_as for name, row in providers.items() if row.priced_as},
        local_providers=tuple(name for name, row in providers.items() if row.free),
        hold_lease=nanos(section.hold_lease_seconds),
        budgets=tuple(budget.rule() for budget in section.budgets),
        ladder=ladder(sections),
        least_output_tokens=section.least_output_tokens,
        count_tokens=section.count_tokens,
    )


def _override(price: PriceSection) -> PriceOverride:
    return PriceOverride(
        provider=price.provider,
        model=price.model,
        from_day=price.from_,
        input=price.input,
        output=price.output,
        cached=price.cached,
        cache_write=price.cache_write,
        cache_write_hour=price.cache_write_hour,
        reasoning=price.reasoning,
    )


def _sync(sections: Sections) -> SyncSettings:
    section = sections.dynamodb
    return SyncSettings(
        table=section.costs_table,
        behind_after=nanos(section.behind_seconds),
        idle_wait=nanos(section.idle_seconds),
        parallel=section.parallel,
        timeout=nanos(section.timeout_seconds),
        keep=section.ttl_days * DAY,
    )


def _limiter(sections: Sections) -> LimiterSettings:
    section = sections.limiter
    own = {
        account_id: AccountLimit(
            messages=account.limit or section.messages,
            width=nanos(account.window_seconds or section.window_seconds),
        )
        for account_id, account in sections.accounts.items()
        if account.limit or account.window_seconds
    }
    return LimiterSettings(
        messages=section.messages,
        width=nanos(section.window_seconds),
        send_timeout=nanos(section.send_timeout_seconds),
        accounts=own,
        adaptive=_adaptive(sections),
    )


def _adaptive(sections: Sections) -> AdaptiveSettings:
    section = sections.limits.adaptive
    return AdaptiveSettings(
        floor=section.floor, recovery=section.recovery, throttles=section.throttles, least=section.least_a_minute
    )


def _quotas(sections: Sections) -> QuotaSettings:
    section = sections.limits
    return QuotaSettings(
        everybody=_rates(section.global_),
        user=_rates(section.users),
        account=_rates(section.accounts),
        providers={name: _rates(row) for name, row in section.providers.items()},
        users_at={name: _rates(row.per_user) for name, row in section.providers.items()},
        adaptive=_adaptive(sections),
    )


def _rates(section: RatesSection) -> Rates:
    return Rates(
        requests_minute=section.requests_minute or None,
        requests_hour=section.requests_hour or None,
        requests_day=section.requests_day or None,
        tokens_minute=section.tokens_minute or None,
        tokens_hour=section.tokens_hour or None,
        tokens_day=section.tokens_day or None,
    )


def _platform(sections: Sections) -> PlatformSettings:
    section = sections.platform
    return PlatformSettings(
        url=section.url,
        token=section.token,
        user_agent=section.user_agent,
        idempotent=section.idempotent,
        connect_timeout=nanos(section.connect_seconds),
        send_timeout=nanos(sections.limiter.send_timeout_seconds),
        read_timeout=nanos(section.read_seconds),
    )


def _sending(section: PlatformSection) -> SendingSettings:
    return SendingSettings(
        consent_max_age=nanos(section.consent_max_age_seconds),
        lease=nanos(section.lease_seconds),
        backoff=_backoff(section.backoff_base_seconds, section.backoff_ceiling_seconds, section.backoff_floor_seconds),
        max_attempts=section.max_attempts,
    )


def _alerts(sections: Sections) -> AlertSettings:
    section = sections.alerts
    return AlertSettings(
        day_threshold=sections.costs.day_threshold_usd,
        month_threshold=sections.costs.month_threshold_usd,
        early_percent=section.early_percent,
        error_rate=section.error_rate,
        error_rate_critical=section.error_rate_critical,
        error_window=nanos(section.error_window_seconds),
        error_least_calls=section.error_least_calls,
        queue_age=nanos(section.queue_age_seconds),
        dead_letters=section.dead_letters,
        limiter_saturated=nanos(section.limiter_saturated_seconds),
        limiter_backlog=nanos(section.limiter_backlog_seconds),
        sync_lag=nanos(section.sync_lag_seconds),
        broker_away=nanos(section.broker_away_seconds),
        hold=nanos(section.hold_seconds),
        clear=nanos(section.clear_seconds),
        flaps=section.flaps,
        flap_window=nanos(section.flap_window_seconds),
        flap_clear=nanos(section.flap_clear_seconds),
        throttle=nanos(section.throttle_seconds),
        remind_every=nanos(section.remind_seconds),
        notify_from=section.notify_from,
        history=section.history_days * DAY,
        check_every=nanos(section.check_seconds),
        send_timeout=section.send_timeout_seconds,
        backoff=_backoff(section.backoff_base_seconds, section.backoff_ceiling_seconds, section.backoff_floor_seconds),
        give_up_after=nanos(section.give_up_seconds),
    )


def _content(sections: Sections) -> ContentSettings:
    section = sections.campaigns
    return ContentSettings(disclose=section.disclosure, disclosure=section.disclosure_text, longest=section.max_length)


def _mail(sections: Sections) -> SmtpSettings | None:
    section, recipients = sections.smtp, sections.alerts.email_to
    if not (section.host and section.from_address and recipients):
        return None
    return SmtpSettings(
        host=section.host,
        port=section.port,
        security=section.security,
        username=section.username,
        password=section.password,
        sender=section.from_address,
        recipients=recipients,
        timeout=section.timeout_seconds,
    )


def _mqtt(section: MqttSection) -> MqttSettings | None:
    if not section.host:
        return None
    return MqttSettings(
        host=section.host,
        port=section.port,
        tls=section.tls,
        ca_file=section.ca_file,
        username=section.username,
        password=section.password,
        fleet=section.fleet or DEFAULT,
        node=section.node or _this_host(),
        keepalive=section.keepalive_seconds,
        timeout=section.timeout_seconds,
        buffer=section.buffer,
        batch=section.batch,
        linger=section.linger_seconds,
        status_every=section.status_seconds,
        backoff=_backoff(section.backoff_base_seconds, section.backoff_ceiling_seconds, section.backoff_floor_seconds),
    )


def _this_host() -> str:
    """This machine's name as a part of a topic."""
    name = socket.gethostname()
    return name if not unfit(name) else "huntaze"


# ── what `config show` shows ────────────────────────────────────────────────────────────────────────────────────────


def _shown(section: Section | Mapping[str, Any], layer: Layer, path: Path = ()) -> Iterable[Shown]:
    for key, value in _entries(section):
        here = (*path, key)
        if isinstance(value, Section | Mapping):
            yield from _shown(value, layer, here)
        elif isinstance(value, tuple) and any(isinstance(part, Section) for part in value):
            yield from _shown({str(index): part for index, part in enumerate(value)}, layer, here)
        else:
            yield Shown(dotted(here), _text(value, key), layer.places.get(_counted(here)) or _above(layer, here))


def _entries(section: Section | Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    if isinstance(section, Mapping):
        return section.items()
    fields = type(section).model_fields
    return ((field.alias or name, getattr(section, name)) for name, field in fields.items())


def _counted(path: Path) -> Path:
    """The path as a layer knows it: places in a list are numbers there."""
    return tuple(int(part) if str(part).isdigit() and path[0] == "costs" else part for part in path)


def _above(layer: Layer, path: Path) -> str:
    """Who said a whole table at once, as a variable can; else it is the default."""
    for length in range(len(path) - 1, 1, -1):
        place = layer.places.get(_counted(path[:length]), "")
        if place and ":" not in place:
            return place
    return DEFAULT


def _text(value: object, key: str) -> str:
    if isinstance(value, Secret):
        return "(set)" if value else "(not set)"
    if key.endswith("_usd") and isinstance(value, int):
        return f'"{decimal_usd(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(part, "") for part in value) + "]"
    if value is None:
        return "(not set)"
    return f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, int) else f'"{value}"'
