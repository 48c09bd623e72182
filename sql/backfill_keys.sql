--
-- Going through tables by keys of all sorts: every row is met, and once.  Small
-- batches, so that ranges begin and end everywhere.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA bf;
SET search_path = bf;
SET client_min_messages = warning;
SET pgmigrate.backfill_batch_rows = 3;
CREATE TYPE mood AS ENUM ('sad', 'so', 'ok');
CREATE DOMAIN short AS varchar(20) CHECK (VALUE <> 'none');
CREATE TYPE pair AS (a int, b text);
CREATE COLLATION german (provider = icu, locale = 'de');

-- Add 1 to n in each row, by key.
CREATE TABLE result (n int GENERATED ALWAYS AS IDENTITY, key text, rows bigint, once bigint, done bigint, state text, reason text);
CREATE PROCEDURE go(target regclass, columns text[] DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	job := migrate.backfill(target, 'n = n + 1', key => columns, batch_rows => 3, strategy => 'key');
	PERFORM migrate.pause(job);
	COMMIT;
	CALL migrate.finish(job);
	EXECUTE format('INSERT INTO result (key, rows, once, done, state, reason) SELECT %L || '' '' || h.key_columns::text, t.rows, t.once, h.rows, h.state, h.reason
		FROM migrate.backfill_history h, (SELECT count(*) AS rows, count(*) FILTER (WHERE n = 1) AS once FROM %s) t WHERE h.id = %s', target, target, job);
END $$;
-- A table with such a key and these values.
CREATE PROCEDURE check_key(type text, literals text[], ordering text DEFAULT '') LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	EXECUTE format('DROP TABLE IF EXISTS t; CREATE TABLE t (n int DEFAULT 0, k %s NOT NULL); CREATE UNIQUE INDEX ON t (k %s)', type, ordering);
	EXECUTE format('INSERT INTO t (k) SELECT x::%s FROM unnest($1) x', regexp_replace(type, ' COLLATE.*', '')) USING literals;
	CALL go('t');
	UPDATE result SET key = type || ' ' || ordering WHERE n = (SELECT max(n) FROM result);
END $$;

-- An expression in g, for each g of a range.
CREATE FUNCTION series(expression text, first int, last int) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	result text[];
BEGIN
	EXECUTE format('SELECT array_agg((%s)::text) FROM generate_series($1, $2) g', expression) INTO result USING first, last;
	RETURN result;
END $$;

CALL check_key('int', series($$(g * g * g)$$, -10, 10));
CALL check_key('int', '{-2147483648,-1,0,1,2147483647}');
CALL check_key('int', '{}');
CALL check_key('int', '{7}');
CALL check_key('bigint', '{-9223372036854775808,-1,0,9223372036854775807}');
CALL check_key('int', series($$g$$, 1, 20), 'DESC');
CALL check_key('int', series($$g$$, 1, 20), 'NULLS FIRST');
CALL check_key('int', series($$g$$, 1, 20), 'DESC NULLS LAST');
CALL check_key('uuid', series($$md5(g::text)$$, 1, 20));
CALL check_key('text', ARRAY['', ' ', 'a', 'A', 'b', 'B', 'ä', 'Z', 'z', 'aa', 'a a', 'a-a', '''', '"', '\', E'\n', E'\t', '%', '$1', 'null', 'NULL', '{}', ',']);
CALL check_key('text COLLATE "C"', ARRAY['', ' ', 'a', 'A', 'b', 'B', 'ä', 'Z', 'z', '''', '"', '\', 'NULL']);
CALL check_key('text COLLATE german', ARRAY['a', 'A', 'ä', 'Ä', 'b', 'B', 'ß', 'ss', 'z', 'Z', 'ae', '']);
CALL check_key('varchar(5)', ARRAY['a', 'a ', 'b', 'abcde', '']);
CALL check_key('char(5)', ARRAY['a', 'b', 'abcde', '']);
CALL check_key('short', series($$'x' || g$$, 1, 20));
CALL check_key('"char"', series($$chr(g)$$, 32, 60));
CALL check_key('name', series($$'x' || g$$, 1, 20));
CALL check_key('bytea', series($$format('\x%s00', to_hex(g))$$, 16, 40) || '\x'::text);
CALL check_key('numeric', '{0,0.1,0.10000000000000000000000000001,-1e100,1e100,NaN,Infinity,-Infinity,12345678901234567890.123456789}');
CALL check_key('numeric(10,3)', series($$(g / 7.0)$$, 1, 20));
CALL check_key('float8', '{0.1,0.30000000000000004,0.3,1e-300,-1e300,NaN,Infinity,-Infinity,0,123456789.12345679}');
CALL check_key('float4', '{0.1,0.2,16777217,3.4028235e38,NaN,-Infinity}');
CALL check_key('date', '{2026-02-01,2026-01-02,0044-03-15 BC,infinity,-infinity,2026-12-31,1999-03-04,2001-02-03}');
CALL check_key('timestamp', '{2026-02-01 03:04:05.123456,2026-01-02,infinity,2026-02-01 03:04:05.123457,0001-01-01 BC}');
CALL check_key('timestamptz', '{2026-02-01 03:04:05.123456+00,2026-10-25 02:30+02,2026-10-25 02:30+01,infinity,-infinity,2026-01-02}');
CALL check_key('time', '{00:00,23:59:59.999999,24:00,12:00}');
CALL check_key('timetz', '{00:00+00,00:00+01,12:00-05,24:00+00}');
CALL check_key('interval', ARRAY['1 day', '1 month', '-1 day', '1 year 2 mons', '00:00:00.000001', '-1 mons +1 day']);
CALL check_key('boolean', '{t,f}');
CALL check_key('mood', '{ok,so,sad}');
CALL check_key('inet', '{10.0.0.1,10.0.0.1/8,::1,192.168.0.1}');
CALL check_key('macaddr', '{08:00:2b:01:02:03,08:00:2b:01:02:04}');
CALL check_key('bit(3)', '{000,101,111,011}');
CALL check_key('oid', '{0,1,4294967295}');
CALL check_key('pg_lsn', '{0/0,16/B374D848,FFFFFFFF/FFFFFFFF}');
CALL check_key('money', '{-1,0.01,1000000}');
CALL check_key('jsonb', ARRAY['1', '"a"', '{"a": 1}', '[]', 'null', '{"a": [1, 2]}']);
CALL check_key('int[]', ARRAY['{}', '{1}', '{1,2}', '{NULL}', '{2}', '[0:0]={5}']);
CALL check_key('text[]', ARRAY['{}', '{a}', '{"a,b"}', '{NULL}', '{"NULL"}', '{"\""}']);
CALL check_key('int4range', ARRAY['empty', '[1,5)', '[2,3)', '(,)', '[7,)']);
CALL check_key('pair', ARRAY['(1,x)', '(1,y)', '(2,"a,b")', '(,)']);
CALL check_key('tsvector', ARRAY['a', 'b:1', 'c:2A']);

-- whatever the session's formats are
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET extra_float_digits = -10;
SET bytea_output = 'escape';
SET timezone = 'Asia/Kolkata';
SET lc_monetary = 'C';
CALL check_key('date', '{2026-02-01,2026-01-02,2026-12-31,1999-04-03,2001-02-03,2001-03-02}');
CALL check_key('timestamptz', '{2026-02-01 03:04:05.123456+00,2026-01-02 00:00+00,2026-10-25 02:30+02,2026-10-25 02:30+01,2026-03-02 00:00+00}');
CALL check_key('interval', ARRAY['1 day', '-1 day', '1 month -1 day', '-1 month 1 day 01:00:00', '1 year', '-1 year -1 day']);
CALL check_key('float8', '{0.1,0.10000000000000002,0.30000000000000004,0.3,1}');
CALL check_key('bytea', series($$format('\x%s', to_hex(g))$$, 16, 40));
RESET datestyle;
RESET intervalstyle;
RESET extra_float_digits;
RESET bytea_output;
RESET timezone;

-- of several columns
CREATE TABLE two (n int DEFAULT 0, a int, b text, PRIMARY KEY (a, b));
INSERT INTO two (a, b) SELECT a, b FROM generate_series(-2, 2) a, unnest('{x,y,z,"",ä}'::text[]) b;
CALL go('two');
CREATE TABLE three (n int DEFAULT 0, a boolean, b uuid, c timestamptz, d numeric, UNIQUE (d, a), PRIMARY KEY (c, a, b));
INSERT INTO three (a, b, c, d) SELECT a % 2 = 0, md5(b::text)::uuid, '2026-01-01'::timestamptz + c * interval '1 hour', a + b / 10.0 + c / 100.0
FROM generate_series(1, 2) a, generate_series(1, 3) b, generate_series(1, 4) c;
ALTER TABLE three ALTER d SET NOT NULL;
CALL go('three');
UPDATE three SET n = 0;
CALL go('three', '{d,a}');
CREATE TABLE down (n int DEFAULT 0, a int NOT NULL, b int NOT NULL);
CREATE UNIQUE INDEX ON down (a DESC, b DESC);
INSERT INTO down (a, b) SELECT a, b FROM generate_series(1, 5) a, generate_series(1, 5) b;
CALL go('down');
CREATE TABLE wide (n int DEFAULT 0, a int, b int, c int, d int, e int, f int, g int, h int, PRIMARY KEY (h, g, f, e, d, c, b, a));
INSERT INTO wide SELECT 0, x & 1, x >> 1 & 1, x >> 2 & 1, x >> 3 & 1, 0, 0, 0, 0 FROM generate_series(0, 15) x;
CALL go('wide');

-- a filter leaves out rows, and not more
CREATE TABLE f (id int PRIMARY KEY, n int DEFAULT 0);
INSERT INTO f SELECT g FROM generate_series(1, 50) g;
BEGIN;
SELECT migrate.backfill('f', 'n = n + 1', 'id % 10 = 3 OR id > 45 --', name => 'filter', batch_rows => 3) IS NOT NULL AS queued;
SELECT migrate.pause('filter');
COMMIT;
CALL migrate.finish('filter');
SELECT array_agg(id ORDER BY id) FROM f WHERE n = 1;
SELECT rows, strategy FROM migrate.backfill_history WHERE name = 'filter';

-- the end is where it was when it was submitted
BEGIN;
SELECT migrate.backfill('f', 'n = n + 100', name => 'frozen', batch_rows => 3) IS NOT NULL AS queued;
SELECT migrate.pause('frozen');
COMMIT;
INSERT INTO f VALUES (0, 0), (51, 0), (1000, 0);
DELETE FROM f WHERE id BETWEEN 20 AND 30;
UPDATE f SET id = 25 WHERE id = 50;
CALL migrate.finish('frozen');
SELECT array_agg(id ORDER BY id) FROM f WHERE n < 100;
SELECT rows, state FROM migrate.backfill_history WHERE name = 'frozen';

SELECT key, rows, once, done, state, reason FROM result ORDER BY n;
SELECT count(*) FROM result;

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
