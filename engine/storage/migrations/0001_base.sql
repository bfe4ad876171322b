-- What the engine knows about itself: its mode, its epoch, whether sending is halted.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The append-only event log. Written in the transaction of the state it reports; `seq` is half of an event's durable id.
CREATE TABLE events (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL, -- nanoseconds since the epoch
    kind TEXT NOT NULL,
    data BLOB NOT NULL     -- JSON object of the event's fields
) STRICT;
CREATE INDEX events_by_time ON events (at);

-- Requests already carried out, by the key their sender chose.
CREATE TABLE idempotency (
    scope   TEXT NOT NULL,
    key     TEXT NOT NULL,
    digest  TEXT NOT NULL, -- SHA-256 of the request
    answer  BLOB NOT NULL, -- JSON
    made_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;
