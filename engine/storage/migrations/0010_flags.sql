-- What an operator switches while the engine runs. A flag without a row stands at its default: on for everybody.
CREATE TABLE flags (
    name        TEXT PRIMARY KEY,
    enabled     INTEGER NOT NULL,
    percentage  INTEGER NOT NULL,           -- of the users, 0 to 100
    allow       TEXT NOT NULL,              -- JSON list of users who have it whatever the percentage
    deny        TEXT NOT NULL,              -- JSON list of users who have it not, whatever else is said
    changed_at  INTEGER NOT NULL,
    changed_by  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which tools' tasks are also sent, in part, to a model that is on trial.
CREATE TABLE shadows (
    tool        TEXT PRIMARY KEY,
    target      TEXT NOT NULL,              -- provider/model
    percentage  REAL NOT NULL,              -- of the tasks, 0 to 100
    budget      INTEGER NOT NULL,           -- nano-dollars a UTC day
    fans        INTEGER NOT NULL,           -- whether prompts that may hold a person's data go along
    changed_at  INTEGER NOT NULL,
    changed_by  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How the model on trial did beside the one that answered: sums over the calls compared, by UTC day. Never a text.
CREATE TABLE shadow_days (
    day             INTEGER NOT NULL,       -- since the epoch
    tool            TEXT NOT NULL,
    target          TEXT NOT NULL,
    compared        INTEGER NOT NULL DEFAULT 0,
    failed          INTEGER NOT NULL DEFAULT 0,
    duration        INTEGER NOT NULL DEFAULT 0, -- nanoseconds, of the answers that were given
    shadow_duration INTEGER NOT NULL DEFAULT 0, -- of those on trial
    cost            INTEGER NOT NULL DEFAULT 0, -- nano-dollars, likewise
    shadow_cost     INTEGER NOT NULL DEFAULT 0,
    length          INTEGER NOT NULL DEFAULT 0, -- characters, likewise
    shadow_length   INTEGER NOT NULL DEFAULT 0,
    likeness        INTEGER NOT NULL DEFAULT 0, -- thousandths
    PRIMARY KEY (day, tool, target)
) STRICT, WITHOUT ROWID;
