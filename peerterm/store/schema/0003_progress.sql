-- How far transfers were, so that the next engine can tell before a peer that has them is online.

ALTER TABLE transfers ADD COLUMN files INTEGER NOT NULL DEFAULT 1;
ALTER TABLE transfers ADD COLUMN done_files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN local_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN wasted_bytes INTEGER NOT NULL DEFAULT 0;

UPDATE transfers SET done_files = 1 WHERE state = 'done' AND kind = 'file';
