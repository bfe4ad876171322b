-- Kept answers in the order in which they came. Their keys are random, and memory knows where each stands: an index of
-- them would dirty a page of its own for every answer.
CREATE TABLE kept_in_order (
    id          INTEGER PRIMARY KEY,
    key         BLOB NOT NULL,              -- SHA-256 of all that shapes the answer and of who may see it
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
) STRICT;
INSERT INTO kept_in_order (key, bucket, words, tenant_id, tool, answer, bytes, cost, kept_at, good_until, kept_until,
                           used_at)
SELECT key, bucket, words, tenant_id, tool, answer, bytes, cost, kept_at, good_until, kept_until, used_at
FROM kept_answers ORDER BY kept_at;
DROP TABLE kept_answers;
ALTER TABLE kept_in_order RENAME TO kept_answers;
CREATE INDEX kept_answers_by_use ON kept_answers (used_at);
CREATE INDEX kept_answers_by_end ON kept_answers (kept_until);
CREATE TRIGGER kept_answers_are_weighed AFTER INSERT ON kept_answers
BEGIN UPDATE kept_bytes SET bytes = bytes + new.bytes; END;
CREATE TRIGGER kept_answers_are_freed AFTER DELETE ON kept_answers
BEGIN UPDATE kept_bytes SET bytes = bytes - old.bytes; END;
