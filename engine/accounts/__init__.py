"""Who may use the engine, and who did: the keys of the gateway's clients, and the audit."""

from engine.accounts.keys import Key, Keyring, digest_of, secretless

__all__ = ["Key", "Keyring", "digest_of", "secretless"]
