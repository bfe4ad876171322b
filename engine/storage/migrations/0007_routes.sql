-- Routes that operators set over those of the configuration file. A tool without a row has the file's.
CREATE TABLE routes (
    tool     TEXT PRIMARY KEY,
    strategy TEXT    NOT NULL,
    chain    TEXT    NOT NULL, -- JSON: provider/model, first choice first
    weights  TEXT    NOT NULL, -- JSON: one number for each of the chain, or none
    too_slow INTEGER,          -- nanoseconds; NULL: nothing is too slow
    set_by   TEXT    NOT NULL,
    set_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
