-- Nights: contacts, deliveries, links, notes, confirmed limits.

-- What keeps an alarm from notifying, where anything does.
ALTER TABLE alarm ADD COLUMN suppression TEXT;

-- Where and in which language a user is told of alarms.
CREATE TABLE contact (
    user TEXT NOT NULL PRIMARY KEY REFERENCES user (name) ON DELETE CASCADE,
    email TEXT,
    language TEXT NOT NULL,
    wakes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One transition, told to one recipient on one channel. `made_us`, `tried_us` and `next_us` are wall
-- time, by which tries are timed; `done_us` is the nursery's, in which alarms are told.
CREATE TABLE delivery (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    transition INTEGER NOT NULL REFERENCES transition (number),
    alarm INTEGER NOT NULL REFERENCES alarm (id),
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    -- What every repeat carries, so that a repeat can be told from news.
    message TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts INTEGER NOT NULL,
    made_us INTEGER NOT NULL,
    tried_us INTEGER,
    next_us INTEGER NOT NULL,
    done_us INTEGER,
    error TEXT,
    UNIQUE (transition, channel, recipient)
) STRICT;
CREATE INDEX delivery_waiting ON delivery (next_us) WHERE state = 'waiting';
CREATE INDEX delivery_alarm ON delivery (alarm, number);
CREATE INDEX delivery_tried ON delivery (channel, tried_us);

-- The links of messages. Only a hash of the token is kept. Times are wall time.
CREATE TABLE answer_link (
    hash BLOB NOT NULL PRIMARY KEY,
    alarm INTEGER NOT NULL REFERENCES alarm (id),
    user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    message TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    used_us INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_link_expires ON answer_link (expires_us);

-- What one shift leaves for the next.
CREATE TABLE note (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL REFERENCES site (site),
    zone TEXT,
    alarm INTEGER REFERENCES alarm (id),
    text TEXT NOT NULL,
    by TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    done_by TEXT,
    done_us INTEGER,
    FOREIGN KEY (site, zone) REFERENCES zone (site, zone)
) STRICT;
CREATE INDEX note_open ON note (number) WHERE done_us IS NULL;
CREATE INDEX note_alarm ON note (alarm, number);

-- Limits of weak sources that somebody has confirmed for a site. `steps` is the very value: another
-- one is not confirmed.
CREATE TABLE confirmation (
    site TEXT NOT NULL REFERENCES site (site),
    crop TEXT NOT NULL,
    method TEXT NOT NULL,
    stage TEXT NOT NULL,
    quantity TEXT NOT NULL,
    side TEXT NOT NULL,
    steps INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (site, crop, method, stage, quantity, side, steps)
) STRICT, WITHOUT ROWID;
