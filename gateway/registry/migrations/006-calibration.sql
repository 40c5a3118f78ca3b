-- How sensors read against a reference, and what of the stored readings that still has to reach.
-- Rows of the first two tables are only added: what once held can be looked up for good.

CREATE TABLE calibration (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    position TEXT NOT NULL,
    quantity TEXT NOT NULL,
    -- From when it holds; until the next one of the channel does.
    from_us INTEGER NOT NULL,
    -- In steps of the quantity. Without a second point it is an offset.
    raw_low INTEGER NOT NULL,
    reference_low INTEGER NOT NULL,
    raw_high INTEGER,
    reference_high INTEGER,
    -- Who measured it, and with what.
    by TEXT NOT NULL,
    note TEXT NOT NULL,
    entered_us INTEGER NOT NULL,
    CHECK ((raw_high IS NULL) = (reference_high IS NULL))
) STRICT;
CREATE INDEX calibration_channel ON calibration (site, node, position, quantity, number);
CREATE TRIGGER calibration_stays BEFORE UPDATE ON calibration
BEGIN SELECT RAISE(ABORT, 'calibrations are only added'); END;
CREATE TRIGGER calibration_is_kept BEFORE DELETE ON calibration
BEGIN SELECT RAISE(ABORT, 'calibrations are only added'); END;

-- That a calibration does not hold after all.
CREATE TABLE calibration_withdrawal (
    number INTEGER NOT NULL PRIMARY KEY REFERENCES calibration (number),
    at_us INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE TRIGGER calibration_withdrawal_stays BEFORE UPDATE ON calibration_withdrawal
BEGIN SELECT RAISE(ABORT, 'withdrawals are only added'); END;
CREATE TRIGGER calibration_withdrawal_is_kept BEFORE DELETE ON calibration_withdrawal
BEGIN SELECT RAISE(ABORT, 'withdrawals are only added'); END;

-- A span of a channel whose readings have another value since a calibration was entered or withdrawn:
-- what was computed from them is computed again. There from the very commit of that change.
CREATE TABLE recalibration (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    calibration INTEGER NOT NULL REFERENCES calibration (number),
    from_us INTEGER NOT NULL,
    to_us INTEGER NOT NULL,
    -- How far it has come: all before is done.
    next_us INTEGER NOT NULL,
    -- What was done so far.
    samples INTEGER NOT NULL DEFAULT 0,
    flags INTEGER NOT NULL DEFAULT 0,
    derived INTEGER NOT NULL DEFAULT 0,
    done_us INTEGER
) STRICT;
CREATE INDEX recalibration_open ON recalibration (number) WHERE done_us IS NULL;
CREATE INDEX recalibration_calibration ON recalibration (calibration);

-- Series that no node measures, and which channels they are computed from.
CREATE TABLE derivation (
    site TEXT NOT NULL,
    node TEXT NOT NULL,
    position TEXT NOT NULL,
    quantity TEXT NOT NULL,
    -- The channels, each as site, node, position and quantity, in a JSON list.
    inputs TEXT NOT NULL,
    PRIMARY KEY (site, node, position, quantity)
) STRICT, WITHOUT ROWID;

-- Up to which journal position the refine stage has come.
CREATE TABLE refine (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    position INTEGER NOT NULL
) STRICT;
