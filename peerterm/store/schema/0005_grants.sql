-- Private shares: offered to those peers alone that have a grant. They stand apart from `shares` and `entries`, so
-- that nothing that lists, searches or counts those can come across them.

CREATE TABLE private_shares (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    root BLOB NOT NULL,
    size INTEGER NOT NULL,
    files INTEGER NOT NULL
) STRICT;

-- The path is below the share: '' for the share's own entry.
CREATE TABLE private_entries (
    share_id TEXT NOT NULL REFERENCES private_shares (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    size INTEGER NOT NULL,
    files INTEGER NOT NULL,
    root BLOB NOT NULL,
    sha256 BLOB,
    executable INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    PRIMARY KEY (share_id, path)
) STRICT, WITHOUT ROWID;

-- The share first: a look for one peer reads nothing of what others were offered.
CREATE INDEX private_entries_root ON private_entries (share_id, root);

-- Chunk digests of contents of more than one chunk, and the listings of folders.
CREATE TABLE private_contents (root BLOB PRIMARY KEY, digests BLOB, listing BLOB) STRICT;

CREATE TABLE grants (
    share_id TEXT NOT NULL REFERENCES private_shares (id) ON DELETE CASCADE,
    peer TEXT NOT NULL,
    offer_id TEXT NOT NULL,
    PRIMARY KEY (share_id, peer, offer_id)
) STRICT, WITHOUT ROWID;

-- What others are not to get from us.
ALTER TABLE transfers ADD COLUMN is_private INTEGER NOT NULL DEFAULT 0;
