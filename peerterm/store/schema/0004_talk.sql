-- Conversations: rooms and direct ones. Lines are only added and, beyond the history kept, deleted.

-- One row: the log that our lines stand in. It is new with every new database, for numbers must not be used twice.
CREATE TABLE talk (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    log BLOB NOT NULL
) STRICT;

INSERT INTO talk VALUES (1, randomblob(8));

CREATE TABLE talk_conversations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE, -- core.lines.ConversationId
    is_member INTEGER NOT NULL DEFAULT 0, -- of a room
    is_muted INTEGER NOT NULL DEFAULT 0
) STRICT;

-- In the order in which they were kept, which is the order in which they are shown.
CREATE TABLE talk_lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- clients go by it, so none is given twice
    conversation_id INTEGER NOT NULL REFERENCES talk_conversations (id) ON DELETE CASCADE,
    author TEXT NOT NULL,
    log BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    key BLOB NOT NULL,
    prev BLOB NOT NULL,
    sent_at INTEGER NOT NULL,
    author_name TEXT NOT NULL, -- as it called itself then
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    about BLOB NOT NULL, -- empty if it answers none
    items BLOB NOT NULL, -- core.lines.Item, as MessagePack
    signature BLOB NOT NULL,
    kept_at REAL NOT NULL,
    UNIQUE (conversation_id, author, log, seq)
) STRICT;

CREATE INDEX talk_lines_shown ON talk_lines (conversation_id, id);

-- How far logs got: core.talk_messages.Mark.
CREATE TABLE talk_marks (
    conversation_id INTEGER NOT NULL REFERENCES talk_conversations (id) ON DELETE CASCADE,
    author TEXT NOT NULL,
    log BLOB NOT NULL,
    kind TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, author, log, kind)
) STRICT, WITHOUT ROWID;
