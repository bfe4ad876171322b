"""The gateway's endpoint, against a bare proxy that only passes bytes on, in one run.

    python -m benchmarks.gateway [--seconds 5] [--rounds 3] [--litellm] [--peer NAME=URL,KEY,MODEL] [--json]

The daemon runs as it ships, with one worker: key, routing, limits, a budget's hold durable before the call leaves,
breaker, books. Each request is another, so that no kept answer helps. `floor` is aiohttp's server and client with
nothing in between: what no gateway written with them can beat. The load comes from a process of its own over raw
sockets, 64 connections at once for the throughput and one for the latency; the stub behind both answers at once.
With `--litellm`, LiteLLM's proxy runs in front of the same stub, in an environment of its own; another peer that
already runs can be named (`--hold` prints the stub's address and waits). All are measured in the same rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import environment

CLIENTS = 64
BARS = {"requests_a_second": 1_000, "p50_ms": 2.5, "rss_mb": 170}
PEER_RATIO = 8  # our throughput over LiteLLM's
_PATH = "/v1/chat/completions"
_WARM = 0.5  # seconds
_CONFIG = """
[providers.openai]
base_url = "{url}/v1"
max_connections = 200
[limits.providers.openai.per_user]
requests_minute = 0
requests_hour = 0
requests_day = 0
"""


_LITELLM = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params:
      model: openai/gpt-4o-mini
      api_base: {url}/v1
      api_key: sk-stub
general_settings:
  master_key: sk-peer
litellm_settings:
  num_retries: 0
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Something that serves chat completions."""

    name: str
    url: str
    key: str
    model: str
    pid: int | None = None


# ── the load ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Client(asyncio.Protocol):
    """One connection that asks, waits for the whole answer and asks again."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._number = number
        self._asked = 0
        self._data = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.ended()

    def _ask(self) -> None:
        self._asked += 1
        self._data = b""
        self._began = time.perf_counter()
        self._transport.write(self._load.request(self._number, self._asked))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._data) < end + 4 + length:
            return
        self._load.answered(time.perf_counter() - self._began, ok=head.startswith(b"http/1.1 200"))
        if self._load.over:
            self._transport.close()
        else:
            self._ask()


class Load:
    """So many connections for so long; what they saw."""

    def __init__(self, server: Server, clients: int, seconds: float) -> None:
        self._server = server
        self._clients = clients
        self._seconds = seconds
        self._open = clients
        self._done = asyncio.Event()
        self._from = 0.0
        self._until = 0.0
        self._times: list[float] = []
        self._failed = 0
        self._asked = 0
        self._salt = os.urandom(4).hex()

    @property
    def over(self) -> bool:
        return time.perf_counter() >= self._until

    def request(self, client: int, number: int) -> bytes:
        self._asked += 1
        prompt = f"Write one short warm message to fan {self._salt}-{client:03}-{number:07}."
        body = json.dumps(
            {"model": self._server.model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 60}
        ).encode()
        head = (
            f"POST {_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._server.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def answered(self, took: float, *, ok: bool) -> None:
        if time.perf_counter() >= self._from:
            self._times.append(took)
            self._failed += not ok

    def ended(self) -> None:
        self._open -= 1
        if not self._open:
            self._done.set()

    async def run(self) -> dict[str, float]:
        host, port = self._server.url.removeprefix("http://").split(":")
        self._from = time.perf_counter() + _WARM
        self._until = self._from + self._seconds
        loop = asyncio.get_running_loop()
        for number in range(self._clients):
            await loop.create_connection(lambda number=number: Client(self, number), host, int(port))
        await self._done.wait()
        times = sorted(self._times)
        return {
            "requests": self._asked,
            "requests_a_second": len(times) / (time.perf_counter() - self._from),
            "p50_ms": 1000 * statistics.median(times),
            "p95_ms": 1000 * times[int(len(times) * 0.95)],
            "failed": self._failed,
        }


# ── the servers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def floor(port_file: str, upstream: str) -> None:
    """A proxy that reads a request, passes its bytes on and brings the answer's back."""
    import aiohttp
    from aiohttp import web

    async def serve() -> None:
        connector = aiohttp.TCPConnector(limit=200)
        async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:

            async def handle(request: web.Request) -> web.Response:
                async with session.post(upstream + _PATH, data=await request.read()) as response:
                    return web.Response(body=await response.read(), content_type="application/json")

            app = web.Application()
            app.router.add_post(_PATH, handle)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            Path(port_file).write_text(str(runner.addresses[0][1]))
            await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(command, text=True, **options)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)
        if running.stdout is not None:
            running.stdout.close()


