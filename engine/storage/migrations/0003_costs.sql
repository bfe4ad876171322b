-- Who a call was made for and by what: the seven dimensions of every sum, interned so that the sums are narrow.
CREATE TABLE combinations (
    id          INTEGER PRIMARY KEY,
    provider    TEXT NOT NULL,
    model       TEXT NOT NULL,
    tool        TEXT NOT NULL,
    campaign_id TEXT NOT NULL, -- empty where a call has none; so too the next three
    account_id  TEXT NOT NULL,
    tenant_id   TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    UNIQUE (provider, model, tool, campaign_id, account_id, tenant_id, user_id)
) STRICT;
CREATE INDEX combinations_by_campaign ON combinations (campaign_id);

-- Calls that may be under way. A row commits before the call's first byte leaves and goes with its ledger entry.
CREATE TABLE attempts (
    id                TEXT PRIMARY KEY,
    combination       INTEGER NOT NULL,
    job_id            TEXT NOT NULL,
    trace_id          TEXT NOT NULL,
    opened_at         INTEGER NOT NULL,
    worst_cost        INTEGER,          -- nano-dollars; NULL: no price is known
    price_source      TEXT NOT NULL,
    price_date        TEXT NOT NULL,
    input_bound       INTEGER NOT NULL, -- tokens
    max_output_tokens INTEGER NOT NULL,
    holds             INTEGER NOT NULL DEFAULT 0 -- how many rows of `holds` it has
) STRICT, WITHOUT ROWID;

-- Every call that ended, once, under its attempt's id. Read it through the view `ledger`.
CREATE TABLE entries (
    number             INTEGER PRIMARY KEY, -- in the order of booking
    id                 TEXT NOT NULL UNIQUE,
    at                 INTEGER NOT NULL,    -- when the call ended, nanoseconds since the epoch
    timestamp          TEXT NOT NULL,       -- the same as ISO 8601 UTC: with the id, the key in DynamoDB
    combination        INTEGER NOT NULL,
    trace_id           TEXT NOT NULL,
    job_id             TEXT NOT NULL,
    outcome            TEXT NOT NULL,       -- ok, an error class, or interrupted
    basis              TEXT NOT NULL,       -- measured, estimated, unpriced
    cost               INTEGER,             -- nano-dollars; NULL exactly where the basis is unpriced
    input_tokens       INTEGER NOT NULL,    -- the cached ones and the cache writes included
    cached_tokens      INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,    -- the reasoning ones included
    reasoning_tokens   INTEGER NOT NULL,
    price_source       TEXT NOT NULL,
    price_date         TEXT NOT NULL,
    model_reported     TEXT NOT NULL,
    duration           INTEGER NOT NULL,    -- nanoseconds; 0 where nobody saw the end
    CHECK ((cost IS NULL) = (basis = 'unpriced'))
) STRICT;
CREATE INDEX entries_by_time ON entries (at);

CREATE TRIGGER entries_are_final BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'a ledger entry is never changed');
END;

CREATE VIEW ledger AS
    SELECT e.number, e.id, e.timestamp, e.at,
           c.provider, c.model, c.tool, c.campaign_id, c.account_id, c.tenant_id, c.user_id,
           e.trace_id, e.job_id, e.outcome, e.basis, e.cost,
           e.input_tokens, e.cached_tokens, e.cache_write_tokens, e.output_tokens, e.reasoning_tokens,
           e.price_source, e.price_date, e.model_reported, e.duration
    FROM entries e JOIN combinations c ON c.id = e.combination;

