-- What callers were answered, for who asks again: the last of each counts. The table only grows at its end, as events does, and
-- an answer that was erased is empty.
CREATE TABLE replies (
    n INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    caller TEXT NOT NULL,
    reply TEXT NOT NULL
);
CREATE INDEX replies_by_caller ON replies (scope, caller);
