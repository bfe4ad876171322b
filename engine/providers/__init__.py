"""Language models behind one port.

    port.py        what a provider is asked and answers            endpoints.py   the known endpoints, as rows
    models.py      what single models can do, as rows
    settings.py    what one provider needs                         open.py        settings -> provider
    faults.py      what went wrong, in eight classes               calling.py     one call: time limits, JSON, checks
    chat.py        the OpenAI chat format, pure                    claude.py      Anthropic's messages format, pure
    late.py        a provider whose SDK is loaded when needed
    openai.py, azure.py (through openai_sdk.py), anthropic.py      the adapters; each imports its SDK
    transport.py   the HTTP client under both SDKs                 bounds.py      how much of an answer is taken in
    passthrough.py (with bodies.py, translation.py and sse.py)     a gateway client's requests, sent without an SDK

Importing this package loads no SDK and no HTTP client.
"""

from engine.providers.bodies import choices_of
from engine.providers.endpoints import ENDPOINTS, Dialect, Endpoint, Quirks, Schema
from engine.providers.late import LateProvider
from engine.providers.models import UNKNOWN_MODEL, Correction, Model, Models
from engine.providers.open import open_provider
from engine.providers.port import (
    Chunk,
    Completion,
    Finish,
    Message,
    ModelRequest,
    Operation,
    Provider,
    Role,
    Timeouts,
    Usage,
)
from engine.providers.settings import ProviderSettings

__all__ = [
    "ENDPOINTS",
    "UNKNOWN_MODEL",
    "Chunk",
    "Completion",
    "Correction",
    "Dialect",
    "Endpoint",
    "Finish",
    "LateProvider",
    "Message",
    "Model",
    "ModelRequest",
    "Models",
    "Operation",
    "Provider",
    "ProviderSettings",
    "Quirks",
    "Role",
    "Schema",
    "Timeouts",
    "Usage",
    "choices_of",
    "open_provider",
]
