import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.errors import ConfigError
from engine.kernel.values import SECOND
from engine.simulation import tokens
from engine.simulation.model import Ask, PromptCache, answer, find
from engine.simulation.trace import TraceRequest, read_trace, trace_prompt

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
ROW = "2023-11-16 18:15:46.6805900,374,44\r\n"


def test_the_packaged_trace_is_the_published_one() -> None:
    trace = read_trace()

    assert len(trace) == 19_366
    assert sum(request.context_tokens for request in trace) == 22_361_870
    assert sum(request.generated_tokens for request in trace) == 4_088_665
    assert trace[0].offset == 0
    assert trace[-1].offset == 3_501_721_937_000


def test_every_prompt_of_the_trace_has_its_size_and_is_unique() -> None:
    trace = read_trace()

    prompts = [trace_prompt(index, request) for index, request in enumerate(trace)]

    assert [tokens.count(prompt) for prompt in prompts] == [request.context_tokens for request in trace]
    assert len(set(prompts)) == len(prompts)


@given(st.integers(0, 50_000), st.integers(1, 60), st.integers(1, 300))
def test_the_smallest_prompt_still_gets_the_recorded_answer(index: int, context: int, generated: int) -> None:
    request = TraceRequest(offset=0, context_tokens=context, generated_tokens=generated)
    model = find("openai", "gpt-4o-mini")
    assert model is not None

    prompt = trace_prompt(index, request)
    ask = Ask(provider="openai", model=model, contents=(prompt,), last_user=prompt)
    said = answer(ask, 7, PromptCache(enabled=False, share=0))

    assert tokens.count(prompt) == context
    assert tokens.count(said.text) == said.usage.output == generated
    assert said.usage.input == context


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
def test_a_trace_is_read_plain_and_packed(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    path = tmp_path / "trace"
    path.write_bytes(pack((HEADER + ROW + "2023-11-16 18:15:47.6805900,1,2\n").encode()))

    trace = read_trace(path)

    assert trace == (
        TraceRequest(offset=0, context_tokens=374, generated_tokens=44),
        TraceRequest(offset=SECOND, context_tokens=1, generated_tokens=2),
    )


@pytest.mark.parametrize(
    "row",
    ["2023-11-16 18:15:46.6,374", "yesterday,1,1", "2023-11-16 18:15:46.6,0,1", "2023-11-16 18:15:46.6,1,x", ""],
)
def test_a_malformed_row_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(HEADER + ROW + row + "\n")

    with pytest.raises(ConfigError, match="line 3"):
        read_trace(path)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("a,b,c\n")

    with pytest.raises(ConfigError, match="line 1"):
        read_trace(path)
