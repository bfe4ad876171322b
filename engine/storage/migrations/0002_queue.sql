-- Jobs that wait, run or died. A completed job is deleted.
CREATE TABLE jobs (
    id           TEXT    NOT NULL PRIMARY KEY,
    queue        TEXT    NOT NULL,
    state        INTEGER NOT NULL, -- 0 ready, 1 delayed, 2 leased, 3 parked, 4 dead
    due          INTEGER NOT NULL, -- orders a state: ready by rank, leased by the lease's end, dead by death, else ready_at
    ready_at     INTEGER NOT NULL, -- nanoseconds since the epoch
    priority     INTEGER NOT NULL, -- 0 urgent .. 4 bulk
    lane         TEXT    NOT NULL, -- an account, or empty
    batch        TEXT    NOT NULL, -- a campaign, or empty
    attempt      INTEGER NOT NULL, -- leases that counted
    max_attempts INTEGER NOT NULL,
    fence        INTEGER NOT NULL, -- leases ever given; a lease with a lower one is void
    put_at       INTEGER NOT NULL,
    holder       TEXT    NOT NULL, -- who holds the lease, for people
    cause        TEXT    NOT NULL, -- of the last failed attempt
    dedup_key    TEXT,
    payload      BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_due ON jobs (queue, state, due, ready_at);
CREATE INDEX jobs_by_lane ON jobs (queue, lane, state, due, ready_at) WHERE lane <> '';
CREATE INDEX jobs_by_batch ON jobs (batch, state) WHERE batch <> '';

-- Batches on hold: their jobs are parked as they are put or handed back.
CREATE TABLE parked_batches (
    batch TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Dedup keys in use: by a job that is still there, or, until `free_at`, by one that completed.
CREATE TABLE job_keys (
    queue     TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    job_id    TEXT NOT NULL,
    free_at   INTEGER, -- nanoseconds since the epoch; NULL while the job is there
    PRIMARY KEY (queue, dedup_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_keys_by_end ON job_keys (free_at) WHERE free_at IS NOT NULL;
