"""A package is known outside itself by its face. Every door beside a face is written down here, with its reason."""

from __future__ import annotations

from tests.architecture.tree import imports_of, is_package, modules

# Packages whose modules are themselves the face: a reader looks for `values` or `snapshot`, not for one long list.
OPEN_SHELVES = {
    "engine.kernel",
    "engine.surface",
    "screens.widgets",
    "huntaze_console.configuration",  # its face is huntaze_console.config; cli and doctor read its rows
}

BOOTSTRAP = "huntaze_console.bootstrap"
CONFIGURATION = "huntaze_console.configuration"

# module -> who may import it by path. A package's name stands for everything in it.
DOORS: dict[str, set[str]] = {
    # Adapters: the bootstrap picks them, so nothing else knows which one runs.
    "engine.alerts.channels.smtp": {BOOTSTRAP},
    "engine.bus.mqtt": {BOOTSTRAP, "huntaze_console.doctor"},
    "engine.costs.dynamodb": {BOOTSTRAP},
    "engine.limiter.local": {BOOTSTRAP},
    "engine.limiter.local_quotas": {BOOTSTRAP},
    "engine.limiter.redis_quotas": {BOOTSTRAP},
    "engine.limiter.redis_slots": {BOOTSTRAP},
    "engine.messaging.platforms.onlyfans": {BOOTSTRAP},
    "engine.queue.sqlite": {BOOTSTRAP},
    "engine.storage.aws": {BOOTSTRAP, "engine.costs.dynamodb"},
    "engine.storage.redis": {BOOTSTRAP, "engine.limiter", "huntaze_console.doctor"},
    "screens.sources.embedded": {"huntaze_console.embedding"},
    "screens.sources.late": {"huntaze_console.embedding"},
    "screens.sources.remote": {"huntaze_console.console"},
    "screens.sources.replay": {"huntaze_console.console", "screens.replaying"},  # the console plays them itself
    # The simulated world is a choice of the bootstrap, and a program of its own.
    "engine.simulation.launch": {"huntaze_console.worlds"},
    "engine.simulation.options": {"huntaze_console.worlds"},
    "engine.simulation.traffic": {BOOTSTRAP},
    "engine.simulation.__main__": {"huntaze_console.cli"},
    # Settings are nested by the configuration, which must not load the machines they are for.
    "engine.alerts.settings": {CONFIGURATION},
    "engine.bus.settings": {BOOTSTRAP, CONFIGURATION, "huntaze_console.doctor"},
    "engine.content.settings": {CONFIGURATION},
    "engine.costs.settings": {CONFIGURATION},
    "engine.limiter.settings": {CONFIGURATION},
    "engine.messaging.settings": {CONFIGURATION},
    "engine.orchestrator.settings": {CONFIGURATION},
    "engine.providers.settings": {CONFIGURATION},
    # The command line and the console look at the lock and the endpoint without loading SQLite.
    "engine.storage.directory": {"huntaze_console"},
    # HTTP with the standard library alone, for whoever must be there at once.
    "screens.sources.line": {"huntaze_console"},
    "huntaze_console.api.sockets": {"huntaze_console.web"},
    # Functions over one table, called with the module in front (`deliveries.find`), inside the writer's transaction.
    "engine.accounts.audit": {"engine.runtime"},
    "engine.campaigns.store": {"engine.runtime"},
    "engine.campaigns.workflow_store": {"engine.runtime"},
    "engine.costs.breakdown": {"engine.runtime", "engine.campaigns"},
    "engine.messaging.consent": {"engine.runtime", "engine.campaigns"},
    "engine.messaging.deliveries": {"engine.runtime", "engine.campaigns"},
    "engine.messaging.switch": {"engine.runtime"},
    # One name, where the whole face would bring more than is needed.
    "engine.providers.port": {"engine.costs"},
    "engine.queue.worker": {"engine.messaging"},
}


def test_a_package_is_imported_by_its_face() -> None:
    unknown = {
        (importer, target)
        for importer, target in _beside_a_face()
        if not any(_within(importer, allowed) for allowed in DOORS.get(target, ()))
    }

    assert unknown == set()


def test_every_door_beside_a_face_is_used() -> None:
    used = _beside_a_face()

    unused = {
        (target, allowed)
        for target, importers in DOORS.items()
        for allowed in importers
        if not any(_within(importer, allowed) for importer, found in used if found == target)
    }

    assert unused == set()


def test_the_engine_as_a_whole_has_no_face() -> None:
    assert modules()["engine"].read_text() == ""


def test_an_open_shelf_is_a_package() -> None:
    assert all(is_package(name) for name in OPEN_SHELVES)


def _beside_a_face() -> set[tuple[str, str]]:
    """Each (importer, module) where the module lies inside a package that the importer is no part of."""
    found = set()
    for importer in modules():
        for target in imports_of(importer):
            package = target.rpartition(".")[0]
            hidden = package.count(".") >= 1 and package not in OPEN_SHELVES
            if hidden and not is_package(target) and not _within(importer, package):
                found.add((importer, target))
    return found


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")
