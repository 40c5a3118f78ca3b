-- Accessions, batches, and where batches and nodes stood.

-- An accession; `body` holds its cells by column, `found_by` the folded text that a search looks in.
CREATE TABLE accession (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    institute TEXT NOT NULL,
    number TEXT NOT NULL,
    found_by TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (institute, number)
) STRICT;

-- A batch with its whole history in `body`; the columns are what lists ask for.
CREATE TABLE batch (
    site TEXT NOT NULL REFERENCES site (site),
    batch TEXT NOT NULL,
    accession INTEGER REFERENCES accession (id),
    started_us INTEGER NOT NULL,
    closed_us INTEGER,
    body TEXT NOT NULL,
    PRIMARY KEY (site, batch)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_open ON batch (site) WHERE closed_us IS NULL;
CREATE INDEX batch_accession ON batch (accession) WHERE accession IS NOT NULL;

-- Every zone that a batch ever stood in.
CREATE TABLE batch_zone (
    site TEXT NOT NULL,
    zone TEXT NOT NULL,
    batch TEXT NOT NULL,
    PRIMARY KEY (site, zone, batch),
    FOREIGN KEY (site, zone) REFERENCES zone (site, zone),
    FOREIGN KEY (site, batch) REFERENCES batch (site, batch)
) STRICT, WITHOUT ROWID;

-- Where a node stood from when on.
CREATE TABLE node_placement (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    from_us INTEGER NOT NULL,
    zone TEXT,
    PRIMARY KEY (site, node, from_us),
    FOREIGN KEY (site, node) REFERENCES node (site, node),
    FOREIGN KEY (site, zone) REFERENCES zone (site, zone)
) STRICT, WITHOUT ROWID;

-- What was done before is told by the record of changes; where that has nothing, by the node itself.
INSERT OR REPLACE INTO node_placement (site, node, from_us, zone)
    SELECT node.site, node.node, change.at_us, json_extract(change.detail, '$.zone')
    FROM change
    JOIN node ON change.subject = node.site || '/' || node.node
    JOIN zone ON zone.site = node.site AND zone.zone = json_extract(change.detail, '$.zone')
    WHERE change.what IN ('node.add', 'node.place', 'node.move', 'node.renew')
    ORDER BY change.number;
INSERT INTO node_placement (site, node, from_us, zone)
    SELECT site, node, added_us, zone FROM node
    WHERE zone IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM node_placement AS placed
        WHERE placed.site = node.site AND placed.node = node.node
    );
