--
-- migrate.backfill(): wrong arguments, and errors in the texts of the user's,
-- which point into these.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c text, d int GENERATED ALWAYS AS (b + 1) STORED,
	i int GENERATED ALWAYS AS IDENTITY);
INSERT INTO t (id, b) SELECT g, g FROM generate_series(1, 10) g;

-- What a call with these arguments after the table says; nothing is kept.
CREATE FUNCTION try(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	state text;
	detail text;
BEGIN
	EXECUTE format('SELECT migrate.backfill(%s)', arguments);
	RAISE EXCEPTION USING ERRCODE = 'UX001', MESSAGE = 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
	RETURN format('%s %s%s', state, message, nullif(format(' (%s)', detail), ' ()'));
END $$;
CREATE FUNCTION try_all(calls text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format(E'%s\n  %s', call, try(call)) FROM unnest(calls) WITH ORDINALITY u (call, n) ORDER BY n
$$;

\pset format unaligned
\pset tuples_only on
-- nulls and empty ones
SELECT try_all(ARRAY[$$NULL, 'a = b'$$, $$'t'$$, $$'t', NULL$$, $$'t', ''$$, $$'t', 'a = b', ''$$, $$'t', 'a = b', name => ''$$,
	$$'t', 'a = b', strategy => NULL$$, $$'t', 'a = b', strategy => ''$$, $$'t', 'a = b', key => '{}'$$,
	$$'t', 'a = b', key => '{NULL}'$$, $$'t', 'a = b', key => '{{id}}'$$, $$'t', 'a = b', "window" => ''$$,
	$$'t', 'a = b', hold_when => ''$$,
	$$'t', 'a = b', NULL, NULL, 'auto', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL$$]);
-- out of range
SELECT try_all(ARRAY[$$'t', 'a = b', lanes => 0$$, $$'t', 'a = b', lanes => 65$$, $$'t', 'a = b', batch_rows => 0$$,
	$$'t', 'a = b', batch_rows => 1000001$$, $$'t', 'a = b', batch_ms => 0$$, $$'t', 'a = b', batch_ms => 60001$$,
	$$'t', 'a = b', priority => -1001$$, $$'t', 'a = b', priority => 1001$$, $$'t', 'a = b', max_bad_rows => -1$$,
	$$'t', 'a = b', max_wal_rate => -1$$, $$'t', 'a = b', duty => 0$$, $$'t', 'a = b', duty => 101$$,
	$$'t', 'a = b', max_lag => '-1 second'$$, $$'t', 'a = b', max_lag => '1 day -25 hours'$$]);
-- at the ends of the ranges
SELECT try_all(ARRAY[$$'t', 'a = b', lanes => 64, batch_rows => 1000000, batch_ms => 60000, priority => 1000, max_bad_rows => 9223372036854775807,
	max_wal_rate => 9223372036854775807, duty => 100, max_lag => '178000000 years', not_before => 'infinity'$$,
	$$'t', 'a = b', lanes => 1, batch_rows => 1, batch_ms => 1, priority => -1000, max_bad_rows => 0, max_wal_rate => 0, duty => 1, max_lag => '0',
	not_before => '-infinity'$$]);
-- words and names
SELECT try_all(ARRAY[$$'t', 'a = b', strategy => 'PAGES'$$, $$'t', 'a = b', strategy => 'fast'$$, $$'t', 'a = b', key => '{nope}'$$,
	$$'t', 'a = b', key => '{ID}'$$, $$'t', 'a = b', key => '{id,id}'$$, $$'t', 'a = b', key => '{b}'$$, $$'t', 'a = b', key => '{ctid}'$$,
	$$'t', 'a = b', strategy => 'pages', key => '{id}'$$, $$'t', 'id = b', key => '{id}'$$,
	$$'t', 'a = b', "window" => 'always'$$, $$'t', 'a = b', run_as => '-'$$, $$'t', 'a = b', run_as => '4294967295'$$,
	$$'t', 'a = b', run_as => 'regress_no_such_role'$$, $$'t', 'a = b', name => ' '$$, $$'t', 'a = b', name => E'two\nlines'$$]);
SELECT split_part(try(format('%L, %L, name => %L', 't', 'a = b', repeat('x', 300))), ' ', 1);
-- DELETE
SELECT try_all(ARRAY[$$'t', "delete" => true$$, $$'t', NULL, 'a IS NULL', "delete" => true$$, $$'t', 'a = b', "delete" => true$$,
	$$'t', 'a = b', "delete" => false$$, $$'t', "delete" => false$$]);

-- a SET list and nothing else
SELECT try_all(ARRAY[$$'t', ' '$$, $$'t', '-- nothing'$$, $$'t', 'a = b;'$$, $$'t', 'a = b; DROP TABLE t'$$, $$'t', ';'$$, $$'t', 'a = b WHERE true'$$,
	$$'t', 'a = b FROM t x'$$, $$'t', 'a = b RETURNING a'$$, $$'t', 'a = b WHERE CURRENT OF c'$$, $$'t', 'a = b, '$$,
	$$'t', 'a = b /* open'$$, $$'t', 'a = (b'$$, $$'t', 'a = b)'$$, $$'t', 'a = ''x'$$, $$'t', 'SET a = b'$$]);
-- a condition and nothing else
SELECT try_all(ARRAY[$$'t', 'a = b', ' '$$, $$'t', 'a = b', 'true;'$$, $$'t', 'a = b', 'true; DROP TABLE t'$$, $$'t', 'a = b', 'true) OR (true'$$,
	$$'t', 'a = b', 'true)'$$, $$'t', 'a = b', '(true'$$, $$'t', 'a = b', 'WHERE true'$$, $$'t', 'a = b', 'true ORDER BY 1'$$,
	$$'t', 'a = b', 'true LIMIT 1'$$, $$'t', 'a = b', 'true OFFSET 1'$$, $$'t', 'a = b', 'true FETCH FIRST ROW ONLY'$$,
	$$'t', 'a = b', 'true GROUP BY id'$$, $$'t', 'a = b', 'true HAVING true'$$, $$'t', 'a = b', 'true WINDOW w AS ()'$$,
	$$'t', 'a = b', 'true FOR UPDATE'$$, $$'t', 'a = b', 'true UNION SELECT'$$, $$'t', 'a = b', 'true RETURNING a'$$,
	$$'t', 'a = b', 'CURRENT OF c'$$, $$'t', "delete" => true, filter => 'true;'$$]);
SELECT try_all(ARRAY[$$'t', 'a = b', hold_when => 'true;'$$, $$'t', 'a = b', hold_when => 'true; SELECT 1'$$, $$'t', 'a = b', hold_when => 'true LIMIT 1'$$,
	$$'t', 'a = b', hold_when => 'true UNION SELECT'$$, $$'t', 'a = b', hold_when => '1'$$, $$'t', 'a = b', hold_when => 'a IS NULL'$$,
	$$'t', 'a = b', hold_when => 'EXISTS (SELECT FROM nowhere)'$$, $$'t', 'a = b', hold_when => 'EXISTS (SELECT FROM t)'$$]);
-- comments at the end
SELECT try_all(ARRAY[$$'t', 'a = b --', 'a IS NULL --'$$, $$'t', 'a = b /* x */', '/* x */ a IS NULL -- y'$$, $$'t', 'c = random() --', 'c IS NULL --'$$,
	$$'t', NULL, 'a IS NULL --', "delete" => true$$, $$'t', 'a = b', hold_when => 'false --'$$]);
-- what analysis finds
SELECT try_all(ARRAY[$$'t', 'nope = 1'$$, $$'t', 'a = nope'$$, $$'t', 'a = 1, a = 2'$$, $$'t', 'ctid = NULL'$$, $$'t', 'd = 1'$$, $$'t', 'i = 1'$$,
	$$'t', 'a = c'$$, $$'t', 'a = $1'$$, $$'t', 'a = sum(b)'$$, $$'t', 'a = row_number() OVER ()'$$, $$'t', 'a = generate_series(1, 2)'$$,
	$$'t', 'a = (SELECT 1, 2)'$$, $$'t', 'a = nofunc(b)'$$, $$'t', 'a = 1/0'$$, $$'t', 'a = ''x'''$$]);
SELECT try_all(ARRAY[$$'t', 'a = b', 'nope IS NULL'$$, $$'t', 'a = b', 'b'$$, $$'t', 'a = b', '$1'$$, $$'t', 'a = b', 'sum(a) > 1'$$,
	$$'t', 'a = b', 'c > 1'$$, $$'t', 'a = b', 'other.a IS NULL'$$, $$'t', 'a = b', 'pgm_row.a IS NULL'$$]);
-- accepted: a DEFAULT, several columns at once, columns by the table's name
SELECT try_all(ARRAY[$$'t', 'a = DEFAULT'$$, $$'t', 'i = DEFAULT'$$, $$'t', '(a, c) = (b, b::text)'$$, $$'t', '(a, c) = ROW(b, b::text)'$$,
	$$'t', '(a, c) = (SELECT 1, ''x'')'$$, $$'t', 'a = t.b', 't.a IS NULL'$$]);
\pset format aligned
\pset tuples_only off

-- the place in the text as it was written
SELECT migrate.backfill('t', 'a = nope');
SELECT migrate.backfill('t', E'a = b,\n  c = upper(nope)');
SELECT migrate.backfill('t', 'a = b', E'a IS NULL\n\tAND nope > 1');
SELECT migrate.backfill('t', 'a = b +');
SELECT migrate.backfill('t', 'a = b', 'a IS NULL AND');
SELECT migrate.backfill('t', 'a = b', 'true) OR (true');
SELECT migrate.backfill('t', 'a = b', $$c = 'été' AND nope$$);
SELECT migrate.backfill('t', $$c = 'été', a = x$$);
SELECT migrate.backfill('t', 'a = b', hold_when => 'now() > nope');
SELECT migrate.backfill('t', 'a = b', strategy => 'PAGES');
SELECT migrate.backfill('t', 'a = b', key => '{b}');
SELECT migrate.backfill('t', 'a = b RETURNING a');
SELECT migrate.backfill('t', 'a = b WHERE a IS NULL');
-- nothing was left
SELECT count(*) FROM migrate.backfill_job;
SELECT count(*) FROM migrate.backfill_leaf;

-- in a transaction that is read-only
BEGIN READ ONLY;
SELECT migrate.backfill('t', 'a = b');
ROLLBACK;

-- names
BEGIN;
SELECT migrate.backfill('t', 'a = b', name => 'once') IS NOT NULL AS queued;
SELECT migrate.backfill('t', 'a = b', name => 'once');
ROLLBACK;
BEGIN;
SELECT migrate.backfill('t', 'a = b', name => 'Once') IS NOT NULL, migrate.backfill('t', 'a = b', name => 'once') IS NOT NULL AS queued;
SELECT migrate.backfill('t', 'a = b') AS id \gset
SELECT name = 'bf.t-' || :id AS named_by_table FROM migrate.backfill_history WHERE id = :id;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
