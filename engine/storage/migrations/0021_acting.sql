-- What whoever approves a text should know first, found when it was drafted: none, low, medium, high, and in words.
-- Empty before it is drafted, and for texts of before.
ALTER TABLE deliveries ADD COLUMN risk TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN risk_reason TEXT NOT NULL DEFAULT '';

-- Sums of a day and a month that an operator made critical, over those of the configuration file.
CREATE TABLE thresholds (
    period  TEXT PRIMARY KEY CHECK (period IN ('day', 'month')),
    "limit" INTEGER NOT NULL, -- nano-dollars; 0: no such alert
    set_by  TEXT    NOT NULL,
    set_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
