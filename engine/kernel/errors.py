"""The one error tree.

    HuntazeError
    ├── ConfigError            a setting that is wrong, unknown or missing
    ├── CommandRefused         a command that cannot be carried out: invalid, not found, in conflict
    ├── StorageError
    │   ├── StateDirectoryBusy     another engine owns the state directory
    │   ├── WrongMode              a real directory opened for simulation, or the reverse
    │   └── CommitUnknown          a commit failed: it may or may not have happened
    ├── ProviderError          an AI provider did not give a usable answer (eight classes)
    ├── BudgetRefused          a call whose worst case does not fit its budget, or has no known price
    ├── PlatformError          the message platform could not be read
    └── EngineUnavailable      a face cannot reach the engine

An error carries data, not only a sentence. What an operator reads says what happened, what it means, what to do next.
Expected refusals inside the engine (a full window, an open breaker) are return values, not errors.
"""

from __future__ import annotations

from enum import StrEnum

from engine.kernel.usage import Usage


class HuntazeError(Exception):
    """Anything this product raises on purpose. `remedy` is what the reader can do next, or empty."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class ConfigError(HuntazeError):
    """A wrong or unknown setting: `source` is the file or environment name, `key` the dotted key."""

    def __init__(self, source: str, key: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{source}: {key}: {message}" if key else f"{source}: {message}", remedy=remedy)
        self.source = source
        self.key = key


class Refusal(StrEnum):
    """Why a command was refused; each has one HTTP status and one exit code."""

    INVALID = "invalid"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNAVAILABLE = "unavailable"


class CommandRefused(HuntazeError):
    """A command that was not carried out, and changed nothing. `field` names the part at fault, if one is."""

    def __init__(self, reason: Refusal, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason
        self.field = field


class StorageError(HuntazeError):
    """The state directory or its database cannot serve."""


class StateDirectoryBusy(StorageError):
    """Another live process holds the lock of this state directory."""

    def __init__(self, path: str, pid: int | None, kind: str) -> None:
        super().__init__(f"{path} is in use by a {kind} (process {pid or 'unknown'})", remedy="Stop it first")
        self.pid = pid
        self.kind = kind


class WrongMode(StorageError):
    """A directory is real or simulated for ever."""


class CommitUnknown(StorageError):
    """A commit failed. The rows may reappear after a restart, so ids are chosen first and retries are idempotent."""


class ErrorClass(StrEnum):
    """What went wrong at a provider; each class has its own retry and fallback policy."""

    RATE_LIMIT = "rate_limit"
    AUTHENTICATION = "authentication"
    INVALID_REQUEST = "invalid_request"
    SERVER_ERROR = "server_error"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    CONTENT_FILTER = "content_filter"
    UNKNOWN = "unknown"


class ProviderError(HuntazeError):
    """A provider's failure: `retry_after` in seconds where it said so; `reached` when the request may have been billed.

    `reached` is False only when it is certain that no byte of the request left, or that the provider refused it
    unbilled (a 4xx or 429 status line). `usage` is what it said it will bill, where it said so before it failed.
    `begun` tells that pieces of the answer have reached the caller already, so that no other model can take over.
    `code` is the provider's own word for it, or ours, where one tells more than the class, such as
    context_length_exceeded; never prose.
    """

    def __init__(
        self,
        provider: str,
        model: str,
        error_class: ErrorClass,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        reached: bool = True,
        usage: Usage | None = None,
        begun: bool = False,
        code: str = "",
    ) -> None:
        super().__init__(f"{provider} {model}: {message}")
        self.provider = provider
        self.model = model
        self.error_class = error_class
        self.status = status
        self.retry_after = retry_after
        self.reached = reached
        self.usage = usage
        self.begun = begun
        self.code = code


class BudgetRefused(HuntazeError):
    """No room for the worst case of a call. `waitable` when time will help: other calls' holds stand in the way, or the
    budget lets calls wait for its next window, which begins at `retry_at` (an instant; None where nobody can say).

    `downgrade`: the budget asks for a cheaper model.
    """

    def __init__(
        self,
        scope: str,
        message: str,
        *,
        waitable: bool = False,
        downgrade: bool = False,
        retry_at: int | None = None,
    ) -> None:
        super().__init__(message)
        self.scope = scope
        self.waitable = waitable
        self.downgrade = downgrade
        self.retry_at = retry_at


class PlatformError(HuntazeError):
    """Reading the audience or a thread from the platform failed. `status` is the HTTP status, if one came."""

    def __init__(self, message: str, *, status: int | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class EngineUnavailable(HuntazeError):
    """No engine answers on the state directory's socket, or the link to it was lost."""
