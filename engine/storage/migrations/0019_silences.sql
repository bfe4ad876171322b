-- What keeps alerts from notifying anybody for a while. What is empty matches every alert, a final * any ending.
CREATE TABLE silences (
    silence_id TEXT PRIMARY KEY,
    rule       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    severity   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    ended_at   INTEGER -- when it ran out or somebody ended it; NULL while it lasts
) STRICT, WITHOUT ROWID;
CREATE INDEX silences_live ON silences (ends_at) WHERE ended_at IS NULL;
CREATE INDEX silences_by_creation ON silences (created_at);
