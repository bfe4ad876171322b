-- Accounts, known from their first use.
CREATE TABLE accounts (
    account_id TEXT PRIMARY KEY,
    seen_at    INTEGER NOT NULL,
    paused     TEXT NOT NULL DEFAULT '' -- why nothing is sent for it; empty while it may send
) STRICT, WITHOUT ROWID;

-- Taken slots of the accounts' message windows. `until` is what a crash would leave: see engine.limiter.local.
CREATE TABLE slots (
    slot_id    TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX slots_by_end ON slots (account_id, until);

-- Fans that are never messaged, whatever the campaign.
CREATE TABLE suppressions (
    account_id TEXT NOT NULL,
    fan_id     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    added_at   INTEGER NOT NULL,
    PRIMARY KEY (account_id, fan_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaigns (
    campaign_id TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    tool        TEXT NOT NULL,
    draft       BLOB NOT NULL, -- JSON of the draft it was made of
    approval    TEXT NOT NULL CHECK (approval IN ('required', 'automatic')),
    budget      INTEGER,       -- nano-dollars
    state       TEXT NOT NULL,
    reason      TEXT NOT NULL DEFAULT '',
    resume_to   TEXT NOT NULL DEFAULT '', -- the state a paused campaign goes back to
    starved     INTEGER NOT NULL DEFAULT 0, -- 1 when its budget has no room for another text
    created_at  INTEGER NOT NULL,
    starts_at   INTEGER,
    ended_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX campaigns_live ON campaigns (state) WHERE state NOT IN ('finished', 'cancelled', 'failed');

-- One row a fan, made before the first send; the single truth about what became of the message.
CREATE TABLE deliveries (
    delivery_id     TEXT PRIMARY KEY, -- also the platform's idempotency key
    campaign_id     TEXT NOT NULL REFERENCES campaigns,
    account_id      TEXT NOT NULL,
    fan_id          TEXT NOT NULL,
    fan_name        TEXT NOT NULL,
    time_zone       TEXT NOT NULL DEFAULT '',
    tags            TEXT NOT NULL DEFAULT '', -- comma-separated
    step            INTEGER NOT NULL DEFAULT 0,
    rotation        INTEGER NOT NULL DEFAULT 0,
    state           TEXT NOT NULL,
    reason          TEXT NOT NULL DEFAULT '',
    text            TEXT NOT NULL DEFAULT '',
    digest          TEXT NOT NULL DEFAULT '', -- SHA-256 of the text
    approved_digest TEXT NOT NULL DEFAULT '', -- of the text that was approved; a send needs both to agree
    platform_id     TEXT NOT NULL DEFAULT '',
    attempts        INTEGER NOT NULL DEFAULT 0,
    cost            INTEGER NOT NULL DEFAULT 0, -- nano-dollars of the calls that wrote it
    changed_at      INTEGER NOT NULL,
    UNIQUE (campaign_id, fan_id, step, rotation)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_state ON deliveries (campaign_id, state);
CREATE INDEX deliveries_in_flight ON deliveries (state) WHERE state IN ('sending', 'uncertain');