def port_in(file: Path) -> str:
    give_up = time.monotonic() + 20
    while not (file.exists() and file.read_text().strip()):
        if time.monotonic() > give_up:
            raise TimeoutError(f"nobody wrote a port to {file}")
        time.sleep(0.02)
    return f"http://127.0.0.1:{file.read_text().strip()}"


def start(stack: ExitStack, folder: Path) -> tuple[Server, Server, str]:
    """The stub, the bare proxy and our daemon."""
    stub_file, floor_file = folder / "stub", folder / "floor"
    stack.enter_context(process([sys.executable, "-m", "benchmarks.upstream", str(stub_file)]))
    upstream = port_in(stub_file)
    bare = stack.enter_context(
        process([sys.executable, "-m", "benchmarks.gateway", "--floor", str(floor_file), upstream])
    )
    config, state = folder / "config.toml", folder / "state"
    config.write_text(_CONFIG.format(url=upstream))
    command = [sys.executable, "-m", "huntaze_console", "daemon", "--port", "0", "--state-dir", str(state)]
    daemon = stack.enter_context(
        process(
            [*command, "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENAI_API_KEY": "sk-stub"},
        )
    )
    assert daemon.stdout is not None
    url = daemon.stdout.readline().rpartition(" ")[2].strip()
    ours = Server("gateway", url, _key(state), "gpt-4o-mini", daemon.pid)
    return Server("floor", port_in(floor_file), "none", "gpt-4o-mini", bare.pid), ours, upstream


