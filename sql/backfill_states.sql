--
-- pause(), resume(), cancel(), retry(): from each state.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;
CREATE TABLE t (id int PRIMARY KEY, a int, n int DEFAULT 0);
INSERT INTO t SELECT g FROM generate_series(1, 20) g;

-- What a call says about a backfill in each state, and the state it leaves; the
-- workers see nothing of it.
CREATE FUNCTION matrix(call text) RETURNS TABLE (state text, result text, after text) LANGUAGE plpgsql AS $$
DECLARE
	job text;
	hint text;
BEGIN
	FOREACH matrix.state IN ARRAY '{queued,paused,done,failed,cancelled}'::text[] LOOP
		BEGIN
			job := 'job ' || matrix.state;
			PERFORM migrate.backfill('t', CASE matrix.state WHEN 'failed' THEN 'a = 1/(id-id)' ELSE 'a = id' END, name => job, not_before => 'infinity');
			CASE matrix.state
				WHEN 'paused' THEN PERFORM migrate.pause(job);
				WHEN 'done' THEN WHILE migrate.backfill_batch((SELECT id FROM migrate.backfill_history WHERE name = job)) > 0 LOOP END LOOP;
				WHEN 'cancelled' THEN PERFORM migrate.cancel(job);
				ELSE NULL;
			END CASE;
			IF matrix.state = 'failed' THEN
				-- as a worker does
				ALTER TABLE migrate.backfill_job DISABLE TRIGGER guard;
				UPDATE migrate.backfill_job j SET state = 'failed' WHERE name = job;
				ALTER TABLE migrate.backfill_job ENABLE ALWAYS TRIGGER guard;
			END IF;
			BEGIN
				EXECUTE format('SELECT migrate.%s', call) INTO result USING job, (SELECT id FROM migrate.backfill_history WHERE name = job);
			EXCEPTION WHEN object_not_in_prerequisite_state THEN
				GET STACKED DIAGNOSTICS result = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
				result := result || coalesce(nullif(format(' (%s)', hint), ' ()'), '');
			END;
			SELECT h.state || coalesce(nullif(format(' (%s)', regexp_replace(h.reason, '^by .*', 'by ...')), ' ()'), '') INTO after FROM migrate.backfill_history h WHERE name = job;
			RAISE EXCEPTION USING ERRCODE = 'UX001';
		EXCEPTION WHEN SQLSTATE 'UX001' THEN
			RETURN NEXT;
		END;
	END LOOP;
END $$;

SELECT * FROM matrix('pause($1)');
SELECT * FROM matrix('resume($1)');
SELECT * FROM matrix('cancel($1)');
SELECT * FROM matrix('retry($1)');
SELECT * FROM matrix('alter_backfill($2, batch_rows => 7)');
SELECT * FROM matrix('backfill_batch($2)');
-- by number it is the same
SELECT state, result FROM matrix('pause($2)');
SELECT state, result FROM matrix('resume($2)');
SELECT state, result FROM matrix('cancel($2)');
SELECT state, result FROM matrix('retry($2)');

-- wrong calls
CREATE FUNCTION try(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT migrate.' || call;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT format('%s(%s)', call, argument) AS call, try(format('%s(%s)', call, argument)) FROM unnest('{pause,resume,cancel,retry}'::text[]) call,
	unnest(ARRAY['NULL::text', 'NULL::bigint', '''''', '''nothing''', '0', '-1', '9223372036854775807']) argument;
BEGIN READ ONLY;
SELECT migrate.pause('nothing');
ROLLBACK;
BEGIN READ ONLY;
SELECT migrate.resume('nothing');
ROLLBACK;
BEGIN READ ONLY;
SELECT migrate.cancel('nothing');
ROLLBACK;
BEGIN READ ONLY;
SELECT migrate.retry('nothing');
ROLLBACK;

-- a worker goes on when it is resumed
BEGIN;
SELECT migrate.backfill('t', 'n = n + 1', name => 'resumed', batch_rows => 5) AS id \gset
SELECT migrate.pause('resumed');
COMMIT;
SELECT migrate.backfill_batch(:id);
SELECT migrate.resume('resumed');
CALL migrate.wait('resumed');
SELECT n, count(*) FROM t GROUP BY n;
SELECT state, reason, rows FROM migrate.backfill_history WHERE name = 'resumed';
-- what is called in a transaction that is rolled back was not called
BEGIN;
SELECT migrate.backfill('t', 'n = n + 1', name => 'undone', batch_rows => 5) IS NOT NULL AS queued;
SELECT migrate.pause('undone');
COMMIT;
BEGIN;
SELECT migrate.resume('undone');
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT migrate.cancel('undone');
ROLLBACK TO a;
COMMIT;
SELECT pg_sleep(0.1);
SELECT state, rows FROM migrate.backfill_history WHERE name = 'undone';
CALL migrate.finish('undone');
SELECT n, count(*) FROM t GROUP BY n;
-- paused and resumed before anybody began
BEGIN;
SELECT migrate.backfill('t', 'n = n + 1', name => 'at once') IS NOT NULL AS queued;
SELECT migrate.pause('at once');
SELECT migrate.resume('at once');
COMMIT;
CALL migrate.wait('at once');
SELECT n, count(*) FROM t GROUP BY n;
-- the same and cancelled: nothing is done, and the name stays taken
BEGIN;
SELECT migrate.backfill('t', 'n = n + 1', name => 'never') IS NOT NULL AS queued;
SELECT migrate.cancel('never');
COMMIT;
SELECT pg_sleep(0.1);
SELECT n, count(*) FROM t GROUP BY n;
SELECT state, rows, started_at IS NULL AS not_started, finished_at IS NOT NULL AS finished FROM migrate.backfill_history WHERE name = 'never';
SELECT migrate.backfill('t', 'a = 1', name => 'never');

DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
