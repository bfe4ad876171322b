"""Azure OpenAI: the same chat format behind a resource's endpoint, where a model's name is the name of a deployment."""

from __future__ import annotations

from dataclasses import replace

import openai

from engine.kernel.clock import Clock
from engine.providers.calling import SdkProvider
from engine.providers.endpoints import Quirks
from engine.providers.openai_sdk import ChatFormat, OpenAIWire
from engine.providers.settings import ProviderSettings
from engine.providers.transport import client_options

_REASONING = ("o1", "o3", "o4", "gpt-5")  # how the names of models begin that think before they answer


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
    format_ = ChatFormat(settings.quirks, reasoning_deployments(settings))
    return SdkProvider(settings, clock, OpenAIWire(client, settings.quirks), format_)


def reasoning_deployments(settings: ProviderSettings) -> dict[str, Quirks]:
    """Deployments of reasoning models refuse `max_tokens`, and many of the others its successor."""
    quirks = replace(settings.quirks, limit_field="max_completion_tokens")
    return {name: quirks for name, model in settings.deployments.items() if model.startswith(_REASONING)}
