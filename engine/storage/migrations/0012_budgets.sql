-- Budgets by scope and window. An attempt knows the windows that hold its worst case, so a hold costs no row of its own:
-- what a killed process left is found with its attempts, and a budget that was taken away leaves nothing behind.
ALTER TABLE budgets RENAME TO campaign_budgets;

-- `spent` + `held` never passes `limit` by an admission. Both are nano-dollars, of the window from `begins` to `ends`.
CREATE TABLE budgets (
    id      INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: attempts name it
    name    TEXT NOT NULL,    -- kind:key, such as campaign:cmp_1; `global:` has no key
    "window" TEXT NOT NULL,   -- hour, day, month, total
    zone    TEXT NOT NULL,    -- whose clock cuts the windows; empty: the costs' own
    actions TEXT NOT NULL,    -- what is done when a call does not fit, comma-separated, in their order
    origin  TEXT NOT NULL,    -- campaign, command, file
    "limit" INTEGER NOT NULL,
    spent   INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    begins  INTEGER NOT NULL, -- nanoseconds since the epoch; 0 for a total
    ends    INTEGER NOT NULL,
    warned  INTEGER NOT NULL DEFAULT 0, -- the highest percentage told in this window
    UNIQUE (name, "window")
) STRICT;

-- What windows that are over came to. Calls that began in one and end after it are settled here.
CREATE TABLE budget_windows (
    budget  INTEGER NOT NULL,
    begins  INTEGER NOT NULL,
    ends    INTEGER NOT NULL,
    "limit" INTEGER NOT NULL,
    spent   INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    PRIMARY KEY (budget, begins)
) STRICT, WITHOUT ROWID;

-- Budgets of the configuration that a command changed or took away: the file's word no longer counts for them.
CREATE TABLE budget_commands (
    name     TEXT NOT NULL,
    "window" TEXT NOT NULL,
    PRIMARY KEY (name, "window")
) STRICT, WITHOUT ROWID;

INSERT INTO budgets (name, "window", zone, actions, origin, "limit", spent, held, begins, ends)
    SELECT scope || ':' || key, 'total', '', 'stop', 'campaign', "limit", spent, held, 0, 9223372036854775807
    FROM campaign_budgets;

ALTER TABLE attempts ADD COLUMN held TEXT NOT NULL DEFAULT ''; -- pairs of a budget's id and its window's `begins`
UPDATE attempts SET held = ifnull((
    SELECT group_concat(b.id || ' 0', ' ') FROM holds h JOIN budgets b ON b.name = h.scope || ':' || h.key
    WHERE h.attempt_id = attempts.id), '')
    WHERE holds > 0;
ALTER TABLE attempts DROP COLUMN holds;
DROP TABLE holds;
DROP TABLE campaign_budgets;
