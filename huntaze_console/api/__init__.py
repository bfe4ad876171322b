"""The engine over HTTP: a face like the screens, for programs, other machines and attached consoles.

It knows the engine by its surface, its events and its kernel, and by the state directory for the token and for where it
listens. What it decides is only how a request reads and how an answer looks. The server is loaded by who serves.
"""

from typing import TYPE_CHECKING, Any

from huntaze_console.api.settings import ApiSettings
from huntaze_console.api.sockets import reachable

if TYPE_CHECKING:
    from huntaze_console.api.server import Endpoint, serve

__all__ = ["ApiSettings", "Endpoint", "reachable", "serve"]


def __getattr__(name: str) -> Any:
    if name not in ("Endpoint", "serve"):
        raise AttributeError(name)
    from huntaze_console.api import server

    return getattr(server, name)
