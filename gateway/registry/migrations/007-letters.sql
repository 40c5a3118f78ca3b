-- Dead letters can be taken again: how long each was before it was cut, and what became of it.

ALTER TABLE dead_letter ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead_letter ADD COLUMN state TEXT NOT NULL DEFAULT 'kept'
    CHECK (state IN ('kept', 'asked', 'replayed', 'refused'));
-- When it was taken again last.
ALTER TABLE dead_letter ADD COLUMN tried_us INTEGER;

-- One of exactly the most bytes may have been cut; it is not taken again as if it were whole.
UPDATE dead_letter SET bytes = length(payload) + (length(payload) = 2048);

CREATE INDEX dead_letter_asked ON dead_letter (number) WHERE state = 'asked';

-- How many were dropped because newer ones came.
CREATE TABLE dead_letters_dropped (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 0),
    count INTEGER NOT NULL
) STRICT;
INSERT INTO dead_letters_dropped VALUES (0, 0);
