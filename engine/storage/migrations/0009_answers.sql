-- Answers kept for the next one who asks the same. `key` is the SHA-256 of all that shapes the answer and of who may
-- see it; `bucket` joins those that differ only in how their words are put, `words` then tells them apart.
CREATE TABLE kept_answers (
    key         BLOB PRIMARY KEY,
    bucket      BLOB,
    words       TEXT NOT NULL DEFAULT '',
    tenant_id   TEXT NOT NULL,
    tool        TEXT NOT NULL,
    answer      BLOB NOT NULL,              -- JSON
    bytes       INTEGER NOT NULL,           -- what the entry counts for, its own upkeep included
    cost        INTEGER,                    -- nano-dollars that the call cost; NULL where unpriced
    kept_at     INTEGER NOT NULL,
    good_until  INTEGER NOT NULL,           -- answers until then
    kept_until  INTEGER NOT NULL,           -- from then to here only where the service is degraded
    used_at     INTEGER NOT NULL            -- the longest unused one gives way first
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_answers_by_use ON kept_answers (used_at, key);
CREATE INDEX kept_answers_by_end ON kept_answers (kept_until);

CREATE TABLE kept_bytes (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
INSERT INTO kept_bytes VALUES (1, 0);
CREATE TRIGGER kept_answers_are_weighed AFTER INSERT ON kept_answers
BEGIN UPDATE kept_bytes SET bytes = bytes + new.bytes; END;
CREATE TRIGGER kept_answers_are_freed AFTER DELETE ON kept_answers
BEGIN UPDATE kept_bytes SET bytes = bytes - old.bytes; END;

-- What asking less has saved, by quarter hour since the epoch: every time zone's days begin at one. Nano-dollars.
CREATE TABLE reuse_quarters (
    quarter     INTEGER NOT NULL,
    tenant_id   TEXT NOT NULL,
    tool        TEXT NOT NULL,
    hits        INTEGER NOT NULL DEFAULT 0, -- answered from kept answers, the near ones included
    near        INTEGER NOT NULL DEFAULT 0,
    shared      INTEGER NOT NULL DEFAULT 0, -- callers that another's call answered
    kept        INTEGER NOT NULL DEFAULT 0, -- answers kept: those that asked and found nothing
    saved       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (quarter, tenant_id, tool)
) STRICT, WITHOUT ROWID;

-- How the bill of a call was split among those who asked for the same at once. The shares of a call sum to its cost.
CREATE TABLE call_shares (
    attempt_id  TEXT NOT NULL,
    position    INTEGER NOT NULL,
    tenant_id   TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    trace_id    TEXT NOT NULL,
    cost        INTEGER,                    -- nano-dollars; NULL where unpriced
    at          INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_shares_by_age ON call_shares (at);
