-- Times are microseconds since 1970 in UTC (`_us`). Bodies are JSON of the rooms' own types.

-- How often each topic was changed, so that a running gateway notices what a command has done.
CREATE TABLE revision (
    topic TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The record of every change. Rows are only added.
CREATE TABLE change (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    by TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    why TEXT,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX change_subject ON change (subject, number);
CREATE TRIGGER change_stays BEFORE UPDATE ON change
BEGIN SELECT RAISE(ABORT, 'the record of changes is only added to'); END;
CREATE TRIGGER change_is_kept BEFORE DELETE ON change
BEGIN SELECT RAISE(ABORT, 'the record of changes is only added to'); END;

CREATE TABLE site (
    site TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE zone (
    site TEXT NOT NULL REFERENCES site (site),
    zone TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (site, zone)
) STRICT, WITHOUT ROWID;

-- What grew in a zone from when on; a row whose body is null says: nothing.
CREATE TABLE growing (
    site TEXT NOT NULL,
    zone TEXT NOT NULL,
    from_us INTEGER NOT NULL,
    body TEXT,
    PRIMARY KEY (site, zone, from_us),
    FOREIGN KEY (site, zone) REFERENCES zone (site, zone)
) STRICT, WITHOUT ROWID;

-- A node without a secret may not connect.
CREATE TABLE node (
    site TEXT NOT NULL REFERENCES site (site),
    node TEXT NOT NULL,
    zone TEXT,
    secret BLOB,
    added_us INTEGER NOT NULL,
    PRIMARY KEY (site, node),
    FOREIGN KEY (site, zone) REFERENCES zone (site, zone)
) STRICT, WITHOUT ROWID;

CREATE TABLE birth (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    frame BLOB NOT NULL,
    PRIMARY KEY (site, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    received_us INTEGER NOT NULL,
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE user (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    must_change INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    signed_in_us INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    hash BLOB NOT NULL PRIMARY KEY,
    user TEXT NOT NULL REFERENCES user (name) ON DELETE CASCADE,
    begun_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_user ON session (user, begun_us);

CREATE TABLE token (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where the alarm engine stands, and up to which journal position it has judged.
CREATE TABLE alarm_engine (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    next_alarm INTEGER NOT NULL,
    position INTEGER NOT NULL
) STRICT;

-- What the alarm engine remembers of each channel.
CREATE TABLE alarm_channel (
    channel INTEGER NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- Each episode as it is now; `body` is all of it, the columns are what lists ask for.
CREATE TABLE alarm (
    id INTEGER NOT NULL PRIMARY KEY,
    channel INTEGER NOT NULL,
    active INTEGER NOT NULL,
    wants INTEGER NOT NULL,
    raised_us INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    ended_us INTEGER,
    closed_us INTEGER,
    value INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_open ON alarm (raised_us) WHERE closed_us IS NULL;
CREATE INDEX alarm_raised ON alarm (raised_us);
CREATE INDEX alarm_by_channel ON alarm (channel, started_us);

-- What has happened to alarms. Rows are only added.
CREATE TABLE transition (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    alarm INTEGER NOT NULL REFERENCES alarm (id),
    kind TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX transition_alarm ON transition (alarm, number);
CREATE TRIGGER transition_stays BEFORE UPDATE ON transition
BEGIN SELECT RAISE(ABORT, 'transitions are only added to'); END;
CREATE TRIGGER transition_is_kept BEFORE DELETE ON transition
BEGIN SELECT RAISE(ABORT, 'transitions are only added to'); END;

-- Of what people are to be told. A row is there from the very commit of its transition.
CREATE TABLE outbox (
    transition INTEGER NOT NULL PRIMARY KEY REFERENCES transition (number),
    alarm INTEGER NOT NULL REFERENCES alarm (id),
    made_us INTEGER NOT NULL
) STRICT;
