-- migrate.steps(): what an online run does instead of each statement
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION pgmigrate;
CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE users (id bigint PRIMARY KEY, first_name text, last_name text, email text, age text, team int NOT NULL);
CREATE TABLE orders (id bigint, user_id bigint, code text, total numeric);
INSERT INTO users SELECT g, 'first', 'last', 'x' || g, g, 1 FROM generate_series(1, 20000) g;
ANALYZE users;
-- Without what newer servers do in fewer steps.
CREATE FUNCTION steps(script text) RETURNS TABLE (statement int, kind text, relation text, lock text, hold text, sql text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.register('m', script);
	RETURN QUERY SELECT s.statement, s.kind, s.relation, s.lock, s.hold, s.sql FROM migrate.steps('m') s WHERE s.sql !~ '_not_null|SET NOT NULL';
	PERFORM migrate.unregister('m');
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
-- the script of the guides
SELECT * FROM steps($$
ALTER TABLE users ADD COLUMN full_name text;
UPDATE users SET full_name = first_name || ' ' || last_name;
ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;
CREATE INDEX users_full_name_idx ON users (full_name);
ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE users ALTER COLUMN age TYPE int USING age::int;
$$);
-- indexes
SELECT * FROM steps($$
CREATE INDEX ON users (email); -- no name
CREATE UNIQUE INDEX IF NOT EXISTS u ON ONLY app.users /* this */ USING btree (lower(email), (id + 1) DESC) INCLUDE (team) WHERE team > 0 -- that
;
CREATE INDEX CONCURRENTLY done ON users (team);
CREATE INDEX gone_idx ON gone (id);
CREATE TABLE fresh (id int);
CREATE INDEX ON fresh (id);
$$);
CREATE INDEX one ON users (email);
CREATE INDEX "Two" ON users (team);
SELECT * FROM steps($$
DROP INDEX one, app."Two";
DROP INDEX IF EXISTS nothing;
DROP INDEX users_pkey;
DROP INDEX one CASCADE;
REINDEX INDEX one;
REINDEX (VERBOSE) TABLE users;
REINDEX SCHEMA app;
$$);
-- of a partitioned table
CREATE TABLE part (id int, at date) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (10);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES FROM (10) TO (15);
SELECT * FROM steps('CREATE INDEX ON part (at) WITH (fillfactor = 70);');
-- constraints, named and not, several in one statement
SELECT * FROM steps($$
ALTER TABLE orders ADD CHECK (total > 0), ADD CHECK (total < id), ADD COLUMN note text DEFAULT 'a, b', ALTER COLUMN total SET NOT NULL, ADD FOREIGN KEY (user_id) REFERENCES users, DROP COLUMN code;
ALTER TABLE ONLY app.orders ADD CONSTRAINT "Sum" CHECK (total <> 7) NO INHERIT;
ALTER TABLE orders ADD CONSTRAINT later CHECK (total > 1) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT later;
ALTER TABLE orders ADD CONSTRAINT orders_key PRIMARY KEY (id, "code") INCLUDE (total) WITH (fillfactor = 80) DEFERRABLE;
ALTER TABLE users ADD UNIQUE NULLS NOT DISTINCT (email);
ALTER TABLE orders ADD UNIQUE USING INDEX some_index;
$$);
SELECT migrate.register('m', 'SELECT 1; ALTER TABLE orders ADD CHECK (id > 0);');
SELECT statement, step, line, bytes, why FROM migrate.steps('m');
-- not null: held by something before the rows are read, and nothing is left to be done then
SELECT migrate.register('m', 'ALTER TABLE users ALTER email SET NOT NULL, ALTER team SET NOT NULL');
SELECT count(*) FILTER (WHERE hold = 'scan') AS scans, bool_and(lock = 'ShareUpdateExclusiveLock') FILTER (WHERE hold = 'scan') AS weakly,
	bool_or(sql ~ 'NOT VALID$') AS not_valid, count(*) FILTER (WHERE sql ~ 'ALTER team SET NOT NULL$') AS stays, count(DISTINCT why) > 1 AS says_why FROM migrate.steps('m');
-- rows
SELECT * FROM steps($$
UPDATE users SET email = lower(email) WHERE email <> lower(email);
UPDATE users SET email = 'x' WHERE id = 7;
DELETE FROM users WHERE team = 1;
DELETE FROM users;
UPDATE users u SET email = 'y';
UPDATE users SET email = 'z' FROM orders WHERE user_id = users.id;
WITH x AS (SELECT 1) DELETE FROM users;
UPDATE ONLY users SET team = 2;
UPDATE orders SET total = 1;
UPDATE users SET team = (SELECT max(team) FROM users);
INSERT INTO orders SELECT id FROM users;
$$);
-- columns whose values are computed
SELECT * FROM steps($$
ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid() NOT NULL CONSTRAINT token_key UNIQUE DEFERRABLE CHECK (token IS NOT NULL), ADD plain int DEFAULT 5 NOT NULL;
ALTER TABLE users ADD "No" smallserial;
ALTER TABLE users ADD at timestamptz NOT NULL DEFAULT now();
ALTER TABLE users ADD note text COLLATE "C" DEFAULT 'x' || random() REFERENCES gone;
ALTER TABLE users ADD full_name text GENERATED ALWAYS AS (first_name || last_name) STORED;
ALTER TABLE users ADD n int GENERATED ALWAYS AS IDENTITY;
$$);
-- materialized views
CREATE MATERIALIZED VIEW sums AS SELECT team, count(*) FROM users GROUP BY team;
CREATE MATERIALIZED VIEW keyed AS SELECT team, count(*) FROM users GROUP BY team;
CREATE UNIQUE INDEX ON keyed (team);
SELECT * FROM steps('REFRESH MATERIALIZED VIEW sums; REFRESH MATERIALIZED VIEW app.keyed; REFRESH MATERIALIZED VIEW keyed WITH NO DATA;');
-- the steps have the outcome of the statements
CREATE FUNCTION shape() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated FROM pg_constraint WHERE connamespace = 'app'::regnamespace
	UNION ALL SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'app'::regnamespace
	UNION ALL SELECT inhrelid::regclass || ' in ' || inhparent::regclass FROM pg_inherits
	UNION ALL SELECT attrelid::regclass || ' ' || attname || ' ' || attnotnull || coalesce(' ' || pg_get_expr(adbin, adrelid), '')
		FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' AND attnum > 0
	UNION ALL SELECT pg_get_serial_sequence('app.users', attname) || ' ' || seqtypid::regtype FROM pg_attribute, pg_sequence
		WHERE attrelid = 'app.users'::regclass AND attnum > 0 AND NOT attisdropped AND seqrelid = pg_get_serial_sequence('app.users', attname)::regclass ORDER BY 1 $$;
SELECT migrate.register('same', $$
ALTER TABLE orders ADD CHECK (total > 0), ADD CHECK (total < id), ALTER COLUMN total SET NOT NULL, ADD FOREIGN KEY (user_id) REFERENCES users, DROP COLUMN code;
ALTER TABLE users ADD UNIQUE NULLS NOT DISTINCT (email), ADD CHECK (length(email) > 0);
CREATE UNIQUE INDEX ON users USING btree (lower(email), (id + 1) DESC) INCLUDE (team) WHERE team > 0;
CREATE INDEX ON users (lower(email), lower(last_name));
CREATE INDEX ON part (at) WITH (fillfactor = 70);
ALTER TABLE orders ADD PRIMARY KEY (id, user_id);
ALTER TABLE users ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE CHECK (token IS NOT NULL), ADD plain int NOT NULL DEFAULT 7;
ALTER TABLE users ADD COLUMN number serial;
$$);
BEGIN;
SELECT migrate.apply('same');
SELECT string_agg(s, E'\n') AS expected FROM shape() s \gset
ROLLBACK;
\o /dev/null
\set ECHO none
SELECT sql, 'CALL migrate.wait(' || substring(sql FROM 'migrate.backfill.* name => (.*)\)$') || ')' FROM (SELECT DISTINCT statement, step, sql FROM migrate.steps('same')) s ORDER BY statement, step \gexec
\set ECHO all
\o
SELECT string_agg(s, E'\n') = :'expected' AS same FROM shape() s;
-- how much, and how long; that is not known where it hangs on others, or on a query
CREATE TABLE sized (id int, v int);
INSERT INTO sized SELECT generate_series(1, 10000);
ANALYZE sized;
CREATE INDEX sized_idx ON sized (id);
CREATE TABLE sized_parts (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE sized_parts_1 PARTITION OF sized_parts FOR VALUES FROM (1) TO (20000);
INSERT INTO sized_parts SELECT generate_series(1, 19999);
ANALYZE sized_parts;
SELECT migrate.register('sizes', $$
CREATE INDEX ON sized (id);
ALTER TABLE sized ADD CHECK (id > 0);
DROP INDEX sized_idx;
UPDATE sized SET v = 1;
UPDATE sized SET v = 1 WHERE id = 1;
UPDATE sized_parts SET v = 1;
ALTER TABLE sized ALTER id TYPE bigint;
CREATE TABLE unsized (id int);
$$);
SELECT statement, step, kind, relation, hold, CASE bytes WHEN 0 THEN 'none' WHEN pg_table_size('sized') THEN 'table' WHEN pg_table_size('sized_parts_1') THEN 'partitions' ELSE bytes::text END AS size, duration > '0' AS takes
FROM migrate.steps('sizes');
SELECT statement, rewrites, scans, bytes = pg_table_size('sized') AS of_table, duration > '0' AS takes FROM migrate.plan('sizes');
-- the time of a step is the sum of its lines
SELECT migrate.register('sum', 'ALTER TABLE sized_parts ADD CHECK (id >= 0)');
SELECT step, relation, lock, hold, bytes > 0 AS read, duration > '0' AS takes FROM migrate.steps('sum');
DROP EXTENSION pgmigrate;
DROP SCHEMA app CASCADE;
