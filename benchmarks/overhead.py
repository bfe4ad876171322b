"""What the orchestrator adds to a call, over the `openai` SDK called directly, in one run.

    python -m benchmarks.overhead [--calls 300] [--rounds 5] [--litellm] [--json]

Routing, limits, a budget's hold, breaker, books: all on, as the bootstrap joins them. `alone` is the SDK against the
same stub, which answers at once. `not durable` commits with `synchronous=OFF`, which shows our own work; `durable` as
it ships, the hold on the disk before the call leaves. `hop` is a call whose first model fails and whose second answers,
less one that needs no second, and less what the failing request takes by itself. With `--litellm`,
LiteLLM's Router, which keeps nothing durable, runs against the same stub in an environment of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import openai

from benchmarks import environment
from engine.kernel.values import new_id
from engine.orchestrator import Orchestrator, Task
from engine.providers import Message, Role
from engine.storage import Mode, StateDirectory
from huntaze_console.bootstrap import open_engine
from huntaze_console.config import load_settings

BARS = {"not durable": 0.25, "durable": 1.0, "hop": 1.5}  # milliseconds added, p50
LITELLM_RATIOS = {"not durable": 8.0, "durable": 2.0}  # LiteLLM's added time over ours
_WARM = 50
_PROMPT = "Write one short warm message to Zoe."
_CONFIG = """
[providers.openai]
base_url = "{good}"
[providers.deepseek]
base_url = "{first}"
[tools.message]
provider = "{provider}"
model = "{model}"
fallback = ["openai/gpt-4o-mini"]
max_output_tokens = 100
cache = "off"
[limits.providers.openai.per_user]
requests_minute = 1000000
requests_hour = 1000000
requests_day = 10000000
[[costs.budgets]]
scope = "global"
window = "day"
limit_usd = "1000000.00"
[orchestrator.retry]
attempts = 1
[orchestrator.breaker]
failure_rate = 1.0
least_calls = 1000000
[orchestrator.degradation]
cached_at = 1.0
cheaper_at = 1.0
template_at = 1.0
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--litellm", action="store_true", help="measure LiteLLM's Router too, in its own environment")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stub(folder) as good, stub(folder, fail=True) as bad:
        found = asyncio.run(measure(good, bad, options.calls, options.rounds))
        if options.litellm:
            found["litellm"] = litellm(good, "", options.calls)
            found["litellm hop"] = litellm(good, bad, options.calls) - found["litellm"]
    return report(found, as_json=options.json)


@contextlib.contextmanager
def stub(folder: str, *, fail: bool = False) -> Iterator[str]:
    """The stub of OpenAI's API, for as long as the block lasts; its base URL."""
    port = Path(folder) / f"port-{fail}"
    command = [sys.executable, "-m", "benchmarks.upstream", str(port), *(["--fail"] if fail else [])]
    process = subprocess.Popen(command)
    try:
        while not port.exists():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port.read_text()}"
    finally:
        process.kill()
        process.wait()


async def measure(good: str, bad: str, calls: int, rounds: int) -> dict[str, float]:
    """Medians in milliseconds: of the SDK alone, and what each way adds to it. Rounds take turns."""
    client = openai.AsyncOpenAI(
        base_url=good, api_key="k", max_retries=0, http_client=openai.DefaultAioHttpClient(timeout=30)
    )

    async def alone() -> object:
        return await client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": _PROMPT}], max_tokens=100
        )

    failing = client.with_options(base_url=bad)

    async def failure() -> object:
        with contextlib.suppress(openai.InternalServerError):
            await failing.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": _PROMPT}], max_tokens=100
            )
        return None

    async with (
        client,
        engine(good, good, durable=False) as light,
        engine(good, good) as durable,
        engine(good, bad, durable=False) as hopping,
    ):
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "alone": alone,
            "failure": failure,
            "not durable": lambda: light.complete(_task()),
            "durable": lambda: durable.complete(_task()),
            "hopping": lambda: hopping.complete(_task()),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for round_ in range(rounds + 1):
            for name, way in ways.items():
                each = await timed(way, calls if round_ else _WARM)
                took[name] += each if round_ else []
        sync = await fsyncs(calls)
    p50 = {name: statistics.median(each) for name, each in took.items()}
    return {
        "alone": p50["alone"],
        "not durable": p50["not durable"] - p50["alone"],
        "durable": p50["durable"] - p50["alone"],
        "hop": p50["hopping"] - p50["not durable"] - p50["failure"],
        "fsync": sync,
    }


