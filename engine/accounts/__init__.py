"""Who may use the engine: the keys of the gateway's clients."""
