-- Whose budget has no room for a campaign's next text, where that may change by itself; empty while none has to be
-- waited for, and for the campaign's own total, which a person raises.
ALTER TABLE campaigns ADD COLUMN starved_by TEXT NOT NULL DEFAULT ''; -- kind:key
ALTER TABLE campaigns ADD COLUMN starved_until INTEGER; -- when it begins anew; null for a total
CREATE INDEX campaigns_starved ON campaigns (starved_until) WHERE starved_by <> '';
