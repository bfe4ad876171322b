"""Azure OpenAI: the same chat format behind a resource's endpoint, where a model's name is the name of a deployment."""

from __future__ import annotations

import openai

from engine.kernel.clock import Clock
from engine.providers.calling import SdkProvider
from engine.providers.openai_sdk import ChatFormat, OpenAIWire
from engine.providers.settings import ProviderSettings
from engine.providers.transport import client_options


def open_azure(settings: ProviderSettings, clock: Clock) -> SdkProvider:
    """A provider whose `model` argument names a deployment of the resource at `settings.base_url`."""
    key = settings.api_key.reveal()
    client = openai.AsyncAzureOpenAI(
        azure_endpoint=settings.base_url,
        api_version=settings.api_version,
        api_key=key,
        organization="",
        project="",
        default_headers={"api-key": key},
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(**client_options(settings)),
    )
    return SdkProvider(settings, clock, OpenAIWire(client, settings.quirks), ChatFormat(settings.quirks))
