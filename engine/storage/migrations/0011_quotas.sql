-- What counts in the windows of the models' quotas. An entry is rewritten whole, so that writing it again is no change;
-- after `until` it is of no more use. See engine.limiter.local_quotas.
CREATE TABLE quotas (
    counter TEXT NOT NULL,
    stamp INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (counter, stamp)
) STRICT, WITHOUT ROWID;
