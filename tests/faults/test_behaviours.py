"""Every way a provider may misbehave, over real sockets: no hang, no wrong success, every call on the books once.

A test plays a whole dialect at once: what is slow waits side by side, and the rest takes turns so that a busy machine
does not make it slow too.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.playing import SLOW, Case, staged
from tests.faults.server import BEHAVIOURS, FaultServer, described
from tests.faults.table import DOCUMENT, NOT_PLAYED, OTHERWISE, TABLE, Outcome, expected, written

WARM_UPS = 3  # calls that a connection serves before it is closed under the next
AT_ONCE = 12
PAUSE = 0.1  # real seconds after which a throttled model that named no time is asked again


def cases_of(dialect: str) -> list[Case]:
    return [
        Case(
            name="one",
            dialect=dialect,
            chain=(name, "healthy_json" if name == "bad_json_for_schema" else "healthy"),
            streamed=streamed,
            body=body,
            schema=name == "bad_json_for_schema",
        )
        for name in TABLE
        for streamed in (False, True)
        for body in (False, True)
    ]


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_every_behaviour_ends_as_the_table_says(faults: FaultServer, tmp_path: Path, dialect: str) -> None:
    cases, wrong, turns = cases_of(dialect), [], asyncio.Semaphore(AT_ONCE)

    async with staged(faults, tmp_path, dialect, cases) as stage:

        async def play(case: Case) -> None:
            behaviour = case.chain[0]
            async with turns if behaviour not in SLOW else asyncio.Semaphore():
                if behaviour == "kept_connection_closed":
                    for number in range(WARM_UPS):
                        await stage.ask(case, f"{case.tool}-warm-{number}")
                seen = await stage.ask(case, f"{case.tool}-first")
                for number in range(WARM_UPS):  # a busy machine may have let the connection lie for too long to be kept
                    if behaviour != "kept_connection_closed" or len(seen.tries) > 1:
                        break
                    seen = await stage.ask(case, f"{case.tool}-again-{number}")
                if seen.told == "rate_limit":
                    await asyncio.sleep(PAUSE)
                if not (case.schema and case.streamed):
                    await stage.ask(case, f"{case.tool}-second")
            wanted = expected(behaviour, dialect, streamed=case.streamed, body=case.body)
            got = Outcome(seen.given, seen.tries, seen.told, stage.opened(case.providers[0]))
            if got != wanted:
                wrong.append(f"{case.tool}: {got} instead of {wanted}")
            if case.streamed and seen.answer is not None and seen.pieces != seen.answer.text:
                wrong.append(f"{case.tool}: the pieces are not the answer")

        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(play(case))

        assert not wrong, "\n".join(sorted(wrong))
        assert await stage.misbooked(cases) == []
    assert faults.keys_seen_elsewhere == []


def test_every_behaviour_is_in_the_table() -> None:
    assert TABLE.keys() == BEHAVIOURS.keys() - NOT_PLAYED
    assert {name for name, _, _ in OTHERWISE} <= TABLE.keys()
    assert len(TABLE) >= 60
    assert [name for name, does in described() if not does] == []


def test_the_document_shows_the_table() -> None:
    """`python -m tests.faults.table` writes it anew."""
    text = DOCUMENT.read_text()

    assert written(text) == text
