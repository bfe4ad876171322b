-- The snapshot as it stood at an event, each few thousand events and at each start: what a past moment is worked out from.
CREATE TABLE keyframes (
    seq  INTEGER PRIMARY KEY, -- of the newest event in it
    at   INTEGER NOT NULL,    -- nanoseconds since the epoch
    data BLOB NOT NULL        -- the snapshot's JSON, zlib
) STRICT;
