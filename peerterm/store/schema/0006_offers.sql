-- Offers: what single peers and we offered each other, and what became of it. What was said of it is in talk_lines.

CREATE TABLE offers (
    hash BLOB PRIMARY KEY, -- of its line
    peer TEXT NOT NULL,
    is_own INTEGER NOT NULL,
    log BLOB NOT NULL,
    seq INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    items BLOB NOT NULL, -- core.lines.Item, as MessagePack
    state TEXT NOT NULL,
    grant_id TEXT NOT NULL, -- grants.offer_id; empty if it is not our own
    fetches BLOB NOT NULL, -- core.offer.Fetch, as MessagePack
    directory TEXT NOT NULL
) STRICT;

-- Own ones of which no line is said yet.
CREATE TABLE offer_drafts (
    grant_id TEXT PRIMARY KEY,
    peer TEXT NOT NULL,
    items BLOB NOT NULL
) STRICT;

-- One row: up to which of talk_lines.id all is in the two tables above.
CREATE TABLE offers_heard (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    line_id INTEGER NOT NULL
) STRICT;

INSERT INTO offers_heard VALUES (1, 0);
