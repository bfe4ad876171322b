"""Durable queue operations a second of persist-queue and litequeue: `queues.py FOLDER TASKS SECONDS`, as JSON.

Threads put a message, take one and acknowledge it, each an operation of its own commit (`synchronous=FULL`, WAL).
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import persistqueue
from litequeue import LiteQueue

PAYLOAD = os.urandom(50).hex()  # 100 characters: litequeue takes text


def durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def run(tasks: int, seconds: float, life: Callable[[], int]) -> float:
    """Operations a second; a life says how many it made."""
    counts, end = [0] * tasks, time.perf_counter() + seconds

    def loop(number: int) -> None:
        while time.perf_counter() < end:
            counts[number] += life()

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(tasks)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def persist(folder: Path, tasks: int, seconds: float) -> float:
    queue = persistqueue.SQLiteAckQueue(str(folder / "persist"), multithreading=True, auto_commit=True)
    for connection in (queue._conn, queue._getter, queue._putter):
        durable(connection)

    def life() -> int:
        queue.put(PAYLOAD)
        try:
            queue.ack(queue.get(block=False))
        except persistqueue.Empty:
            return 1
        return 3

    return run(tasks, seconds, life)


def lite(folder: Path, tasks: int, seconds: float) -> float:
    local = threading.local()

    def life() -> int:
        queue = getattr(local, "queue", None)
        if queue is None:  # a connection for each thread, as it asks for
            queue = local.queue = LiteQueue(str(folder / "lite.db"), timeout=60)
            durable(queue.conn)
        queue.put(PAYLOAD)
        message = queue.pop()
        if message is None:
            return 1
        queue.done(message.message_id)
        return 3

    LiteQueue(str(folder / "lite.db"))
    return run(tasks, seconds, life)


def main() -> None:
    folder, tasks, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    found = {"persist-queue": persist(folder, tasks, seconds), "litequeue": lite(folder, tasks, seconds)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
