"""LiteLLM's Router, measured in its own environment: the median of calls one after another, and that of its SDK alone.

    PYTHON_WITH_LITELLM benchmarks/lite/router.py BASE_URL CALLS [FAILING_BASE_URL]

With a failing base URL each call fails there first and falls back to the other. Prints one JSON object, milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

_WARM = 30
_MESSAGES = [{"role": "user", "content": "Write one short warm message to Zoe."}]


async def main(base: str, calls: int, failing: str) -> None:
    import litellm  # type: ignore[import-not-found]  # lives in the peer's environment
    import openai

    litellm.suppress_debug_info = True
    rows = [_row("first", failing or base), _row("second", base)]
    router = litellm.Router(
        model_list=rows, fallbacks=[{"first": ["second"]}], num_retries=0, allowed_fails=10**9, disable_cooldowns=True
    )
    client = openai.AsyncOpenAI(base_url=base, api_key="k", max_retries=0)

    async def routed() -> object:
        return await router.acompletion(model="first", messages=_MESSAGES, max_tokens=100)

    async def alone() -> object:
        return await client.chat.completions.create(model="gpt-4o-mini", messages=_MESSAGES, max_tokens=100)  # type: ignore[arg-type]

    found = {"routed": await _median(routed, calls), "alone": await _median(alone, calls)}
    print(json.dumps(found | {"version": litellm_version()}))


def litellm_version() -> str:
    from importlib.metadata import version

    return version("litellm")


def _row(name: str, url: str) -> dict[str, object]:
    return {
        "model_name": name,
        "litellm_params": {"model": "openai/gpt-4o-mini", "api_base": url, "api_key": "k"},
    }


async def _median(call: Callable[[], Awaitable[object]], calls: int) -> float:
    took = []
    for _ in range(calls + _WARM):
        began = time.perf_counter()
        await call()
        took.append(time.perf_counter() - began)
    return statistics.median(took[_WARM:]) * 1e3


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
