-- What nodes are set to, and what they judged themselves.

-- The settings that a person gave a node, and what was made of them with the limits that hold.
CREATE TABLE node_settings (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    -- What the person set, as JSON.
    body TEXT NOT NULL,
    -- Counts up whenever `content` changes; 0 before anything was made.
    revision INTEGER NOT NULL,
    -- What the node is sent, as the bytes of revision 1: only what matters is compared.
    content BLOB,
    -- The revision that the node refused, and its word for why.
    refused INTEGER,
    detail TEXT,
    set_us INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (site, node),
    FOREIGN KEY (site, node) REFERENCES node (site, node) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A limit that a node judged itself: broken, kept again, or taken away. Told apart by the sequence.
CREATE TABLE local_event (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    flash INTEGER NOT NULL,
    -- The bits of a 64-bit unsigned number, as for `episode`.
    sequence INTEGER NOT NULL,
    -- The sequence of the event that raised the episode.
    episode INTEGER NOT NULL,
    position TEXT NOT NULL,
    quantity TEXT NOT NULL,
    rule INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('raised', 'returned', 'cancelled')),
    at_us INTEGER NOT NULL,
    uncertain INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    outputs INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    PRIMARY KEY (site, node, flash, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX local_event_channel ON local_event (site, node, position, quantity, at_us);
