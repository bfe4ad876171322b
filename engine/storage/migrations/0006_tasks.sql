-- Answers of tasks that belong to no delivery: written in the transaction that settles the call that gave them.
CREATE TABLE answers (
    job_id      TEXT PRIMARY KEY,
    attempt_id  TEXT NOT NULL,
    text        TEXT NOT NULL,
    answered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
