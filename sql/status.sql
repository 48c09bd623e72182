--
-- What can be seen: status(), and the views of the history.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA st;
SET pgmigrate.out_of_order = allow;
SET application_name = 'regress_status';

-- empty
SELECT * FROM migrate.status();
SELECT count(*) FROM migrate.history;

SELECT migrate.register('1', E'-- migrate:up\nCREATE TABLE st.t (id int);\nINSERT INTO st.t SELECT generate_series(1, 1000);\n'
	'-- migrate:check\nSELECT true;\n-- migrate:verify\nSELECT count(*) = 1000 FROM st.t;\nSHOW work_mem;\n-- migrate:down\nDROP TABLE st.t;');
SELECT migrate.register('2', E'-- migrate:requires 1, 3\nUPDATE st.t SET id = id + 1 WHERE id < 11;');
SELECT migrate.register('3', 'SELECT 1');
SELECT migrate.register('4', E'CREATE INDEX CONCURRENTLY i ON st.t (id);');
SELECT migrate.register('5', E'-- migrate:seed\nSELECT 1');
SELECT name, state, kind, applied_at, applied_by, duration_ms, waits_for, problem
FROM migrate.status() WITH ORDINALITY ORDER BY ordinality;
SELECT migrate.apply('2');
SELECT name, state, kind, clock_timestamp() - applied_at BETWEEN '0' AND '1 hour' AS "applied now", applied_by = current_user AS "by me", duration_ms >= 0 AS took, waits_for, problem
FROM migrate.status() WITH ORDINALITY ORDER BY ordinality;
BEGIN;
SELECT migrate.resolve('2', 'rolled_back', 'by hand'), migrate.rollback('1');
SELECT name, state, applied_at, applied_by, duration_ms, waits_for, problem FROM migrate.status() WHERE name IN ('1', '2') ORDER BY name;
COMMIT;

-- runs
SELECT id, migration, action, outcome, rows, tries, note, sqlstate, error FROM migrate.history ORDER BY id;
SELECT bool_and(session_username = session_user) AS session_username, bool_and(current_username = current_user) AS current_username,
	bool_and(application_name = 'regress_status') AS application_name, bool_and(client_addr IS NOT DISTINCT FROM inet_client_addr()) AS client_addr,
	bool_and(pid = pg_backend_pid()) AS pid, bool_and(started_at <= finished_at) AS times,
	bool_and(duration_ms >= 0 AND duration_ms < 60000) AS duration, bool_and(lock_wait_ms = 0) AS no_wait
FROM migrate.history;
-- (what only reads can write WAL too, for hint bits)
SELECT migration, action, wal_bytes > 0 AS wal FROM migrate.history WHERE migration = '1' OR rows > 1 OR action = 'resolve' ORDER BY id;
SELECT count(*) AS runs_with_the_checksum FROM migrate.history h JOIN migrate.migration m ON m.name = h.migration AND m.checksum = h.checksum;

-- statements
SELECT run_id, migration, action, part, number, line, command, rows, duration_ms >= 0 AS took, sql
FROM migrate.history_statement ORDER BY run_id, line;
-- what a run sums up
SELECT h.id FROM migrate.history h JOIN migrate.history_statement s ON s.run_id = h.id
GROUP BY h.id, h.rows, h.wal_bytes, h.duration_ms
HAVING h.rows <> sum(s.rows) OR h.wal_bytes <> sum(s.wal_bytes) OR h.duration_ms < sum(s.duration_ms);

SET client_min_messages = warning;
DROP SCHEMA st CASCADE;
DROP EXTENSION pgmigrate;
