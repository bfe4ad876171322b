"""Who acts from this terminal, as the audit and the other consoles name them."""

from __future__ import annotations


def operator() -> str:
    """The user and the host, `anna@desk`: the same from the console, attached or not, and from the command line."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "operator"
    return f"{user}@{socket.gethostname()}"