-- The sums: by UTC minute and by UTC hour (both counted since the epoch). A trigger keeps them, so no entry can be
-- booked without them. Amounts are nano-dollars; unpriced calls add to `unpriced` and to no amount.
CREATE TABLE rollup_minutes (
    minute          INTEGER NOT NULL,
    combination     INTEGER NOT NULL,
    calls           INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    input_tokens    INTEGER NOT NULL,
    cached_tokens   INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    measured        INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    measured_input  INTEGER NOT NULL,
    measured_output INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,
    PRIMARY KEY (minute, combination)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_hours (
    hour            INTEGER NOT NULL,
    combination     INTEGER NOT NULL,
    calls           INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    input_tokens    INTEGER NOT NULL,
    cached_tokens   INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost            INTEGER NOT NULL,
    measured        INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    measured_input  INTEGER NOT NULL,
    measured_output INTEGER NOT NULL,
    unpriced        INTEGER NOT NULL,
    PRIMARY KEY (hour, combination)
) STRICT, WITHOUT ROWID;
-- Finds the hours in which a campaign was active, so that neither its total nor its calls need a scan.
CREATE INDEX rollup_hours_by_combination ON rollup_hours (combination);

CREATE TRIGGER entries_are_summed AFTER INSERT ON entries
BEGIN
    INSERT INTO rollup_minutes VALUES (
        new.at / 60000000000, new.combination, 1, new.outcome <> 'ok',
        new.input_tokens, new.cached_tokens, new.output_tokens, new.reasoning_tokens, ifnull(new.cost, 0),
        iif(new.basis = 'measured', new.cost, 0), iif(new.basis = 'estimated', new.cost, 0),
        iif(new.basis = 'measured', new.input_tokens, 0), iif(new.basis = 'measured', new.output_tokens, 0),
        new.basis = 'unpriced')
    ON CONFLICT DO UPDATE SET
        calls = calls + 1, failed = failed + excluded.failed,
        input_tokens = input_tokens + excluded.input_tokens, cached_tokens = cached_tokens + excluded.cached_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
        cost = cost + excluded.cost, measured = measured + excluded.measured,
        estimated = estimated + excluded.estimated, measured_input = measured_input + excluded.measured_input,
        measured_output = measured_output + excluded.measured_output, unpriced = unpriced + excluded.unpriced;
    INSERT INTO rollup_hours VALUES (
        new.at / 3600000000000, new.combination, 1, new.outcome <> 'ok',
        new.input_tokens, new.cached_tokens, new.output_tokens, new.reasoning_tokens, ifnull(new.cost, 0),
        iif(new.basis = 'measured', new.cost, 0), iif(new.basis = 'estimated', new.cost, 0),
        iif(new.basis = 'measured', new.input_tokens, 0), iif(new.basis = 'measured', new.output_tokens, 0),
        new.basis = 'unpriced')
    ON CONFLICT DO UPDATE SET
        calls = calls + 1, failed = failed + excluded.failed,
        input_tokens = input_tokens + excluded.input_tokens, cached_tokens = cached_tokens + excluded.cached_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
        cost = cost + excluded.cost, measured = measured + excluded.measured,
        estimated = estimated + excluded.estimated, measured_input = measured_input + excluded.measured_input,
        measured_output = measured_output + excluded.measured_output, unpriced = unpriced + excluded.unpriced;
END;

-- Hard budgets. `spent` + `held` never passes `limit` by an admission; both are nano-dollars.
CREATE TABLE budgets (
    scope   TEXT NOT NULL, -- campaign; further kinds as they come
    key     TEXT NOT NULL, -- the campaign's id
    "limit" INTEGER NOT NULL,
    spent   INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- What open attempts may yet cost, one row for each budget they fall under.
CREATE TABLE holds (
    attempt_id TEXT NOT NULL,
    scope      TEXT NOT NULL,
    key        TEXT NOT NULL,
    amount     INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, scope, key)
) STRICT, WITHOUT ROWID;

-- Entries that DynamoDB has not acknowledged yet; written only while the sync is on.
CREATE TABLE ledger_outbox (
    entry INTEGER PRIMARY KEY -- entries.number
) STRICT;

-- While the sync is off: the last entry that was booked with it on. Switching it on again starts after that one.
CREATE TABLE ledger_outbox_pause (
    after INTEGER NOT NULL -- entries.number; 0 when the sync was never on
) STRICT;
