-- What was counted of each endpoint, tool, provider and model: by UTC minute for two days, by UTC hour for 90 (both
-- counted since the epoch). `whole` and `first` are histograms of durations: see engine.telemetry.histogram.
CREATE TABLE monitor_minutes (
    minute    INTEGER NOT NULL,
    kind      TEXT    NOT NULL, -- endpoint, tool, provider, model
    name      TEXT    NOT NULL, -- of an endpoint: its method and route, never the path that was asked for
    calls     INTEGER NOT NULL,
    errors    INTEGER NOT NULL,
    refused   INTEGER NOT NULL,
    fallbacks INTEGER NOT NULL,
    passed    INTEGER NOT NULL,
    whole     BLOB    NOT NULL,
    first     BLOB    NOT NULL,
    PRIMARY KEY (minute, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE monitor_hours (
    hour      INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    calls     INTEGER NOT NULL,
    errors    INTEGER NOT NULL,
    refused   INTEGER NOT NULL,
    fallbacks INTEGER NOT NULL,
    passed    INTEGER NOT NULL,
    whole     BLOB    NOT NULL,
    first     BLOB    NOT NULL,
    PRIMARY KEY (hour, kind, name)
) STRICT, WITHOUT ROWID;

-- What operators thought of answers, one rating an answer and operator.
CREATE TABLE ratings (
    attempt_id TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    tool       TEXT    NOT NULL,
    provider   TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    score      INTEGER NOT NULL CHECK (score BETWEEN 1 AND 5),
    PRIMARY KEY (attempt_id, actor)
) STRICT, WITHOUT ROWID;
CREATE INDEX ratings_by_target ON ratings (tool, provider, model);
