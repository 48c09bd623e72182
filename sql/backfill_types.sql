--
-- Values of all sorts of types: a backfill leaves what a plain UPDATE leaves, to
-- the last bit, also where values are equal but not the same.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA bf;
SET search_path = bf;
SET client_min_messages = warning;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS numeric(8,2) CHECK (VALUE >= 0);
CREATE DOMAIN word AS varchar(8);
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

-- Every pair of an old and a new value, once by a plain UPDATE, once by a
-- backfill; compared by their bytes.
CREATE TABLE result (n int GENERATED ALWAYS AS IDENTITY, type text, strategy text, rows int, wrong int, state text, reason text);
CREATE PROCEDURE compare(type text, literals text[], expression text DEFAULT 'b') LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	DROP TABLE IF EXISTS mine, plain;
	EXECUTE format('CREATE TABLE mine (id serial, a %1$s, b %1$s, c text); CREATE TABLE plain (LIKE mine)', type);
	EXECUTE format('INSERT INTO mine (a, b, c) SELECT x::%1$s, y::%1$s, y FROM unnest($1) x, unnest($1) y', type) USING literals;
	INSERT INTO plain SELECT * FROM mine;
	EXECUTE 'UPDATE plain SET a = ' || expression;
	job := migrate.backfill('mine', 'a = ' || expression);
	PERFORM migrate.pause(job);
	COMMIT;
	CALL migrate.finish(job);
	INSERT INTO result (type, strategy, rows, wrong, state, reason)
	SELECT compare.type, h.strategy, (SELECT count(*) FROM mine),
		(SELECT count(*) FROM mine m JOIN plain p USING (id) WHERE ROW(m.a)::record *<> ROW(p.a)::record), h.state, h.reason
	FROM migrate.backfill_history h WHERE id = job;
END $$;

