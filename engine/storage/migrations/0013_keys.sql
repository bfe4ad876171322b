-- The keys of the gateway's clients. Of a secret only its SHA-256 is kept: it cannot be shown again.

CREATE TABLE gateway_keys (
    key_id     TEXT    PRIMARY KEY,
    name       TEXT    NOT NULL,
    prefix     TEXT    NOT NULL,             -- how the secret begins, for people
    digest     BLOB    NOT NULL UNIQUE,      -- SHA-256 of the whole secret
    tenant_id  TEXT    NOT NULL,
    models     TEXT    NOT NULL,             -- JSON list of patterns; empty: every model
    "limit"    INTEGER,                      -- nano-dollars a window; NULL: no budget of its own
    "window"   TEXT    NOT NULL,
    created_at INTEGER NOT NULL,             -- instants
    expires_at INTEGER,
    revoked_at INTEGER,
    used_at    INTEGER                       -- to the minute
) STRICT;
