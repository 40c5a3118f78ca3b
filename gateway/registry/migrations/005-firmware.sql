-- Firmware: what nodes can be given, and how far each has come with it.

-- A package as it was added, whole: a backup of this file has all of it.
CREATE TABLE release (
    target TEXT NOT NULL,
    number INTEGER NOT NULL,
    version TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    -- What is signed, the signature, and the key that it is checked with.
    manifest BLOB NOT NULL,
    signature BLOB NOT NULL,
    key BLOB NOT NULL,
    added_us INTEGER NOT NULL,
    by TEXT NOT NULL,
    -- Last, so that a list of releases reads none of it.
    image BLOB NOT NULL,
    PRIMARY KEY (target, number)
) STRICT;

-- What a node was offered last.
CREATE TABLE rollout (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    target TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('offered', 'wanting', 'staged', 'trial', 'confirmed',
        'rolled_back', 'refused', 'cancelled')),
    -- Bytes that the node has, as it said last.
    had INTEGER NOT NULL,
    detail TEXT NOT NULL,
    offered_us INTEGER NOT NULL,
    by TEXT NOT NULL,
    changed_us INTEGER NOT NULL,
    PRIMARY KEY (site, node),
    FOREIGN KEY (site, node) REFERENCES node (site, node) ON DELETE CASCADE,
    FOREIGN KEY (target, number) REFERENCES release (target, number)
) STRICT, WITHOUT ROWID;
