--
-- How a backfill goes through a table, and why: by pages wherever a row may be
-- met twice, by key where it must not be; refused where neither can be.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE keyed (id int PRIMARY KEY, n int, a int, b int, c text, j json, at timestamptz, g int GENERATED ALWAYS AS (n + 1) STORED,
	h int GENERATED ALWAYS AS (b + 1) STORED, arr int[], d int DEFAULT 7);
CREATE TABLE keyless (LIKE keyed INCLUDING GENERATED INCLUDING DEFAULTS);
ALTER TABLE keyless ALTER id DROP NOT NULL;
CREATE TABLE other (id int PRIMARY KEY, v int);
CREATE FUNCTION imm(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION sta(int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 + 1; END';
CREATE FUNCTION vol(int) RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN $1 + 1; END';

-- What is chosen for a table with a key and for one without, and why.
CREATE FUNCTION choose(target regclass, new text, condition text, del boolean DEFAULT false, wanted text DEFAULT 'auto') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
	message text;
	detail text;
BEGIN
	job := migrate.backfill(target, new, condition, strategy => wanted, "delete" => del);
	SELECT CASE h.strategy WHEN 'key' THEN format('key (%s): %s', array_to_string(key_columns, ', '), strategy_reason)
		ELSE format('%s: %s', h.strategy, strategy_reason) END INTO message
	FROM migrate.backfill_history h WHERE id = job;
	RAISE EXCEPTION USING ERRCODE = 'UX001', MESSAGE = message;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN message || coalesce(nullif(format(E'\n    %s', detail), E'\n    '), '');
END $$;
CREATE FUNCTION choose_all(VARIADIC calls text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format(E'SET %s%s\n  %s\n  %s', call[1], E'\n  WHERE ' || call[2], choose('keyed', call[1], call[2]),
		choose('keyless', call[1], call[2]))
	FROM (SELECT string_to_array(c, ' | ') AS call, n FROM unnest(calls) WITH ORDINALITY u (c, n)) u ORDER BY n
$$;

\pset format unaligned
\pset tuples_only on
-- computed from other columns: by pages
SELECT choose_all('a = b', 'a = b | a IS NULL', 'a = imm(b)', 'a = 1', 'a = NULL', 'a = b, c = b::text', '(a, c) = (b, b::text)', 'a = h', 'a = b | b > 5',
	'c = upper(c) | a > 5', 'c = tableoid::text');
-- reads what it sets
SELECT choose_all('n = n + 1', 'n = imm(n)', 'a = b, b = a', 'n = b, a = n', 'arr[1] = b', 'c = (SELECT 1) || c', 'n = coalesce(n, 0) | n IS NULL', 'n = n | n IS NULL');
-- or what changes with it
SELECT choose_all('n = g', 'n = b, a = g', 'c = ctid::text', 'c = xmin::text');
-- may be another value the next time
SELECT choose_all('a = sta(b)', 'at = now()', 'a = vol(b)', 'c = random()', 'at = clock_timestamp()', 'a = DEFAULT', 'd = DEFAULT', 'h = DEFAULT',
	'a = (SELECT v FROM other o WHERE o.id = b)', '(a, c) = (SELECT v, v::text FROM other o WHERE o.id = b)', 'c = to_char(at, ''YYYY'')', 'c = at::text');
-- the filter tells them from others: a column that is set is null, and is not read
SELECT choose_all('a = vol(b) | a IS NULL', 'a = vol(b) | a IS NULL AND b > 5', 'a = vol(b) | b > 5 AND (c IS NULL AND a IS NULL)', 'a = (SELECT v FROM other o WHERE o.id = b) | a IS NULL',
	'(a, c) = (SELECT v, v::text FROM other o WHERE o.id = b) | a IS NULL', 'a = DEFAULT | a IS NULL', 'n = vol(b), a = b | a IS NULL', 'j = ''{}'', c = now() | j IS NULL');
-- these do not
SELECT choose_all('a = vol(b) | a IS NULL OR b > 5', 'a = vol(b) | b IS NULL', 'a = vol(b) | a IS NOT NULL', 'a = vol(b) | NOT (a IS NULL)', 'a = vol(b) | (a + 1) IS NULL', 'a = vol(b) | a = 1',
	'a = vol(a) | a IS NULL', 'a = vol(b), n = n + 1 | a IS NULL', 'a = (SELECT max(v) FROM other o WHERE o.id = a) | a IS NULL',
	'n = (SELECT v FROM other o WHERE o.id = n), a = NULL | a IS NULL', 'a = vol(b) | (SELECT a) IS NULL',
	'a = vol(b) | a IS NULL IS NULL', 'a = vol(b) | ROW(a) IS NULL', 'at = now() | at IS NULL IS NOT FALSE');
-- a DELETE always can
SELECT choose('keyed', NULL, NULL, true), choose('keyless', NULL, 'vol(a) = 1', true), choose('keyed', NULL, NULL, true, 'key');

-- as asked for
SELECT format('%s %s: %s', strategy, assign, choose('keyed', assign, NULL, wanted => strategy))
FROM unnest('{pages,key}'::text[]) strategy, unnest('{a = b,n = n + 1}'::text[]) assign;
SELECT format('%s %s: %s', strategy, assign, choose('keyless', assign, NULL, wanted => strategy))
FROM unnest('{pages,key}'::text[]) strategy, unnest('{a = b,n = n + 1}'::text[]) assign;
SELECT choose('keyed', 'id = id', NULL), choose('keyed', 'id = id + 1', NULL), choose('keyed', 'id = a', NULL, wanted => 'key');
\pset format aligned
\pset tuples_only off
-- with the hint
SELECT migrate.backfill('keyless', 'n = n + 1');
SELECT migrate.backfill('keyed', 'n = n + 1', strategy => 'pages');
SELECT migrate.backfill('keyless', 'a = b', strategy => 'key');

-- which key: the primary one, else the shortest
CREATE TABLE k (a int NOT NULL, b int NOT NULL, c int NOT NULL, n int, d text NOT NULL);
CREATE FUNCTION key_of(new text DEFAULT 'n = n + 1', wanted text[] DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
	result text;
BEGIN
	job := migrate.backfill('k', new, key => wanted);
	SELECT key_columns::text INTO result FROM migrate.backfill_history WHERE id = job;
	RAISE EXCEPTION USING ERRCODE = 'UX001', MESSAGE = result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;
CREATE INDEX ON k (a);
CREATE UNIQUE INDEX ON k (n);
CREATE UNIQUE INDEX ON k (b) WHERE b > 0;
CREATE UNIQUE INDEX ON k ((b + 1));
CREATE UNIQUE INDEX ON k (b, n);
CREATE UNIQUE INDEX ON k (b ASC, c DESC);
CREATE UNIQUE INDEX ON k (d text_pattern_ops);
CREATE UNIQUE INDEX ON k (d COLLATE "POSIX");
ALTER TABLE k ADD CONSTRAINT later UNIQUE (c) DEFERRABLE;
SELECT key_of() AS none;
CREATE UNIQUE INDEX ON k (b, c);
SELECT key_of() AS two;
CREATE UNIQUE INDEX ON k (c DESC) INCLUDE (n);
SELECT key_of() AS one;
ALTER TABLE k ADD PRIMARY KEY (a, b);
SELECT key_of() AS primary_key, key_of('b = c + b') AS not_set, key_of(wanted => '{b,c}') AS named, key_of(wanted => '{b,a}') AS order_matters;
CREATE TABLE k2 (a int NOT NULL, n int);
INSERT INTO k2 VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY k2_a ON k2 (a);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'k2_a'::regclass;
SELECT migrate.backfill('k2', 'n = a', strategy => 'key');

-- all leaves need the same one
CREATE TABLE p (id int NOT NULL, k int NOT NULL, n int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
CREATE UNIQUE INDEX ON p1 (id);
SELECT migrate.backfill('p', 'n = n + 1');
CREATE UNIQUE INDEX ON p2 (id);
BEGIN;
SELECT migrate.backfill('p', 'n = n + 1') IS NOT NULL AS queued;
SELECT strategy, key_columns FROM migrate.backfill_history;
ROLLBACK;
DROP INDEX p2_id_idx;
CREATE UNIQUE INDEX ON p2 (k, id);
CREATE UNIQUE INDEX ON p1 (k, id);
BEGIN;
SELECT migrate.backfill('p', 'n = n + 1') IS NOT NULL AS queued;
SELECT strategy, key_columns FROM migrate.backfill_history;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
