"""The engine over HTTP: a face like the screens, for programs, other machines and attached consoles.

It knows the engine by its surface, its events and its kernel, and by the state directory for the token and for where it
listens. What it decides is only how a request reads and how an answer looks.
"""

from huntaze_console.api.server import Endpoint, serve
from huntaze_console.api.settings import ApiSettings
from huntaze_console.api.sockets import reachable

__all__ = ["ApiSettings", "Endpoint", "reachable", "serve"]