@contextlib.asynccontextmanager
async def engine(good: str, first: str, *, durable: bool = True) -> AsyncIterator[Orchestrator]:
    """A whole engine on a folder of its own, with a budget over everything; its orchestrator."""
    with tempfile.TemporaryDirectory() as made:
        config = Path(made) / "config.toml"
        provider, model = ("openai", "gpt-4o-mini") if first == good else ("deepseek", "deepseek-chat")
        config.write_text(_CONFIG.format(good=good, first=first, provider=provider, model=model))
        settings = load_settings(config, {"OPENAI_API_KEY": "k", "DEEPSEEK_API_KEY": "k"})
        directory = StateDirectory(Path(made) / "state")
        directory.acquire(kind="benchmark", mode=Mode.REAL, version="0")
        async with open_engine(settings, directory, kind="daemon", durable=durable) as built:
            yield built.orchestrator
        directory.release()


def _task() -> Task:
    trace = new_id("trc", time.time_ns(), _CHANCE)
    return Task(
        tool="message", messages=(Message(Role.USER, _PROMPT),), trace_id=trace, tenant_id="acme", fresh=True, bare=True
    )


class _Chance:
    """Ids of a benchmark need no randomness."""

    def __init__(self) -> None:
        self._next = 0

    def random(self) -> float:
        return 0.5

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2

    def getrandbits(self, k: int, /) -> int:
        self._next += 1
        return self._next


_CHANCE = _Chance()


async def timed(way: Callable[[], Awaitable[object]], calls: int) -> list[float]:
    """Milliseconds of each of so many calls, one after another."""
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        await way()
        took.append((time.perf_counter() - began) * 1e3)
    return took


async def fsyncs(count: int) -> float:
    """The median of the machine's own fsync of 4 kB, milliseconds."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(count):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


def litellm(good: str, bad: str, calls: int) -> float:
    """What LiteLLM's Router adds to the SDK of its own environment, milliseconds."""
    command = [
        str(environment.python(environment.LITE)),
        str(environment.LITE / "router.py"),
        good,
        str(calls),
        *([bad] if bad else []),
    ]
    environ = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, env=environ)
    answer = json.loads(done.stdout.splitlines()[-1])
    added: float = answer["routed"] - answer["alone"]
    return added


def report(found: dict[str, float], *, as_json: bool) -> int:
    missed = [name for name, bar in BARS.items() if found[name] > bar]
    for name, ratio in LITELLM_RATIOS.items():
        if "litellm" in found and found["litellm"] / found[name] < ratio:
            missed.append(f"litellm over {name}")
    if as_json:
        print(json.dumps({"rows": found, "met": not missed}))
        return 1 if missed else 0
    print(f"{'the openai SDK alone':<40} {found['alone']:6.2f} ms p50")
    print(f"{'we add, not durable':<40} {found['not durable']:6.2f} ms   bar {BARS['not durable']}")
    print(f"{'we add, the hold durable':<40} {found['durable']:6.2f} ms   bar {BARS['durable']}")
    print(f"{'… of which one fsync of this disk':<40} {found['fsync']:6.2f} ms")
    print(f"{'one fallback hop adds':<40} {found['hop']:6.2f} ms   bar {BARS['hop']}")
    if "litellm" in found:
        light, durable = found["litellm"] / found["not durable"], found["litellm"] / found["durable"]
        print(
            f"{'LiteLLM Router adds (nothing durable)':<40} {found['litellm']:6.2f} ms   {light:.1f} x, {durable:.1f} x"
        )
        print(f"{'… one fallback hop':<40} {found['litellm hop']:6.2f} ms")
    print(f"bars: {'met' if not missed else 'MISSED: ' + ', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
