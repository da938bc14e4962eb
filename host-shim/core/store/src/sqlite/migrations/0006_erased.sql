-- 1: what somebody wrote is gone from it, since its account was erased.
ALTER TABLE inbox ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effects ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;

-- What an effect was asked with, apart from what changes: rows that grow have SQLite move others to another page, and
-- what it leaves of them there can't be erased. This table only grows at its end, as events does.
CREATE TABLE effect_texts (
    seq INTEGER PRIMARY KEY,
    payload TEXT NOT NULL,
    context TEXT NOT NULL
);
INSERT INTO effect_texts SELECT seq, payload, context FROM effects ORDER BY seq;
ALTER TABLE effects DROP COLUMN payload;
ALTER TABLE effects DROP COLUMN context;
