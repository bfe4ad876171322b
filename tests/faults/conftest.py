"""One provider on raw sockets for the whole suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.server import FaultServer, fault_server


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    with fault_server(tmp_path_factory.mktemp("faults")) as server:
        yield server
