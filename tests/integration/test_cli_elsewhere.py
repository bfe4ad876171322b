"""Commands on an engine elsewhere: --connect, its token from a file or the environment, and what keeps them off."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner, Result

from engine.surface.commands import HaltSending, ScheduleCampaign
from engine.surface.queries import ListCampaigns
from huntaze_console.acting import operator
from huntaze_console.cli.root import huntaze
from tests.integration.test_api_desk import Served, serving

LOOKING = "l" * 43  # a read-only token


async def run(served: Served, *arguments: str, token: str = "", url: str = "") -> Result:
    """On a thread: the engine's loop has to answer it meanwhile. What the state directory holds must not be needed."""
    environment = {"HUNTAZE_TOKEN": token, "HUNTAZE_STATE_DIR": "/nowhere", "HUNTAZE_CONFIG": ""}
    words = ["--connect", url or served.endpoint.url, *arguments]
    return await asyncio.to_thread(CliRunner(env=environment).invoke, huntaze, words)


async def test_a_command_reads_and_acts_on_the_engine_it_is_connected_to(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        listed = await run(served, "campaign", "list", token=served.client.token)
        halted = await run(served, "--token-file", str(served.directory.token_path), "stop")
        moved = await run(served, "campaign", "schedule", "cmp_1", "now", token=served.client.token)

    assert (listed.exit_code, halted.exit_code, moved.exit_code) == (0, 0, 0), (listed.output, halted.output)
    assert [type(query) for query in served.desk.asked] == [ListCampaigns]
    assert served.desk.submitted == [
        HaltSending(actor=operator(), via="cli"),
        ScheduleCampaign(actor=operator(), via="cli", campaign_id="cmp_1", starts_at=None),
    ]


async def test_a_token_is_asked_for_once_for_all_that_a_command_asks(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        words = ["--connect", served.endpoint.url, "campaign", "schedule", "cmp_1", "2030-01-01"]  # reads, then acts
        typed = f"{served.client.token}\n"
        answer = await asyncio.to_thread(CliRunner(env={"HUNTAZE_TOKEN": ""}).invoke, huntaze, words, typed)

    assert answer.exit_code == 0, answer.output
    assert answer.output.count("Token for") == 1
    assert served.client.token not in answer.output
    assert len(served.desk.submitted) == 1


async def test_what_keeps_a_command_off_is_said_and_nothing_is_done(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        served.directory.write_private(served.directory.read_only_token_path, LOOKING)
        guest = await run(served, "stop", token=LOOKING)
        stranger = await run(served, "stop", token="w" * 43)
        nobody = await run(served, "stop", token=LOOKING, url="http://127.0.0.1:9")
        in_the_clear = await run(served, "stop", token=LOOKING, url="http://10.1.2.3:8642")

    assert [one.exit_code for one in (guest, stranger, nobody, in_the_clear)] == [3, 5, 5, 2]
    assert "this token may look, and change nothing" in guest.stderr
    assert "the token is wrong" in stranger.stderr
    assert "cannot be reached" in nobody.stderr
    assert "would show the token to the network" in in_the_clear.stderr
    assert served.desk.submitted == []


def test_a_command_about_this_host_takes_no_address() -> None:
    for words in (["doctor"], ["config", "show"], ["token", "create", "--read-only"]):
        answer = CliRunner().invoke(huntaze, ["--connect", "http://127.0.0.1:9", *words])

        assert answer.exit_code == 2
        assert "takes no --connect" in answer.stderr


def test_a_token_without_an_address_is_refused() -> None:
    answer = CliRunner().invoke(huntaze, ["limits", "--token-file", "/nowhere"])

    assert answer.exit_code == 2
    assert "add --connect" in answer.stderr
