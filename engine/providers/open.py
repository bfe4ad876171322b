"""From settings to a provider, loading only the SDK that is asked for."""

from __future__ import annotations

from engine.kernel.clock import Clock
from engine.providers.endpoints import Dialect
from engine.providers.port import Provider
from engine.providers.settings import ProviderSettings


def open_provider(settings: ProviderSettings, clock: Clock) -> Provider:
    """A provider ready to be called; nothing is dialled yet. Close it when done.

    The first one of a dialect imports its SDK: 0.5 s of CPU for openai, 1 s for anthropic. Call it in a thread where
    a loop is already running, as LateProvider does. Its connections belong to the loop of its first call.
    """
    from engine.providers.passthrough import OpenAIDialogue, Passthrough

    match settings.dialect:
        case Dialect.OPENAI:
            from engine.providers.openai import open_openai

            return Passthrough(open_openai(settings, clock), settings, clock, OpenAIDialogue(settings))
        case Dialect.AZURE:
            from engine.providers.azure import open_azure, reasoning_deployments

            dialogue = OpenAIDialogue(settings, reasoning_deployments(settings))
            return Passthrough(open_azure(settings, clock), settings, clock, dialogue)
        case Dialect.ANTHROPIC:
            from engine.providers.anthropic import open_anthropic
            from engine.providers.translation import ClaudeDialogue

            return Passthrough(open_anthropic(settings, clock), settings, clock, ClaudeDialogue(settings, clock))
