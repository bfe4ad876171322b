"""Who may use the engine: the keys of the gateway's clients."""

from engine.accounts.keys import Key, Keyring, digest_of

__all__ = ["Key", "Keyring", "digest_of"]
