"""Secrets taken out of text: those that are known in this process, and what has the shape of one.

For logs, where anything may turn up that an error quotes. Text is to be cleaned before (`engine.kernel.text`): a mark
that cannot be seen within a key would hide it from here and not from whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from engine.kernel.secret import Secret

HIDDEN = "***"
_SHORTEST = 6  # characters of a known secret: a shorter one would blank half the words of a log

_KEYS = r"\b(?:sk-|hz-|xai-|gsk_|ghp_|AIza|xox[abeprs]-|glpat-)[A-Za-z0-9_\-]{6,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
_TOKENS = r"\beyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]*)?"
_HOOKS = r"\bhooks\.slack\.com/services/[A-Za-z0-9/_\-]+"
_PEM = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*"
_WHOLE = re.compile(f"{_KEYS}|{_TOKENS}|{_HOOKS}|{_PEM}", re.DOTALL)
_SCHEMES = re.compile(
    r"\b((?i:bearer)\s+)[A-Za-z0-9+/=._~\-]{4,}"
    r"|\b((?i:basic|digest|negotiate)\s+)(?=[a-z]{0,64}[A-Z0-9+/=])[A-Za-z0-9+/=._~\-]{6,}"
)
_USERINFO = re.compile(r"(?<=://)[^\s/@\"'<>]{1,512}@")
_NAMED = re.compile(
    r"""(
        \b(?:[a-z0-9]{1,32}[_-]){0,4}
        (?:passwords?|passwd|passphrase|secret|token|api[_-]?keys?|access[_-]?key|private[_-]?key|signature|credentials?
        |cookies?|authorization)
        (?:[_-](?:id|key|value|hash|access|file)){0,1}
        ["']?\s{0,4}[:=]\s{0,4}
    )
    (?:"[^"]{1,2048}"|'[^']{1,2048}'|(?!["'])[^\s"',;&)}\]]{1,2048})
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PARAMETER = re.compile(r"([?&](?:key|sig|auth|code|pass|pwd)=)[^\s&\"'#]{1,2048}", re.IGNORECASE)


class Redactor:
    """Takes secrets out of texts. `learn` may be called while other threads ask."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known: re.Pattern[str] | None = None
        self._texts: frozenset[str] = frozenset()
        self.learn(secrets)

    def learn(self, secrets: Iterable[Secret]) -> None:
        """Hide these wherever they stand, also as they stand in an address."""
        texts = {text for secret in secrets if len(text := secret.reveal()) >= _SHORTEST}
        self._texts |= texts | {quote(text, safe="") for text in texts}
        longest_first = sorted(self._texts, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def redact(self, text: str) -> str:
        """The text with `***` where a secret stood."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _SCHEMES.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", _WHOLE.sub(HIDDEN, text))
        text = _USERINFO.sub(f"{HIDDEN}@", text)
        return _PARAMETER.sub(rf"\1{HIDDEN}", _NAMED.sub(rf"\1{HIDDEN}", text))