CALL compare('int', '{0,-1,2147483647,NULL}');
CALL compare('bool', '{t,f,NULL}');
CALL compare('text', ARRAY['', ' ', 'a', 'A', 'é', NULL]);
CALL compare('text COLLATE nocase', ARRAY['a', 'A', NULL]);
CALL compare('varchar(3)', '{a,abc,NULL}');
CALL compare('char(3)', ARRAY['a', 'a  ', 'abc', NULL]);
CALL compare('bpchar', ARRAY['a', 'a ', 'a  ', NULL]);
CALL compare('"char"', '{a,b,NULL}');
CALL compare('name', '{a,b,NULL}');
CALL compare('bytea', ARRAY['\x', '\x00', '\xff', NULL]);
-- equal, but not the same
CALL compare('numeric', '{1,1.0,1.00,-1,0,0.000,NaN,Infinity,NULL}');
CALL compare('numeric(10,2)', '{1,1.00,2.5,NULL}');
CALL compare('float8', '{0,-0,NaN,Infinity,1.5,NULL}');
CALL compare('float4', '{0,-0,NULL}');
CALL compare('interval', ARRAY['1 day', '24 hours', '30 days', '1 month', NULL]);
CALL compare('jsonb', ARRAY['1', '1.0', '{"a": 1}', '{"a": 1.00}', 'null', NULL]);
CALL compare('timetz', '{12:00+00,13:00+01,NULL}');
CALL compare('inet', '{10.0.0.1,10.0.0.1/8,10.0.0.1/32,NULL}');
CALL compare('cidr', '{10.0.0.0/8,10.0.0.0/16,NULL}');
CALL compare('numrange', ARRAY['[1,2]', '[1.0,2]', 'empty', NULL]);
CALL compare('numeric[]', ARRAY['{1}', '{1.0}', '{}', '[2:2]={1}', '{NULL}', NULL]);
CALL compare('int[]', ARRAY['{1}', '[0:0]={1}', '{{1}}', '{}', NULL]);
CALL compare('pair', ARRAY['(1,x)', '(1,)', '(,)', NULL]);
CALL compare('positive', '{1,1.0,NULL}');
CALL compare('positive[]', '{"{1}","{2}",NULL}');
-- with no operator =
CALL compare('json', ARRAY['1', ' 1', '{"a":1}', '{"a": 1}', NULL]);
CALL compare('xid', '{1,2,NULL}');
CALL compare('point', ARRAY['(0,0)', '(-0,0)', '(1,1)', NULL]);
CALL compare('box', ARRAY['(0,0),(1,1)', '(0,0),(2,2)', NULL]);
CALL compare('circle', ARRAY['<(0,0),1>', '<(5,5),1>', NULL]);
CALL compare('tsvector', ARRAY['a', 'a:1', 'a:1A', NULL]);
CALL compare('regclass', '{pg_class,pg_proc,NULL}');
CALL compare('tid', ARRAY['(0,1)', '(0,2)', NULL]);
CALL compare('pg_lsn', '{0/1,0/2,NULL}');
CALL compare('bit(3)', '{101,111,NULL}');
CALL compare('varbit', ARRAY['', '1', '10', NULL]);
CALL compare('money', '{1,2,NULL}');
CALL compare('macaddr', '{08:00:2b:01:02:03,08:00:2b:01:02:04,NULL}');
CALL compare('uuid', '{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff,NULL}');
CALL compare('timestamptz', '{2000-01-01,infinity,-infinity,NULL}');
CALL compare('date', '{2000-01-01,0044-03-15 BC,NULL}');
CALL compare('mood', '{sad,ok,NULL}');
CALL compare('txid_snapshot', '{1:1:,1:2:1,NULL}');
-- converted when it is assigned
CALL compare('numeric(4,1)', '{1.25,2,NULL}', 'b * 1.0001');
CALL compare('int', '{1,2,NULL}', 'b + 0.5');
CALL compare('varchar(4)', '{abcd,a,NULL}', $$b || '    '$$);
CALL compare('char(4)', '{abcd,a,NULL}', $$b || '    '$$);
CALL compare('word', '{abcd,a,NULL}', $$b || '        '$$);
CALL compare('positive', '{1.25,2,NULL}', 'b * 1.0001');
CALL compare('bit(3)', '{101,111,NULL}', 'b | b');
CALL compare('json', '{1,2,NULL}', $$('[ ' || c || ']')::json$$);
CALL compare('text[]', ARRAY['{a}', NULL], $$ARRAY[c, 'x']$$);
CALL compare('timestamp(0)', ARRAY['2000-01-01 00:00:00', NULL], $$b + interval '0.6 s'$$);
-- literals of the type unknown, and nulls
CALL compare('text', '{a,x,NULL}', $$'x'$$);
CALL compare('numeric', '{1,1.0,NULL}', '1.00');
CALL compare('json', '{1,NULL}', 'NULL');
CALL compare('point', ARRAY['(0,0)', NULL], $$'(0,0)'$$);

SELECT type, strategy, rows, wrong, state, reason FROM result ORDER BY n;
SELECT count(*) AS compared FROM result;

-- what is the same already is left alone
CREATE TABLE t (id int PRIMARY KEY, a numeric, b numeric, j json, k json);
INSERT INTO t VALUES (1, 1.0, 1.00, '1', '1'), (2, 2.0, 2.0, '[1]', '[1]'), (3, 3, 3, '[1]', '[ 1]');
CREATE TABLE before AS SELECT id, xmin AS x FROM t;
BEGIN;
SELECT migrate.backfill('t', 'a = b, j = k', name => 'same') AS id \gset
SELECT migrate.pause('same');
COMMIT;
CALL migrate.finish('same');
SELECT id, x <> t.xmin AS changed, a, j FROM t JOIN before USING (id) ORDER BY id;
SELECT rows FROM migrate.backfill_history WHERE name = 'same';
-- the text means what it meant in the session that submitted it
CREATE TABLE s (id int PRIMARY KEY, at timestamptz, day date, words text, us date, n bool);
INSERT INTO s VALUES (1, '2026-01-31 23:30 UTC');
SET timezone = 'Asia/Kolkata';
SET datestyle = 'SQL, DMY';
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SET transform_null_equals = on;
BEGIN;
SELECT migrate.backfill('s', $$day = at::date, words = 'a\\b' || at, us = '02/01/2026', n = words = NULL$$, 'day IS NULL', name => 'settings') AS id \gset
SELECT migrate.pause('settings');
COMMIT;
RESET timezone;
RESET datestyle;
RESET standard_conforming_strings;
RESET transform_null_equals;
CALL migrate.finish('settings');
SELECT day = '2026-02-01' AS day, words, us = '2026-01-02' AS us, n FROM s;

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
