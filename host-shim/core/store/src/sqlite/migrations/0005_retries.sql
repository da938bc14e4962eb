-- An effect's retries are a list of waits in milliseconds, as JSON; they were a first wait that doubled up to a longest.
ALTER TABLE effects ADD COLUMN retry TEXT;
UPDATE effects SET retry = (
    WITH RECURSIVE waits (number, ms) AS (
        SELECT 1, retry_first_ms WHERE retry_attempts > 1
        UNION ALL
        SELECT number + 1, min(ms * 2, retry_longest_ms) FROM waits WHERE number + 1 < min(retry_attempts, 21)
    )
    SELECT json_group_array(min(ms, retry_longest_ms)) FROM waits
) WHERE retry_attempts IS NOT NULL;
ALTER TABLE effects DROP COLUMN retry_attempts;
ALTER TABLE effects DROP COLUMN retry_first_ms;
ALTER TABLE effects DROP COLUMN retry_longest_ms;
