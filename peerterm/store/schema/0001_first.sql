-- The first schema. Migrations are append-only: change nothing here, add a further file.
-- Device and inode numbers and times are stored wrapped to 64 signed bits (store.database.wrap).

PRAGMA application_id = 0x70747264;

CREATE TABLE shares (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    visibility TEXT NOT NULL,
    added_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
    root BLOB, -- NULL until scanned
    files INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0
) STRICT;

-- An entry's path below its share is parent || name: parent is empty or ends with '/'. The share's own entry has
-- both empty, so a page of names after '' leaves it out.
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    share_id TEXT NOT NULL REFERENCES shares (id) ON DELETE CASCADE,
    parent TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL, -- core.catalog.type_of a file; 'folder'
    size INTEGER NOT NULL,
    files INTEGER NOT NULL,
    root BLOB NOT NULL,
    sha256 BLOB,
    executable INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    seq INTEGER NOT NULL, -- the catalog's number when peers last saw a change
    folded TEXT NOT NULL, -- core.catalog.fold of the path, the share's name first
    UNIQUE (share_id, parent, name)
) STRICT;

CREATE INDEX entries_root ON entries (root);
CREATE INDEX entries_sha256 ON entries (sha256) WHERE sha256 IS NOT NULL;

-- The trigram tokenizer folds no accents before SQLite 3.45; the text comes folded.
CREATE VIRTUAL TABLE search USING fts5 (
    folded, content = 'entries', content_rowid = 'id', tokenize = 'trigram case_sensitive 1'
);

CREATE TRIGGER entries_inserted AFTER INSERT ON entries BEGIN
    INSERT INTO search (rowid, folded) VALUES (new.id, new.folded);
END;

CREATE TRIGGER entries_deleted AFTER DELETE ON entries BEGIN
    INSERT INTO search (search, rowid, folded) VALUES ('delete', old.id, old.folded);
END;

CREATE TRIGGER entries_updated AFTER UPDATE OF folded ON entries BEGIN
    INSERT INTO search (search, rowid, folded) VALUES ('delete', old.id, old.folded);
    INSERT INTO search (rowid, folded) VALUES (new.id, new.folded);
END;

-- Chunk digests of files of more than one chunk, and the listings of folders.
CREATE TABLE digests (root BLOB PRIMARY KEY, digests BLOB NOT NULL) STRICT;
CREATE TABLE listings (root BLOB PRIMARY KEY, listing BLOB NOT NULL) STRICT;

-- What is offered no longer. The path is '' for a whole share, which takes all it held along.
CREATE TABLE removed (
    share_id TEXT NOT NULL,
    share_name TEXT NOT NULL,
    path TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (share_id, path)
) STRICT;

CREATE INDEX removed_seq ON removed (seq);

-- One row. Removals up to `forgotten` may be missing from `removed`.
CREATE TABLE catalog (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    seq INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT;

INSERT INTO catalog VALUES (1, 0, 0);

CREATE TABLE skipped (
    share_id TEXT NOT NULL REFERENCES shares (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE INDEX skipped_share ON skipped (share_id);

CREATE TABLE peers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    addresses TEXT NOT NULL, -- JSON: [[host, port], ...], newest first
    trust TEXT NOT NULL DEFAULT 'new',
    first_seen REAL NOT NULL,
    last_seen REAL NOT NULL
) STRICT;

CREATE TABLE transfers (
    id TEXT PRIMARY KEY,
    direction TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    root BLOB,
    reference TEXT NOT NULL,
    directory TEXT NOT NULL,
    state TEXT NOT NULL,
    size INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    path TEXT NOT NULL,
    error TEXT NOT NULL,
    error_code TEXT NOT NULL,
    sources TEXT NOT NULL, -- JSON
    started_at REAL NOT NULL,
    ended_at REAL -- NULL while unfinished
) STRICT;
