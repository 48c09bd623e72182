-- 8. Fill the new column of two million rows while the application goes on. The
-- job starts when this is committed; wait() says every second where it is.
SELECT migrate.backfill('customer', $$full_name = first_name || ' ' || last_name$$,
    filter => 'full_name IS NULL', name => 'customer-full-name') AS id \gset
CALL migrate.wait(:id);
SELECT count(*) AS customers, count(full_name) AS filled FROM customer;
SELECT rows_done, batches, round(hot_share::numeric, 2) AS updated_in_place,
    pg_size_pretty(wal_bytes) AS wal, pg_size_pretty(pg_table_size('customer')) AS table_size
FROM migrate.progress WHERE id = :id;
