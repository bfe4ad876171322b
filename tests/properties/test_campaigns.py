"""The campaign's state machine: every command in every state moves as drawn, or refuses and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaigns.campaign import (
    ENDED,
    WRITES,
    Campaign,
    CampaignState,
    cancelled,
    paused,
    progressed,
    resumed,
    started,
)
from engine.kernel.errors import CommandRefused, Refusal
from engine.messaging import OPEN, DeliveryState

NOW = 1_000

campaigns = st.builds(
    Campaign,
    campaign_id=st.just("cmp_1"),
    name=st.just("spring"),
    account_id=st.just("anna"),
    tenant_id=st.just(""),
    tool=st.just("message"),
    needs_approval=st.booleans(),
    budget=st.none() | st.integers(1, 10**12),
    state=st.sampled_from(CampaignState),
    reason=st.just(""),
    resume_to=st.sampled_from(["", *WRITES]),
    starved=st.booleans(),
    starts_at=st.none() | st.sampled_from([NOW - 1, NOW, NOW + 1]),
)
COMMANDS: dict[str, tuple[Callable[[Campaign], CampaignState], frozenset[CampaignState], frozenset[CampaignState]]] = {
    "start": (
        lambda one: started(one, NOW),
        frozenset({CampaignState.DRAFT}),
        frozenset({CampaignState.AWAITING_APPROVAL, CampaignState.SCHEDULED, CampaignState.RUNNING}),
    ),
    "pause": (paused, WRITES, frozenset({CampaignState.PAUSED})),
    "resume": (resumed, frozenset({CampaignState.PAUSED}), WRITES),
    "cancel": (cancelled, frozenset(CampaignState) - ENDED, frozenset({CampaignState.CANCELLED})),
}


@given(campaigns, st.sampled_from(sorted(COMMANDS)))
def test_every_command_moves_legally_or_refuses(campaign: Campaign, name: str) -> None:
    command, allowed, outcomes = COMMANDS[name]

    if campaign.state in allowed:
        assert command(campaign) in outcomes
    else:
        with pytest.raises(CommandRefused) as caught:
            command(campaign)
        assert caught.value.reason is Refusal.CONFLICT


@given(campaigns)
def test_nothing_starts_before_its_time_or_without_the_approval_it_needs(campaign: Campaign) -> None:
    if campaign.state is not CampaignState.DRAFT:
        return

    after = started(campaign, NOW)

    if after is CampaignState.RUNNING:
        assert not campaign.needs_approval
        assert campaign.due(NOW)


@given(campaigns, st.frozensets(st.sampled_from(OPEN)))
def test_progress_ends_a_campaign_only_when_no_delivery_is_open(
    campaign: Campaign, open_states: frozenset[DeliveryState]
) -> None:
    after = progressed(campaign, open_states, NOW)

    if campaign.state not in WRITES:
        assert after is campaign.state
    else:
        assert (after is CampaignState.FINISHED) == (not open_states)


@given(campaigns, st.frozensets(st.sampled_from(OPEN), min_size=1))
def test_progress_never_begins_what_only_the_schedule_begins(
    campaign: Campaign, open_states: frozenset[DeliveryState]
) -> None:
    """Who moves a scheduled campaign to running must put its jobs, and progress puts none."""
    after = progressed(campaign, open_states, NOW)

    if campaign.state is CampaignState.SCHEDULED or not campaign.due(NOW):
        assert after is not CampaignState.RUNNING or campaign.state is CampaignState.RUNNING


@given(campaigns, st.frozensets(st.sampled_from(OPEN), min_size=1))
def test_progress_rests_where_it_has_arrived(campaign: Campaign, open_states: frozenset[DeliveryState]) -> None:
    once = progressed(campaign, open_states, NOW)

    assert progressed(replace(campaign, state=once), open_states, NOW) is once


@given(campaigns)
def test_a_starved_campaign_pauses_only_when_all_it_paid_for_is_out(campaign: Campaign) -> None:
    more = progressed(campaign, {DeliveryState.PENDING, DeliveryState.QUEUED}, NOW)
    rest = progressed(campaign, {DeliveryState.PENDING}, NOW)

    if campaign.state in WRITES:
        assert more is not CampaignState.PAUSED
        assert (rest is CampaignState.PAUSED) == campaign.starved
