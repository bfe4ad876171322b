-- What was asked of the engine: a row for each command, written with its change, or alone where nothing changed.
CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    via      TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    summary  TEXT NOT NULL,
    "before" TEXT NOT NULL, -- JSON of short facts; empty where nothing can be said
    "after"  TEXT NOT NULL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
    ground   TEXT NOT NULL DEFAULT '', -- JSON: what was changed, as a list of its kind and its parts
    stands   TEXT NOT NULL DEFAULT '', -- JSON: how that stood after the change; an undo must find it so
    inverse  TEXT NOT NULL DEFAULT '', -- JSON: the command that puts it back; empty where none can
    why_not  TEXT NOT NULL DEFAULT '', -- why none can
    undoes   INTEGER                   -- the action that this one put back
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_actor ON audit (actor, audit_id);
CREATE INDEX audit_by_action ON audit (action, audit_id);
CREATE INDEX audit_by_subject ON audit (subject, audit_id);
CREATE INDEX audit_refused ON audit (audit_id) WHERE outcome = 'refused';
CREATE UNIQUE INDEX audit_undone ON audit (undoes) WHERE undoes IS NOT NULL;

-- What may go, set by the keeper for the moment in which it removes: rows of before an instant, refused ones to a number.
CREATE TABLE audit_keeping (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    before INTEGER NOT NULL,
    spill  INTEGER NOT NULL
) STRICT;
INSERT INTO audit_keeping VALUES (1, 0, 0);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its rows are not changed'); END;
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE audit_id = new.audit_id)
BEGIN SELECT RAISE(ABORT, 'the audit is append-only: its rows are not replaced'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN NOT EXISTS (
    SELECT 1 FROM audit_keeping
    WHERE old.at < audit_keeping.before OR (old.outcome = 'refused' AND old.audit_id <= audit_keeping.spill)
)
BEGIN SELECT RAISE(ABORT, 'the audit is append-only: only what is past its time is removed'); END;
