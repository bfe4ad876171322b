-- How deep the queues were: the highest figures of each UTC minute, for two days, and of each UTC hour, for 90 (both
-- counted since the epoch). A minute without a row is one in which no engine looked.
CREATE TABLE queue_minutes (
    minute  INTEGER NOT NULL,
    queue   TEXT    NOT NULL,
    ready   INTEGER NOT NULL,
    delayed INTEGER NOT NULL,
    leased  INTEGER NOT NULL,
    parked  INTEGER NOT NULL,
    dead    INTEGER NOT NULL,
    waited  INTEGER NOT NULL, -- nanoseconds that the longest waiting ready job had waited
    PRIMARY KEY (minute, queue)
) STRICT, WITHOUT ROWID;

CREATE TABLE queue_hours (
    hour    INTEGER NOT NULL,
    queue   TEXT    NOT NULL,
    ready   INTEGER NOT NULL,
    delayed INTEGER NOT NULL,
    leased  INTEGER NOT NULL,
    parked  INTEGER NOT NULL,
    dead    INTEGER NOT NULL,
    waited  INTEGER NOT NULL,
    PRIMARY KEY (hour, queue)
) STRICT, WITHOUT ROWID;