def litellm(stack: ExitStack, folder: Path, upstream: str) -> Server:
    """LiteLLM's proxy, one worker, in front of the stub."""
    config, port = folder / "litellm.yaml", _free_port()
    config.write_text(_LITELLM.format(url=upstream))
    program = environment.python(environment.LITE).parent / "litellm"
    told = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    proxy = stack.enter_context(
        process([str(program), *told], **quiet, env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    )
    _wait_for(port)
    return Server("litellm", f"http://127.0.0.1:{port}", "sk-peer", "gpt-4o-mini", proxy.pid)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _wait_for(port: int) -> None:
    give_up = time.monotonic() + 90
    while time.monotonic() < give_up:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise TimeoutError(f"nobody listens on port {port}")


def _key(state: Path) -> str:
    """A key with a budget that never runs out."""
    from engine.storage.directory import StateDirectory
    from engine.surface.commands import CreateKey
    from huntaze_console.client import connect

    with connect(StateDirectory(state)) as client:
        secret: str = client.submit(CreateKey(tenant_id="bench", limit=1_000_000 * 10**9, window="month")).data[
            "secret"
        ]
    return secret


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors so far, its kernel time included."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def fsync_ms(folder: Path) -> float:
    """What one fsync costs here, p50."""
    times = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


# ── one run ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(server: Server, clients: int, seconds: float) -> dict[str, float]:
    """In a process of its own, so that the load does not share the interpreter with what it loads."""
    told = [server.name, server.url, server.key, server.model, str(clients), str(seconds)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gateway", "--load", *told], stdout=subprocess.PIPE, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run(options: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.dir)))
        bare, ours, upstream = start(stack, folder)
        if options.hold:
            print(f"stub {upstream}, gateway {ours.url} (key {ours.key}, pid {ours.pid}), floor {bare.url}", flush=True)
            input()
        peers = [Server(name, *rest.split(",")) for name, _, rest in (peer.partition("=") for peer in options.peer)]
        if options.litellm:
            peers.append(litellm(stack, folder, upstream))
        servers = [bare, ours, *peers]
        rounds: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
        for _ in range(options.rounds):  # taking turns, so that a busy moment of the machine meets them all
            for server in servers:
                used = cpu_seconds(server.pid) if server.pid else 0.0
                many = measure(server, CLIENTS, options.seconds)
                used = (cpu_seconds(server.pid) if server.pid else 0.0) - used
                single = measure(server, 1, options.seconds / 2)
                rounds[server.name].append(
                    {
                        "requests_a_second": many["requests_a_second"],
                        "p50_ms_at_64": many["p50_ms"],
                        "p95_ms_at_64": many["p95_ms"],
                        "cpu_ms": 1000 * used / many["requests"],
                        "p50_ms": single["p50_ms"],
                        "p95_ms": single["p95_ms"],
                        "failed": many["failed"] + single["failed"],
                    }
                )
        answer: dict[str, Any] = {
            name: {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
            for name, found in rounds.items()
        }
        for server in servers:
            if server.pid is not None:
                answer[server.name]["rss_mb"] = rss_mb(server.pid)
        answer["fsync_p50_ms"] = fsync_ms(folder)
        mine = answer["gateway"]["requests_a_second"]
        answer["of_floor"] = mine / answer["floor"]["requests_a_second"]
        answer["over_peers"] = {peer.name: mine / answer[peer.name]["requests_a_second"] for peer in peers}
        return answer


def missed(answer: dict[str, Any]) -> list[str]:
    """The bars that were not met."""
    ours = answer["gateway"]
    found = [name for name in ("p50_ms", "rss_mb") if ours[name] > BARS[name]]
    found += ["requests_a_second"] if ours["requests_a_second"] < BARS["requests_a_second"] else []
    found += ["failed"] if ours["failed"] else []
    return found + [name for name, ratio in answer["over_peers"].items() if ratio < PEER_RATIO]


def show(answer: dict[str, Any]) -> None:
    heads = {"req/s at 64": 12, "p50": 9, "p95": 9, "CPU each": 10, "p50 of one": 12, "p95 ": 9, "RSS": 9, "failed": 8}
    print(f"{'':10}" + "".join(f"{head.strip():>{width}}" for head, width in heads.items()))
    for name, row in answer.items():
        if isinstance(row, dict) and "p50_ms" in row:
            rss = f"{row['rss_mb']:.0f} MB" if "rss_mb" in row else "-"
            print(
                f"{name:10}{row['requests_a_second']:12,.0f}{row['p50_ms_at_64']:6.1f} ms{row['p95_ms_at_64']:6.1f} ms"
                f"{row['cpu_ms']:7.2f} ms{row['p50_ms']:9.2f} ms{row['p95_ms']:6.2f} ms{rss:>9}{row['failed']:8.0f}"
            )
    print(
        f"the gateway carries {answer['of_floor']:.0%} of the floor; an fsync here: {answer['fsync_p50_ms']:.2f} ms p50"
    )
    for name, ratio in answer["over_peers"].items():
        print(f"{ratio:.1f}x the throughput of {name}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description="The gateway over its floor.")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--litellm", action="store_true", help="measure LiteLLM's proxy too, in its own environment")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL,KEY,MODEL")
    parser.add_argument("--hold", action="store_true", help="print where everything is and wait for Enter")
    parser.add_argument("--dir", help="where the state is kept; default: the temporary directory")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--floor", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        floor(*options.floor)
        return 0
    if options.load:
        name, url, key, model, clients, seconds = options.load
        print(json.dumps(asyncio.run(Load(Server(name, url, key, model), int(clients), float(seconds)).run())))
        return 0
    answer = run(options)
    failures = missed(answer)
    if options.json:
        print(json.dumps({**answer, "missed": failures}, indent=2))
    else:
        show(answer)
        print(f"missed: {', '.join(failures)}" if failures else "every bar is met")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
