-- What unfinished downloads hold on disk, where they stand in the queue, and what earlier ones put where.

ALTER TABLE transfers ADD COLUMN part TEXT NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN part_inode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN "limit" INTEGER NOT NULL DEFAULT 0; -- bytes a second; 0 is none
ALTER TABLE transfers ADD COLUMN "only" TEXT NOT NULL DEFAULT '[]'; -- JSON: patterns

UPDATE transfers SET position = (
    SELECT count(*) FROM transfers AS earlier
    WHERE (earlier.started_at, earlier.id) <= (transfers.started_at, transfers.id));

-- A content that is partly on disk. The stamp (store.partfile) is there only if its transfer stopped in order; it is
-- good until the machine whose start `boot` names restarts, and beyond that if `boot` is 0.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    transfer_id TEXT NOT NULL,
    root BLOB NOT NULL,
    size INTEGER NOT NULL,
    stamp TEXT NOT NULL DEFAULT '',
    boot INTEGER NOT NULL DEFAULT 0,
    UNIQUE (transfer_id, root)
) STRICT;

-- xxh3_64 of each chunk of one page of a content, 8 bytes each; zeros for a chunk that is not held.
CREATE TABLE journal_sums (
    journal_id INTEGER NOT NULL REFERENCES journal (id) ON DELETE CASCADE,
    page INTEGER NOT NULL,
    sums BLOB NOT NULL,
    PRIMARY KEY (journal_id, page)
) STRICT;

-- A file of an unfinished transfer that is complete; the path is '' in a transfer of a single file. `boot` as above.
CREATE TABLE journal_landed (
    transfer_id TEXT NOT NULL,
    path TEXT NOT NULL,
    root BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    device INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    PRIMARY KEY (transfer_id, path)
) STRICT, WITHOUT ROWID;

-- No foreign key: what lanes report late must not fail for a transfer that was just deleted.
CREATE TRIGGER transfers_deleted AFTER DELETE ON transfers BEGIN
    DELETE FROM journal WHERE transfer_id = old.id;
    DELETE FROM journal_landed WHERE transfer_id = old.id;
END;

-- Files that finished transfers put on this disk; the lowest id was remembered first.
CREATE TABLE landed (
    id INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    device INTEGER NOT NULL
) STRICT;

CREATE INDEX landed_root ON landed (root);
