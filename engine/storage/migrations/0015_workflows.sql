-- One instance a campaign. `graph` is the graph as it was when the instance was begun; it is followed to the end.
CREATE TABLE workflows (
    workflow_id TEXT    PRIMARY KEY,
    campaign_id TEXT    NOT NULL UNIQUE REFERENCES campaigns,
    graph       BLOB    NOT NULL, -- JSON: engine.campaigns.workflow
    facts       TEXT    NOT NULL, -- comma-separated; they choose between edges
    state       TEXT    NOT NULL, -- waiting, running, paused, done, cancelled, failed
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX workflows_by_state ON workflows (state);

CREATE TABLE workflow_steps (
    workflow_id TEXT    NOT NULL REFERENCES workflows,
    step        TEXT    NOT NULL,
    state       TEXT    NOT NULL, -- waiting, running, done, failed, skipped
    entered     INTEGER NOT NULL, -- items that came to it
    open        INTEGER NOT NULL, -- of these, those still there
    passed      INTEGER NOT NULL, -- of these, those that got through
    retries     INTEGER NOT NULL DEFAULT 0, -- tries that failed and were or will be repeated
    cause       TEXT    NOT NULL DEFAULT '', -- of the last failed try
    caused_at   INTEGER,
    started_at  INTEGER,
    ended_at    INTEGER,
    PRIMARY KEY (workflow_id, step)
) STRICT, WITHOUT ROWID;

-- How many deliveries of a campaign went from which state to which. Triggers keep it, so no delivery can move uncounted.
CREATE TABLE delivery_moves (
    campaign_id TEXT    NOT NULL,
    before      TEXT    NOT NULL, -- empty: the delivery was made
    after       TEXT    NOT NULL,
    blocked     INTEGER NOT NULL, -- 1 where moderation kept the text back
    count       INTEGER NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    reason      TEXT    NOT NULL, -- of the last one
    PRIMARY KEY (campaign_id, before, after, blocked)
) STRICT, WITHOUT ROWID;

-- What was there before: every delivery went the straight way to the state it is in.
INSERT INTO delivery_moves
    SELECT campaign_id, '', iif(state = 'skipped' AND digest = '', 'skipped', 'pending'), 0,
           count(*), min(changed_at), max(changed_at), ''
    FROM deliveries GROUP BY 1, 3;
INSERT INTO delivery_moves
    SELECT campaign_id, 'pending', iif(digest <> '', 'drafted', state), state = 'rejected' AND reason LIKE 'blocked:%',
           count(*), min(changed_at), max(changed_at), ''
    FROM deliveries
    WHERE digest <> '' OR state NOT IN ('pending', 'skipped')
    GROUP BY 1, 3, 4;
INSERT INTO delivery_moves
    SELECT campaign_id, 'drafted', iif(approved_digest <> '', 'approved', state), 0,
           count(*), min(changed_at), max(changed_at), ''
    FROM deliveries
    WHERE digest <> '' AND (approved_digest <> '' OR state <> 'drafted')
    GROUP BY 1, 3;
INSERT INTO delivery_moves
    SELECT campaign_id, 'approved', iif(state IN ('queued', 'sending', 'sent', 'uncertain', 'failed'), 'queued', state), 0,
           count(*), min(changed_at), max(changed_at), ''
    FROM deliveries
    WHERE approved_digest <> '' AND state <> 'approved'
    GROUP BY 1, 3;
INSERT INTO delivery_moves
    SELECT campaign_id, 'queued', 'sending', 0, count(*), min(changed_at), max(changed_at), ''
    FROM deliveries
    WHERE approved_digest <> '' AND state IN ('sending', 'sent', 'uncertain', 'failed')
    GROUP BY 1;
INSERT INTO delivery_moves
    SELECT campaign_id, 'sending', state, 0, count(*), min(changed_at), max(changed_at), ''
    FROM deliveries
    WHERE approved_digest <> '' AND state IN ('sent', 'uncertain', 'failed')
    GROUP BY 1, 3;

CREATE TRIGGER deliveries_are_counted_when_made AFTER INSERT ON deliveries
BEGIN
    INSERT INTO delivery_moves VALUES (new.campaign_id, '', new.state, 0, 1, new.changed_at, new.changed_at, new.reason)
    ON CONFLICT DO UPDATE SET count = count + 1, last_at = max(last_at, excluded.last_at), reason = excluded.reason;
END;

CREATE TRIGGER deliveries_are_counted_when_moved AFTER UPDATE OF state ON deliveries WHEN new.state <> old.state
BEGIN
    INSERT INTO delivery_moves VALUES (
        new.campaign_id, old.state, new.state, new.state = 'rejected' AND new.reason LIKE 'blocked:%',
        1, new.changed_at, new.changed_at, new.reason)
    ON CONFLICT DO UPDATE SET count = count + 1, last_at = max(last_at, excluded.last_at), reason = excluded.reason;
END;
