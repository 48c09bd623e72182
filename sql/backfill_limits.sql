--
-- Limits of a backfill: as given, changed, put back to the settings; and how
-- they are shown.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g FROM generate_series(1, 100) g;
BEGIN;
SELECT migrate.backfill('t', 'a = id', name => 'none') AS none \gset
SELECT migrate.backfill('t', 'a = id', name => 'all', lanes => 2, batch_rows => 50, batch_ms => 200, "window" => '22:00-06:00 Europe/Berlin mon-fri',
	not_before => '2030-01-02 03:04:05+00', priority => 5, max_bad_rows => 7, max_lag => '1 min 30 s', max_wal_rate => 1000000, duty => 50,
	hold_when => 'false -- never', vacuum_analyze => true) AS all \gset
SELECT migrate.pause('none'), migrate.pause('all');
COMMIT;
CREATE VIEW shown AS SELECT name, jsonb_pretty(limits) AS limits FROM migrate.backfill_history ORDER BY id;
SELECT * FROM shown;
-- the window is kept so that the session's time zone does not matter
SET timezone = 'Europe/Berlin';
BEGIN;
SELECT migrate.backfill('t', 'a = id', name => 'window', "window" => '1:00-2:00 ; 22:00-06:00 sat') AS window \gset
SELECT migrate.pause('window');
COMMIT;
SET timezone = 'UTC';
SELECT limits ->> 'window' FROM migrate.backfill_history WHERE name = 'window';

-- changed one by one; what is not named stays
SELECT migrate.alter_backfill(:none, batch_rows => 10);
SELECT migrate.alter_backfill(id => :none, priority => -5, duty => 20);
SELECT migrate.alter_backfill(:none, hold_when => 'now() IS NULL');
SELECT migrate.alter_backfill(:none);
SELECT limits FROM migrate.backfill_history WHERE name = 'none';
SELECT migrate.alter_backfill(:none, 3, 30, 300, '00:00-24:00', '2031-01-01', 3, 30, '3 s', 3000, 30, 'false', true, NULL);
SELECT * FROM shown WHERE name = 'none';
-- and back
SELECT migrate.alter_backfill(:all, reset => '{lanes,batch_rows,window}');
SELECT limits FROM migrate.backfill_history WHERE name = 'all';
SELECT migrate.alter_backfill(:all, batch_ms => 100, reset => '{batch_ms,not_before,priority,max_bad_rows,max_lag,max_wal_rate,duty,hold_when}', vacuum_analyze => false);
SELECT limits FROM migrate.backfill_history WHERE name = 'all';

-- wrong ones, which change nothing
CREATE FUNCTION try(arguments text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT migrate.alter_backfill((SELECT max(id) FROM migrate.backfill_history), %s)', arguments);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT arguments, try(arguments) FROM unnest(ARRAY['lanes => 0', 'lanes => 65', 'batch_rows => 0', 'batch_rows => 1000001', 'batch_ms => 0', 'batch_ms => 60001',
	'"window" => ''''', '"window" => ''never''', 'priority => 1001', 'priority => -1001', 'max_bad_rows => -1', 'max_lag => ''-1 s''', 'max_wal_rate => -1',
	'duty => 0', 'duty => 101', 'hold_when => ''''', 'hold_when => ''a > 1''', 'hold_when => ''true;''', 'hold_when => ''1''', 'reset => ''{}''', 'reset => ''{nothing}''', 'reset => ''{NULL}''',
	'reset => ''{{lanes}}''', 'reset => ''{vacuum_analyze}''', 'reset => ''{LANES}''', 'lanes => 5, duty => 0']) WITH ORDINALITY u (arguments, n) ORDER BY n;
SELECT limits FROM migrate.backfill_history WHERE name = 'window';
SELECT migrate.alter_backfill(NULL, duty => 1);
SELECT migrate.alter_backfill(0, duty => 1);
SELECT migrate.alter_backfill(:window, hold_when => 'now() > nope');
BEGIN READ ONLY;
SELECT migrate.alter_backfill(:window, duty => 1);
ROLLBACK;
BEGIN;
SELECT migrate.alter_backfill(:window, duty => 1);
ROLLBACK;
SELECT limits FROM migrate.backfill_history WHERE name = 'window';

-- they hold: the next batch is as large as it says
SELECT migrate.backfill_batch(:none);
SELECT migrate.alter_backfill(:none, batch_rows => 5);
SELECT migrate.backfill_batch(:none);
-- the settings hold for those that have no limit of their own
SET pgmigrate.backfill_batch_rows = 7;
SELECT migrate.alter_backfill(:none, reset => '{batch_rows}');
SELECT migrate.backfill_batch(:none);
RESET pgmigrate.backfill_batch_rows;

-- what holds a worker is shown
CREATE TABLE hold (on_hold boolean);
INSERT INTO hold VALUES (true);
SELECT migrate.alter_backfill(:all, hold_when => 'EXISTS (SELECT FROM hold WHERE on_hold)');
SELECT migrate.resume('all');
CREATE PROCEDURE until_reason(job text, pattern text) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..200 LOOP
		IF (SELECT reason ~ pattern FROM migrate.progress WHERE name = job) THEN
			RETURN;
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.02);
	END LOOP;
	RAISE EXCEPTION 'not seen: %', (SELECT reason FROM migrate.progress WHERE name = job);
END $$;
CALL until_reason('all', 'hold_when');
SELECT state, reason, rows_done FROM migrate.progress WHERE name = 'all';
UPDATE hold SET on_hold = false;
CALL migrate.wait('all');
SELECT count(*) FROM t WHERE a = id;
UPDATE t SET a = NULL;
SELECT migrate.alter_backfill(:window, not_before => '2100-01-01 00:00+00');
SELECT migrate.resume('window');
CALL until_reason('window', 'not before');
SELECT state, reason FROM migrate.progress WHERE name = 'window';
SELECT migrate.alter_backfill(:window, reset => '{not_before,window}');
CALL migrate.wait('window');
SELECT count(*) FROM t WHERE a = id;

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
