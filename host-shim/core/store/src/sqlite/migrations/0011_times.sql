-- Times of the first and of the last write of each row, in milliseconds since the epoch; null if they are not known.
ALTER TABLE products ADD COLUMN created_at INTEGER;
ALTER TABLE products ADD COLUMN updated_at INTEGER;
ALTER TABLE prices ADD COLUMN created_at INTEGER;
ALTER TABLE prices ADD COLUMN updated_at INTEGER;
ALTER TABLE purchases ADD COLUMN created_at INTEGER;
ALTER TABLE purchases ADD COLUMN updated_at INTEGER;
ALTER TABLE subscriptions ADD COLUMN created_at INTEGER;
ALTER TABLE subscriptions ADD COLUMN updated_at INTEGER;
ALTER TABLE records ADD COLUMN created_at INTEGER;
ALTER TABLE records ADD COLUMN updated_at INTEGER;
