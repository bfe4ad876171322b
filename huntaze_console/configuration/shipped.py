"""The providers and tools that come with the product: the rows that config.toml repeats and an operator may change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

PROVIDERS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "openai": {
            "dialect": "openai",
            "base_url": "https://api.openai.com/v1",
            "api_key_env": "OPENAI_API_KEY",
            "default_model": "gpt-4o-mini",
        },
        "azure": {
            "dialect": "azure",
            "base_url": "",
            "api_key_env": "AZURE_OPENAI_API_KEY",
            "api_version": "2024-10-21",
            "default_model": "gpt-4o",
            "deployments": {"gpt-4o": "gpt-4o"},
        },
        "anthropic": {
            "dialect": "anthropic",
            "base_url": "https://api.anthropic.com",
            "api_key_env": "ANTHROPIC_API_KEY",
            "default_model": "claude-sonnet-4-5",
        },
        "deepseek": {
            "dialect": "openai",
            "base_url": "https://api.deepseek.com",
            "api_key_env": "DEEPSEEK_API_KEY",
            "default_model": "deepseek-chat",
        },
        "xai": {
            "dialect": "openai",
            "base_url": "https://api.x.ai/v1",
            "api_key_env": "XAI_API_KEY",
            "default_model": "grok-3",
        },
        "gemini": {
            "dialect": "openai",
            "base_url": "https://generativelanguage.googleapis.com/v1beta/openai",
            "api_key_env": "GEMINI_API_KEY",
            "default_model": "gemini-2.5-flash",
        },
    }
)

RATES_OF_A_USER: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "openai": {"requests_minute": 60, "requests_hour": 3_000, "requests_day": 10_000},
        "anthropic": {"requests_minute": 50, "requests_hour": 1_000, "requests_day": 5_000},
    }
)
"""What one user may ask of a provider."""

TOOLS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "content-plan": {
            "provider": "azure",
            "model": "gpt-4o",
            "fallback": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"],
            "max_output_tokens": 1500,
            "temperature": 0.7,
            "system": (
                "You plan content for a creator on a subscription platform. Answer with a dated list: for each entry "
                "the day, the format, the idea in one sentence and why it fits this audience."
            ),
            "aliases": ["plan-contenu"],
        },
        "multi-platform": {
            "provider": "azure",
            "model": "gpt-4o",
            "fallback": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"],
            "max_output_tokens": 1200,
            "temperature": 0.7,
            "system": (
                "You adapt one piece of content to several platforms. For each platform named, write the version that "
                "fits its rules, length and tone. Keep the facts the same everywhere."
            ),
            "aliases": ["multi-plateforme"],
        },
        "message": {
            "provider": "openai",
            "model": "gpt-4o-mini",
            "fallback": ["deepseek/deepseek-chat", "anthropic/claude-sonnet-4-5"],
            "max_output_tokens": 400,
            "temperature": 0.8,
            "system": (
                "You write one short, warm message from a creator to one of their adult fans, in the creator's own "
                "voice. At most 60 words. Promise nothing that was not given to you, ask for no personal data, and "
                "never lead the fan off the platform. Answer with the message alone."
            ),
            "cache": "off",
            "aliases": ["redacteur-messages"],
        },
        "quick-reply": {
            "provider": "openai",
            "model": "gpt-4o-mini",
            "fallback": ["deepseek/deepseek-chat", "xai/grok-3"],
            "max_output_tokens": 200,
            "temperature": 0.7,
            "system": (
                "You suggest the creator's reply to a fan's last message. One or two sentences, in the fan's language. "
                "Answer with the reply alone."
            ),
            "aliases": ["reponse-rapide"],
        },
        "title-generator": {
            "provider": "deepseek",
            "model": "deepseek-chat",
            "fallback": ["xai/grok-3", "anthropic/claude-sonnet-4-5"],
            "max_output_tokens": 300,
            "temperature": 0.9,
            "system": "You write titles for posts. Answer with five titles, one a line, each under 60 characters.",
            "aliases": ["generateur-titres"],
        },
        "descriptions": {
            "provider": "deepseek",
            "model": "deepseek-chat",
            "fallback": ["xai/grok-3", "anthropic/claude-sonnet-4-5"],
            "max_output_tokens": 500,
            "temperature": 0.7,
            "system": "You describe a piece of content for its post: two short paragraphs, vivid and truthful.",
            "aliases": ["generateur-descriptions"],
        },
        "icp-maker": {
            "provider": "deepseek",
            "model": "deepseek-chat",
            "fallback": ["xai/grok-3", "anthropic/claude-sonnet-4-5"],
            "max_output_tokens": 900,
            "temperature": 0.4,
            "system": (
                "You describe the ideal subscriber of a creator: who they are, what they look for, what they pay for, "
                "what makes them leave. Adults only. Say what is known and what is assumed."
            ),
            "aliases": ["createur-icp"],
        },
        "creator-pack": {
            "provider": "anthropic",
            "model": "claude-sonnet-4-5",
            "fallback": ["openai/gpt-4o", "deepseek/deepseek-chat"],
            "max_output_tokens": 2000,
            "temperature": 0.7,
            "system": (
                "You put together a creator's starter pack: positioning, tone of voice, five post ideas, a welcome "
                "message and a price suggestion with its reason."
            ),
            "aliases": ["pack-createur"],
        },
        "lead-magnet": {
            "provider": "xai",
            "model": "grok-3",
            "fallback": ["anthropic/claude-sonnet-4-5", "deepseek/deepseek-chat"],
            "max_output_tokens": 900,
            "temperature": 0.9,
            "system": (
                "You invent free teasers that make people curious about a creator. Three ideas, each with its hook, "
                "its format and the step that follows it."
            ),
            "aliases": ["aimant-prospects"],
        },
    }
)

MODEL_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "deepseek-v3": "deepseek/deepseek-chat",
        "claude-3.5-sonnet": "anthropic/claude-sonnet-4-5",
        "grok-3": "xai/grok-3",
    }
)
