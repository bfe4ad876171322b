-- Alerts, open and past. `told_*` is the newest notice of the same rule and subject, also of an earlier alert.
CREATE TABLE alerts (
    alert_id        TEXT PRIMARY KEY,
    rule            TEXT NOT NULL,
    subject         TEXT NOT NULL, -- a model, a queue, an account; empty for the whole
    severity        TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    summary         TEXT NOT NULL,
    gist            TEXT NOT NULL, -- the coarse figure whose change makes another summary worth an event
    opened_at       INTEGER NOT NULL,
    changed_at      INTEGER NOT NULL,
    resolved_at     INTEGER,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    acknowledged_at INTEGER,
    told            INTEGER NOT NULL DEFAULT 0, -- 1 once a notice of this very alert was queued
    told_at         INTEGER,
    told_severity   TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX alerts_open ON alerts (rule, subject) WHERE resolved_at IS NULL;
CREATE INDEX alerts_by_resolution ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX alerts_by_opening ON alerts (opened_at);

-- The outbox to the channels, written in the transaction that opens or resolves.
CREATE TABLE notices (
    notice_id  TEXT PRIMARY KEY,
    alert_id   TEXT NOT NULL REFERENCES alerts ON DELETE CASCADE,
    channel    TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('opened', 'escalated', 'reminder', 'resolved')),
    severity   TEXT NOT NULL,
    summary    TEXT NOT NULL,
    at         INTEGER NOT NULL,
    state      TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed', 'withdrawn')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT NOT NULL DEFAULT '',
    settled_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX notices_waiting ON notices (channel, at) WHERE state = 'waiting';
CREATE INDEX notices_by_alert ON notices (alert_id);
