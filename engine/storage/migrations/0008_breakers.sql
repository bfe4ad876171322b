-- Breakers that are not simply closed: a restart does not send a failing model its calls again, nor lose what an operator holds.
CREATE TABLE breakers (
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    reason     TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    retry_at   INTEGER,                  -- when an open one admits its probe; NULL: held by an operator, or half open
    trips      INTEGER NOT NULL,         -- openings in a row
    held_by    TEXT NOT NULL DEFAULT '', -- the operator who holds it as it is; empty while it moves by itself
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;
