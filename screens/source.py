"""Where the console gets what it shows: one port, whether the engine runs here, elsewhere or not yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from screens.terminal import Terminal

if TYPE_CHECKING:  # the command line reaches an engine through here, without all that an engine can be asked
    from engine.events import Recorded
    from engine.kernel.values import Instant
    from engine.surface.commands import Command, Done
    from engine.surface.queries import Page, Query
    from engine.surface.snapshot import Snapshot
    from screens.recording import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How the console stands to its engine at this moment."""

    attached: bool  # to an engine in another process; else it runs in this one
    up: bool
    since: Instant  # when the link came up, or was lost; the engine's clock
    now: Instant  # the engine's clock at this moment
    note: str = ""  # why it is not up; empty while it is
    read_only: bool = False
    replay: Standing | None = None  # where a recording stands, when one is shown


class Source(Protocol):
    """One engine as the console knows it. Everything handed over is frozen, so nothing needs a lock."""

    def snapshot(self) -> Snapshot:
        """The newest snapshot. Never waits; may be called from any thread."""
        ...

    def link(self) -> Link:
        """Never waits."""
        ...

    async def query(self, query: Query) -> Page[Any]:
        """Raises CommandRefused for a filter that means nothing, EngineUnavailable while the link is down."""
        ...

    async def submit(self, command: Command) -> Done:
        """Raises CommandRefused when nothing was changed, EngineUnavailable when it is not known to have arrived."""
        ...

    def recent(self, after: int) -> Sequence[Recorded]:
        """Events seen past a sequence number, oldest first, as far as a bounded buffer still has them."""
        ...


def _discard(line: str) -> None:
    """Where the log goes when nobody asked for one."""


def _nothing() -> None:
    """What follows the first frame where nobody waits for it."""


def _never() -> bool:
    """Whether a console is over whose source cannot fail to come up."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions:
    """What the one who opens the console decides."""

    drains: bool = False  # leaving also drains the engine: ask once
    theme: str = "dark"  # dark, light, contrast or colour-blind
    typed_above: int = 2_000  # fans or jobs; a larger act wants its name typed
    actor: str = "operator"  # who asks, for the audit
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # an action's own keys; see `screens.keys`
    mouse: bool = True  # False leaves selecting and copying to the terminal
    read_only: bool = False  # nothing is asked of the engine that changes anything; a read-only link is so as well
    terminal: Terminal = Terminal()  # noqa: RUF009 - frozen; what the terminal can show
    low_bandwidth: bool | None = None  # None: when the link to the terminal is slow
    files: bool = True  # may recordings be made and opened here? Not where the operator is at another machine
    clipboard: bool = True  # may a text be put on the clipboard of the operator's terminal?
    log: Callable[[str], None] = _discard  # takes one short line, without secrets
    shown: Callable[[], None] = _nothing  # called once the first frame stands: what is dear may begin then
    over: Callable[[], bool] = _never  # true where there will never be anything to show: the console leaves by itself
