"""The engine as a provider of language models: OpenAI's interface, for any client that speaks it.

    gateway.py    a client's request becomes a task       reading.py     what a body asks for
    catalogue.py  which models there are, and by what names
    handlers.py   the endpoints under /v1                 streaming.py   answers as they come
    shapes.py     what OpenAI's clients read              errors.py      refusals in their words
    watch.py      clients that leave                      describing.py  what the OpenAPI document says of it

It is the one face that knows the orchestrator; the bootstrap hands it over. The endpoints, and with them the HTTP
server, are loaded by who serves them.
"""

from typing import TYPE_CHECKING, Any

from huntaze_console.api.gateway.catalogue import Catalogue
from huntaze_console.api.gateway.describing import describe
from huntaze_console.api.gateway.gateway import Gateway
from huntaze_console.api.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from huntaze_console.api.gateway.handlers import Endpoints

__all__ = ["Catalogue", "Endpoints", "Gateway", "GatewaySettings", "describe"]


def __getattr__(name: str) -> Any:
    if name != "Endpoints":
        raise AttributeError(name)
    from huntaze_console.api.gateway.handlers import Endpoints

    return Endpoints
