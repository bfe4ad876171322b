"""The engine as a provider of language models: OpenAI's interface, for any client that speaks it.

    gateway.py    a client's request becomes a task       reading.py     what a body asks for
    catalogue.py  which models there are, and by what names
    handlers.py   the endpoints under /v1                 streaming.py   answers as they come
    shapes.py     what OpenAI's clients read              errors.py      refusals in their words
    watch.py      clients that leave

It is the one face that knows the orchestrator; the bootstrap hands it over.
"""

from huntaze_console.api.gateway.catalogue import Catalogue
from huntaze_console.api.gateway.gateway import Gateway
from huntaze_console.api.gateway.handlers import Endpoints
from huntaze_console.api.gateway.settings import GatewaySettings

__all__ = ["Catalogue", "Endpoints", "Gateway", "GatewaySettings"]
