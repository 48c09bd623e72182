-- Views of backfills.  As in views.sql, a plain user sees the backfills of the
-- roles it belongs to; who may read the tables, or belongs to pg_monitor, sees
-- all.  Functions in a view run as the caller: nothing here needs more than
-- what everybody may call, and pg_locks is open to all.
--
-- Who works is told by locks, never by a row: a lane that runs holds an advisory
-- lock of our own kind (20771, which no SQL function can ask for) on the job and
-- the number of the lane.  A standby has none of the primary's locks, so there a
-- lane counts as running if it wrote its row within a minute.
--
-- Of the jobs that were ever run few are shown, and the rows of their lanes and
-- leaves are looked up by number: ANY (ARRAY(...)) is an index scan also where
-- nothing was ever analyzed, and cheap enough not to be compiled.  The time is
-- that of the statement, so that a transaction that stays open sees it pass.

CREATE VIEW migrate.progress WITH (security_barrier) AS
WITH here AS MATERIALIZED (
	SELECT d.oid, d.datname, pg_catalog.pg_is_in_recovery() AS standby
	FROM pg_catalog.pg_database d
	WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
), job AS MATERIALIZED (
	-- A time in the future at which it is due: until then it needs no worker.
	-- One that came here from another database is suspended, whatever its row says.
	SELECT j.id, j.name,
		CASE WHEN j.state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running'])
				AND j.database OPERATOR(pg_catalog.<>) (SELECT h.oid FROM here h)
			THEN 'suspended' ELSE j.state END AS state,
		j.reason, j.relid, j.relation, j.strategy, j.batch_rows, j.error,
		COALESCE(j.due_at OPERATOR(pg_catalog.>) pg_catalog.statement_timestamp(), false) AS waits
	FROM migrate.backfill_job j
	WHERE (j.state OPERATOR(pg_catalog.<>) ALL (ARRAY['done', 'failed', 'cancelled'])
			OR j.finished_at IS NULL
			OR j.finished_at OPERATOR(pg_catalog.>)
				(pg_catalog.statement_timestamp() OPERATOR(pg_catalog.-) '10 minutes'::interval))
		AND ((SELECT pg_catalog.has_table_privilege('migrate.backfill_job', 'SELECT')
				OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
			OR j.submitted_by OPERATOR(pg_catalog.=) ANY (SELECT o.rolname::text
				FROM pg_catalog.pg_roles o WHERE pg_catalog.pg_has_role(o.oid, 'USAGE'))
			OR j.run_as OPERATOR(pg_catalog.=) ANY (SELECT o.rolname::text
				FROM pg_catalog.pg_roles o WHERE pg_catalog.pg_has_role(o.oid, 'USAGE')))
), held AS MATERIALIZED (
	-- The lock has the lower half of the job's number.
	SELECT j.id, k.objid AS lane, k.pid
	FROM job j
		JOIN pg_catalog.pg_locks k
			ON k.classid OPERATOR(pg_catalog.=) (j.id OPERATOR(pg_catalog.&) 4294967295)::oid
	WHERE k.locktype OPERATOR(pg_catalog.=) 'advisory'
		AND k.objsubid OPERATOR(pg_catalog.=) 20771
		AND k.database OPERATOR(pg_catalog.=) (SELECT h.oid FROM here h)
		AND k.granted
), worker AS (
	SELECT h.id,
		pg_catalog.count(DISTINCT h.pid)::integer AS lanes,
		(pg_catalog.array_agg(h.pid ORDER BY h.lane))[1] AS pid
	FROM held h
	GROUP BY h.id
), every_lane AS MATERIALIZED (
	SELECT l.*,
		h.pid IS NOT NULL
			OR ((SELECT i.standby FROM here i)
				AND l.leaf IS NOT NULL
				AND l.updated_at OPERATOR(pg_catalog.>)
					(pg_catalog.statement_timestamp() OPERATOR(pg_catalog.-) '1 minute'::interval)) AS runs
	FROM migrate.backfill_lane l
		LEFT JOIN held h ON h.id OPERATOR(pg_catalog.=) l.job_id
			AND h.lane OPERATOR(pg_catalog.=) l.lane::oid
	WHERE l.job_id OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT j.id FROM job j))
), lane AS (
	SELECT l.job_id,
		pg_catalog.count(*) FILTER (WHERE l.runs)::integer AS running,
		(pg_catalog.array_agg(l.phase ORDER BY l.lane) FILTER (WHERE l.runs))[1] AS phase,
		pg_catalog.string_agg(DISTINCT NULLIF(l.reason, ''), '; ') FILTER (WHERE l.runs) AS reason,
		pg_catalog.string_agg(DISTINCT NULLIF(l.packing, ''), '; ') FILTER (WHERE l.runs) AS packing,
		pg_catalog.string_agg(DISTINCT NULLIF(l.packing, ''), '; ') AS packing_ever,
		COALESCE(pg_catalog.max(l.batch_rows) FILTER (WHERE l.runs), pg_catalog.max(l.batch_rows)) AS batch_rows,
		pg_catalog.sum(l.rate) FILTER (WHERE l.runs) AS rate,
		pg_catalog.min(l.first_batch_at) AS started_at,
		pg_catalog.sum(l.rows)::bigint AS rows,
		pg_catalog.sum(l.hot_rows)::bigint AS hot_rows,
		pg_catalog.sum(l.bad_rows)::bigint AS bad_rows,
		pg_catalog.sum(l.batches)::bigint AS batches,
		pg_catalog.sum(l.retries)::bigint AS retries,
		pg_catalog.sum(l.wal_bytes)::bigint AS wal_bytes,
		pg_catalog.sum(l.busy_ms) AS busy_ms,
		pg_catalog.sum(l.throttle_ms) AS throttle_ms,
		pg_catalog.sum(l.lock_wait_ms) AS lock_wait_ms
	FROM every_lane l
	GROUP BY l.job_id
), piece AS (
	-- what is done of the pieces that the lanes are in, in a first pass
	SELECT l.job_id, l.leaf,
		pg_catalog.sum(l.piece_units::double precision
			OPERATOR(pg_catalog.*) LEAST(1, GREATEST(0, l.piece_done))) AS units
	FROM every_lane l
	WHERE l.leaf IS NOT NULL
		AND COALESCE(l.pass, 1) OPERATOR(pg_catalog.<=) 1
	GROUP BY l.job_id, l.leaf
), leaf AS (
	-- What is left of a leaf after the first pass is not known, only that there
	-- is something.
	SELECT f.job_id,
		f.rows_estimate,
		GREATEST(f.rows_estimate, 1)::double precision AS weight,
		CASE WHEN f.done THEN 1::double precision
			WHEN f.pass OPERATOR(pg_catalog.>) 1 THEN 0.999::double precision
			ELSE LEAST(0.999::double precision,
				(f.units_done::double precision OPERATOR(pg_catalog.+) COALESCE(p.units, 0))
				OPERATOR(pg_catalog./) GREATEST(1, CASE WHEN j.strategy OPERATOR(pg_catalog.=) 'pages'
					THEN f.blocks ELSE f.rows_estimate END)::double precision)
			END AS fraction
	FROM migrate.backfill_leaf f
		JOIN job j ON j.id OPERATOR(pg_catalog.=) f.job_id
		LEFT JOIN piece p ON p.job_id OPERATOR(pg_catalog.=) f.job_id
			AND p.leaf OPERATOR(pg_catalog.=) f.leaf
	WHERE f.job_id OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT j.id FROM job j))
), part AS (
	SELECT f.job_id,
		pg_catalog.sum(f.rows_estimate)::double precision AS rows,
		pg_catalog.sum(f.weight OPERATOR(pg_catalog.*) f.fraction)
			OPERATOR(pg_catalog./) pg_catalog.sum(f.weight) AS fraction
	FROM leaf f
	GROUP BY f.job_id
), shown AS (
	SELECT j.id, j.name, j.relid, j.relation, l.started_at,
		h.oid AS datid,
		h.datname,
		COALESCE(w.pid, 0) AS pid,
		COALESCE(CASE WHEN h.standby THEN l.running ELSE w.lanes END, 0) AS lanes,
		CASE WHEN j.state OPERATOR(pg_catalog.=) 'running' AND w.lanes IS NULL
				AND NOT j.waits AND NOT h.standby
			THEN 'stalled' ELSE j.state END AS state,
		CASE WHEN l.phase IS NULL AND j.state OPERATOR(pg_catalog.=) 'running' AND j.waits
			THEN 'waiting' ELSE l.phase END AS phase,
		CASE WHEN j.state OPERATOR(pg_catalog.=) 'running' AND h.standby
			THEN 'runs on the primary' END AS elsewhere,
		COALESCE(NULLIF(j.reason, ''), l.reason, j.error,
			CASE WHEN j.state OPERATOR(pg_catalog.=) 'suspended'
				THEN 'it was submitted in another cluster or database'
				WHEN j.state OPERATOR(pg_catalog.=) 'queued' AND w.lanes IS NULL
				THEN 'waits for a worker' END, '') AS reason,
		CASE WHEN j.state OPERATOR(pg_catalog.=) 'done' THEN 1::double precision
			ELSE LEAST(0.9999::double precision, COALESCE(p.fraction, 0)) END AS fraction,
		COALESCE(p.rows, 0) AS rows_estimate,
		COALESCE(l.rows, 0) AS rows,
		pg_catalog.round(LEAST(1e12::double precision, COALESCE(l.rate, 0))::numeric, 1)::double precision AS rate,
		(COALESCE(l.busy_ms, 0) OPERATOR(pg_catalog.+) COALESCE(l.throttle_ms, 0))
			OPERATOR(pg_catalog./) 1000::double precision AS seconds,
		COALESCE(l.batch_rows, j.batch_rows, 0) AS batch_rows,
		COALESCE(l.throttle_ms, 0) AS throttle_ms,
		COALESCE(l.lock_wait_ms, 0) AS lock_wait_ms,
		COALESCE(l.wal_bytes, 0) AS wal_bytes,
		COALESCE(l.bad_rows, 0) AS bad_rows,
		COALESCE(l.hot_rows, 0) AS hot_rows,
		COALESCE(CASE WHEN l.running OPERATOR(pg_catalog.>) 0 THEN l.packing ELSE l.packing_ever END, '') AS packing,
		COALESCE(l.batches, 0) AS batches,
		COALESCE(l.retries, 0) AS retries
	FROM job j
		CROSS JOIN here h
		LEFT JOIN worker w ON w.id OPERATOR(pg_catalog.=) j.id
		LEFT JOIN lane l ON l.job_id OPERATOR(pg_catalog.=) j.id
		LEFT JOIN part p ON p.job_id OPERATOR(pg_catalog.=) j.id
), total AS (
	-- The planner's number of rows that are left, by the share of those before
	-- that had to be changed.  That number may be low, but hardly by half.
	SELECT s.*,
		CASE WHEN s.state OPERATOR(pg_catalog.=) 'done' THEN s.rows
			ELSE s.rows OPERATOR(pg_catalog.+) pg_catalog.round(LEAST(1e18::double precision,
				(1::double precision OPERATOR(pg_catalog.-) s.fraction)
				OPERATOR(pg_catalog.*) s.rows_estimate
				OPERATOR(pg_catalog.*) CASE
					WHEN s.fraction OPERATOR(pg_catalog.>) 0.01::double precision
						AND s.rows_estimate OPERATOR(pg_catalog.>) 0::double precision
					THEN LEAST(2::double precision, s.rows::double precision
						OPERATOR(pg_catalog./) (s.fraction OPERATOR(pg_catalog.*) s.rows_estimate))
					ELSE 1 END))::bigint
			END AS rows_total
	FROM shown s
)
SELECT t.pid,
	t.datid,
	t.datname,
	t.relid,
	'BACKFILL'::text AS command,
	COALESCE(t.phase, t.state) AS phase,
	t.id,
	t.name,
	t.relation,
	t.state,
	CASE WHEN t.state OPERATOR(pg_catalog.=) 'stalled'
		THEN 'no worker: call migrate.resume(), or put pgmigrate into shared_preload_libraries'
		ELSE pg_catalog.concat_ws('; ', t.elsewhere,
			CASE WHEN t.elsewhere IS NULL THEN t.reason ELSE NULLIF(t.reason, '') END)
		END AS reason,
	t.rows_total,
	t.rows AS rows_done,
	pg_catalog.trunc((t.fraction OPERATOR(pg_catalog.*) 100::double precision)::numeric, 2)::numeric(5, 2) AS percent,
	t.rate AS rows_per_second,
	-- At the present rate, which knows of limits that apply now, and not of a
	-- night that it spent waiting.  Where no row has been found lately (few
	-- match the filter), by the time that the lanes took to get this far.
	CASE WHEN t.state OPERATOR(pg_catalog.=) 'done' THEN 0
		WHEN t.state OPERATOR(pg_catalog.<>) 'running' THEN -1
		WHEN t.rate OPERATOR(pg_catalog.>) 0::double precision
		THEN pg_catalog.ceil(LEAST(1e9::double precision,
			(t.rows_total OPERATOR(pg_catalog.-) t.rows)::double precision
				OPERATOR(pg_catalog./) t.rate))::bigint
		WHEN t.fraction OPERATOR(pg_catalog.>) 0.01::double precision
			AND t.lanes OPERATOR(pg_catalog.>) 0
		THEN pg_catalog.ceil(LEAST(1e9::double precision, t.seconds
			OPERATOR(pg_catalog.*) (1::double precision OPERATOR(pg_catalog.-) t.fraction)
			OPERATOR(pg_catalog./) t.fraction
			OPERATOR(pg_catalog./) t.lanes::double precision))::bigint
		ELSE -1
		END AS eta_seconds,
	t.batch_rows,
	t.lanes,
	pg_catalog.round(t.throttle_ms::numeric OPERATOR(pg_catalog./) 1000::numeric, 3)::double precision
		AS throttled_seconds,
	pg_catalog.round(t.lock_wait_ms::numeric OPERATOR(pg_catalog./) 1000::numeric, 3)::double precision
		AS lock_wait_seconds,
	t.wal_bytes,
	t.bad_rows,
	CASE WHEN t.rows OPERATOR(pg_catalog.>) 0
		THEN LEAST(1::double precision, pg_catalog.round(t.hot_rows::numeric
			OPERATOR(pg_catalog./) t.rows::numeric, 4)::double precision)
		ELSE 0
		END AS hot_share,
	t.packing,
	t.batches,
	t.retries,
	t.started_at,
	pg_catalog.rpad(pg_catalog.repeat('#',
		pg_catalog.floor(t.fraction OPERATOR(pg_catalog.*) 20::double precision)::integer), 20, '.') AS bar
FROM total t
ORDER BY t.id;
COMMENT ON VIEW migrate.progress IS 'backfills that have not ended, or have within the last ten minutes: how far, how fast, how long yet';
COMMENT ON COLUMN migrate.progress.pid IS 'process ID of its first lane that runs, 0 if none does here';
COMMENT ON COLUMN migrate.progress.datid IS 'OID of this database';
COMMENT ON COLUMN migrate.progress.datname IS 'name of this database';
COMMENT ON COLUMN migrate.progress.relid IS 'OID of the table';
COMMENT ON COLUMN migrate.progress.command IS 'BACKFILL';
COMMENT ON COLUMN migrate.progress.phase IS 'what that lane does; if none runs, the state, or waiting if none is to run now';
COMMENT ON COLUMN migrate.progress.id IS 'number of the backfill';
COMMENT ON COLUMN migrate.progress.name IS 'its name';
COMMENT ON COLUMN migrate.progress.relation IS 'name of the table when it was submitted';
COMMENT ON COLUMN migrate.progress.state IS 'queued, running, paused, suspended, done, failed, cancelled; or stalled: it should run and no lane does';
COMMENT ON COLUMN migrate.progress.reason IS 'why it is in that state, or why it is slow or waits, in words; empty if there is nothing to say';
COMMENT ON COLUMN migrate.progress.rows_total IS 'rows to be changed: an estimate until it is done';
COMMENT ON COLUMN migrate.progress.rows_done IS 'rows changed';
COMMENT ON COLUMN migrate.progress.percent IS 'share of the work that is done; below 100 until all is';
COMMENT ON COLUMN migrate.progress.rows_per_second IS 'rows per second lately, of all lanes that run';
COMMENT ON COLUMN migrate.progress.eta_seconds IS 'seconds until it is done, at this rate; -1 if not known, or if it does not run';
COMMENT ON COLUMN migrate.progress.batch_rows IS 'rows that a batch is meant to have now';
COMMENT ON COLUMN migrate.progress.lanes IS 'lanes that run; on a standby, lanes that did something within a minute';
COMMENT ON COLUMN migrate.progress.throttled_seconds IS 'seconds that its lanes waited because of limits, added up';
COMMENT ON COLUMN migrate.progress.lock_wait_seconds IS 'seconds of batches that were lost to locks';
COMMENT ON COLUMN migrate.progress.wal_bytes IS 'WAL written, in bytes';
COMMENT ON COLUMN migrate.progress.bad_rows IS 'rows put aside because of an error; see migrate.backfill_error';
COMMENT ON COLUMN migrate.progress.hot_share IS 'share of the changed rows, 0 to 1, whose new version stayed on the page, without new index entries';
COMMENT ON COLUMN migrate.progress.packing IS 'why rows are not updated in place on their pages, in words; empty if they are';
COMMENT ON COLUMN migrate.progress.batches IS 'batches committed';
COMMENT ON COLUMN migrate.progress.retries IS 'batches tried again because of locks, deadlocks or serialization failures';
COMMENT ON COLUMN migrate.progress.started_at IS 'when its first batch was done, or NULL';
COMMENT ON COLUMN migrate.progress.bar IS 'the percentage as a bar of 20 characters';

CREATE VIEW migrate.progress_line WITH (security_barrier) AS
SELECT p.id,
	CASE WHEN pg_catalog.length(named.line) OPERATOR(pg_catalog.<=) 100 THEN named.line
		WHEN pg_catalog.length(bare.line) OPERATOR(pg_catalog.<=) 100 THEN bare.line
		ELSE pg_catalog.concat(pg_catalog."left"(bare.line, 97), '...')
		END AS line
FROM migrate.progress p
	CROSS JOIN LATERAL (
		SELECT pg_catalog.concat('rows ', p.rows_done, '/', p.rows_total, ' ',
			pg_catalog.trunc(p.percent, 1), '%, ',
			CASE WHEN p.state OPERATOR(pg_catalog.=) 'running'
				THEN pg_catalog.concat(pg_catalog.round(p.rows_per_second)::bigint, ' rows/s, eta ',
					CASE WHEN p.eta_seconds OPERATOR(pg_catalog.<) 0 THEN 'unknown'
						WHEN p.eta_seconds OPERATOR(pg_catalog.<) 1000
						THEN pg_catalog.concat(p.eta_seconds, ' s')
						WHEN p.eta_seconds OPERATOR(pg_catalog.<) 60000
						THEN pg_catalog.concat(p.eta_seconds OPERATOR(pg_catalog./) 60, ' min')
						ELSE pg_catalog.concat(p.eta_seconds OPERATOR(pg_catalog./) 3600, ' h')
						END,
					CASE WHEN p.reason OPERATOR(pg_catalog.<>) '' THEN ', ' END)
				ELSE pg_catalog.concat(p.state, CASE WHEN p.reason OPERATOR(pg_catalog.<>) '' THEN ': ' END)
				END,
			pg_catalog.translate(p.reason, E'\n\r\t', '   ')) AS line
	) bare
	CROSS JOIN LATERAL (
		SELECT pg_catalog.concat(pg_catalog.translate(p.name, E'\n\r\t', '   '), ': ', bare.line) AS line
	) named;
COMMENT ON VIEW migrate.progress_line IS 'progress of backfills, in one line of at most 100 characters each';
COMMENT ON COLUMN migrate.progress_line.id IS 'number of the backfill';
COMMENT ON COLUMN migrate.progress_line.line IS 'rows done, percentage, rate, time left and what slows it; with the name where there is room';

-- Lanes are looked up for each job, so that one that is asked for by number or
-- name costs no more than itself; where no total is asked for, not at all.
CREATE VIEW migrate.backfill_history WITH (security_barrier) AS
SELECT j.id,
	j.name,
	j.relation,
	j.command,
	j.state,
	j.reason,
	j.submitted_by,
	j.run_as,
	j.submitted_at,
	lane.started_at,
	j.finished_at,
	CASE WHEN lane.started_at IS NULL THEN 0
		ELSE GREATEST(0::double precision, pg_catalog.date_part('epoch',
			COALESCE(j.finished_at, pg_catalog.statement_timestamp())
				OPERATOR(pg_catalog.-) lane.started_at)
			OPERATOR(pg_catalog.*) 1000::double precision)
		END AS duration_ms,
	j.assign,
	j.filter,
	j.strategy,
	j.strategy_reason,
	j.key_columns,
	pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
		'lanes', j.lanes,
		'batch_rows', j.batch_rows,
		'batch_ms', j.batch_ms,
		'window', j."window",
		'not_before', j.not_before,
		'priority', NULLIF(j.priority, 0),
		'max_bad_rows', j.max_bad_rows,
		'max_lag', j.max_lag,
		'max_wal_rate', j.max_wal_rate,
		'duty', j.duty,
		'hold_when', j.hold_when,
		'vacuum_analyze', NULLIF(j.vacuum_analyze, false))) AS limits,
	lane.lanes,
	lane.rows,
	lane.hot_rows,
	lane.bad_rows,
	lane.batches,
	lane.retries,
	lane.pages,
	lane.wal_bytes,
	lane.wal_fpi,
	lane.busy_ms,
	lane.lock_wait_ms,
	lane.throttle_ms,
	lane.packing,
	lane.crashes,
	j.sqlstate,
	j.error
FROM migrate.backfill_job j
	LEFT JOIN LATERAL (
		SELECT pg_catalog.count(*)::integer AS lanes,
			COALESCE(pg_catalog.sum(l.rows), 0)::bigint AS rows,
			COALESCE(pg_catalog.sum(l.hot_rows), 0)::bigint AS hot_rows,
			COALESCE(pg_catalog.sum(l.bad_rows), 0)::bigint AS bad_rows,
			COALESCE(pg_catalog.sum(l.batches), 0)::bigint AS batches,
			COALESCE(pg_catalog.sum(l.retries), 0)::bigint AS retries,
			COALESCE(pg_catalog.sum(l.pages), 0)::bigint AS pages,
			COALESCE(pg_catalog.sum(l.wal_bytes), 0)::bigint AS wal_bytes,
			COALESCE(pg_catalog.sum(l.wal_fpi), 0)::bigint AS wal_fpi,
			COALESCE(pg_catalog.sum(l.busy_ms), 0) AS busy_ms,
			COALESCE(pg_catalog.sum(l.lock_wait_ms), 0) AS lock_wait_ms,
			COALESCE(pg_catalog.sum(l.throttle_ms), 0) AS throttle_ms,
			COALESCE(pg_catalog.max(l.packing), '') AS packing,
			COALESCE(pg_catalog.max(l.crashes), 0) AS crashes,
			pg_catalog.min(l.first_batch_at) AS started_at
		FROM migrate.backfill_lane l
		WHERE l.job_id OPERATOR(pg_catalog.=) j.id
	) lane ON true
WHERE (SELECT pg_catalog.has_table_privilege('migrate.backfill_job', 'SELECT')
		OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
	OR j.submitted_by OPERATOR(pg_catalog.=) ANY (SELECT o.rolname::text
		FROM pg_catalog.pg_roles o WHERE pg_catalog.pg_has_role(o.oid, 'USAGE'))
	OR j.run_as OPERATOR(pg_catalog.=) ANY (SELECT o.rolname::text
		FROM pg_catalog.pg_roles o WHERE pg_catalog.pg_has_role(o.oid, 'USAGE'));
COMMENT ON VIEW migrate.backfill_history IS 'every backfill: what, who, when, how long, at what cost, and how it ended';
COMMENT ON COLUMN migrate.backfill_history.id IS 'number of the backfill';
COMMENT ON COLUMN migrate.backfill_history.name IS 'its name';
COMMENT ON COLUMN migrate.backfill_history.relation IS 'name of the table when it was submitted';
COMMENT ON COLUMN migrate.backfill_history.command IS 'UPDATE, DELETE, or COPY to another table';
COMMENT ON COLUMN migrate.backfill_history.state IS 'queued, running, paused, suspended, done, failed or cancelled';
COMMENT ON COLUMN migrate.backfill_history.reason IS 'why it is in that state, in words';
COMMENT ON COLUMN migrate.backfill_history.submitted_by IS 'role that submitted it';
COMMENT ON COLUMN migrate.backfill_history.run_as IS 'role that its workers connect as';
COMMENT ON COLUMN migrate.backfill_history.submitted_at IS 'when it was submitted';
COMMENT ON COLUMN migrate.backfill_history.started_at IS 'when its first batch was done, or NULL';
COMMENT ON COLUMN migrate.backfill_history.finished_at IS 'when it ended';
COMMENT ON COLUMN migrate.backfill_history.duration_ms IS 'time from the first batch to the end, or to now, with all pauses';
COMMENT ON COLUMN migrate.backfill_history.assign IS 'SET list, as submitted; NULL for DELETE; the INSERT for COPY';
COMMENT ON COLUMN migrate.backfill_history.filter IS 'condition on the rows, as submitted, or NULL';
COMMENT ON COLUMN migrate.backfill_history.strategy IS 'pages or key';
COMMENT ON COLUMN migrate.backfill_history.strategy_reason IS 'why that strategy';
COMMENT ON COLUMN migrate.backfill_history.key_columns IS 'columns of the key that it goes by, or NULL';
COMMENT ON COLUMN migrate.backfill_history.limits IS 'limits and options that it was given; the settings hold for those that are missing';
COMMENT ON COLUMN migrate.backfill_history.lanes IS 'number of lanes it ever had';
COMMENT ON COLUMN migrate.backfill_history.rows IS 'rows changed';
COMMENT ON COLUMN migrate.backfill_history.hot_rows IS 'rows whose new version stayed on the page, without new index entries';
COMMENT ON COLUMN migrate.backfill_history.bad_rows IS 'rows put aside because of an error';
COMMENT ON COLUMN migrate.backfill_history.batches IS 'batches committed';
COMMENT ON COLUMN migrate.backfill_history.retries IS 'batches tried again because of locks, deadlocks or serialization failures';
COMMENT ON COLUMN migrate.backfill_history.pages IS 'buffers made dirty';
COMMENT ON COLUMN migrate.backfill_history.wal_bytes IS 'WAL written, in bytes';
COMMENT ON COLUMN migrate.backfill_history.wal_fpi IS 'full page images in it';
COMMENT ON COLUMN migrate.backfill_history.busy_ms IS 'time that its lanes spent in batches, added up';
COMMENT ON COLUMN migrate.backfill_history.lock_wait_ms IS 'time of batches that were lost to locks';
COMMENT ON COLUMN migrate.backfill_history.throttle_ms IS 'time that its lanes waited because of limits, added up';
COMMENT ON COLUMN migrate.backfill_history.packing IS 'why rows were not updated in place on their pages, in the words of one lane; empty if they were';
COMMENT ON COLUMN migrate.backfill_history.crashes IS 'starts of a worker since the last batch of its lane that was committed';
COMMENT ON COLUMN migrate.backfill_history.sqlstate IS 'SQLSTATE of the error that stopped it';
COMMENT ON COLUMN migrate.backfill_history.error IS 'message of that error';

CREATE VIEW migrate.backfill_error WITH (security_barrier) AS
SELECT b.job_id,
	h.name,
	b.relid,
	b.relation,
	b.row_ctid,
	b.row_xmin,
	b.row_key,
	b.sqlstate,
	b.message,
	b.detail,
	b.at
FROM migrate.backfill_history h
	JOIN migrate.backfill_bad_row b ON b.job_id OPERATOR(pg_catalog.=) h.id;
COMMENT ON VIEW migrate.backfill_error IS 'rows that backfills put aside because of an error';
COMMENT ON COLUMN migrate.backfill_error.job_id IS 'number of the backfill';
COMMENT ON COLUMN migrate.backfill_error.name IS 'its name';
COMMENT ON COLUMN migrate.backfill_error.relid IS 'OID of the table';
COMMENT ON COLUMN migrate.backfill_error.relation IS 'name of the table';
COMMENT ON COLUMN migrate.backfill_error.row_ctid IS 'place of the row in the table';
COMMENT ON COLUMN migrate.backfill_error.row_xmin IS 'xmin of the row version; another one at the place is another row';
COMMENT ON COLUMN migrate.backfill_error.row_key IS 'key of the row, as JSON, or NULL if the table has none';
COMMENT ON COLUMN migrate.backfill_error.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN migrate.backfill_error.message IS 'message of the error';
COMMENT ON COLUMN migrate.backfill_error.detail IS 'its detail, or NULL';
COMMENT ON COLUMN migrate.backfill_error.at IS 'when it happened';

CREATE VIEW migrate.backfill_sample WITH (security_barrier) AS
SELECT m.job_id,
	h.name,
	m.at,
	m.rows,
	m.rate AS rows_per_second,
	m.batches,
	m.p50_ms,
	m.p90_ms,
	m.p99_ms,
	m.wal_bytes,
	m.lag AS lag_seconds
FROM migrate.backfill_history h
	JOIN migrate.backfill_minute m ON m.job_id OPERATOR(pg_catalog.=) h.id;
COMMENT ON VIEW migrate.backfill_sample IS 'one row a minute for each backfill that ran; the oldest ones go by themselves';
COMMENT ON COLUMN migrate.backfill_sample.job_id IS 'number of the backfill';
COMMENT ON COLUMN migrate.backfill_sample.name IS 'its name';
COMMENT ON COLUMN migrate.backfill_sample.at IS 'end of the minute';
COMMENT ON COLUMN migrate.backfill_sample.rows IS 'rows changed until then';
COMMENT ON COLUMN migrate.backfill_sample.rows_per_second IS 'rows per second since the row before';
COMMENT ON COLUMN migrate.backfill_sample.batches IS 'batches of the lane that wrote it, in that time';
COMMENT ON COLUMN migrate.backfill_sample.p50_ms IS 'median of the time of these batches';
COMMENT ON COLUMN migrate.backfill_sample.p90_ms IS '90th percentile of it';
COMMENT ON COLUMN migrate.backfill_sample.p99_ms IS '99th percentile of it';
COMMENT ON COLUMN migrate.backfill_sample.wal_bytes IS 'WAL written until then, in bytes';
COMMENT ON COLUMN migrate.backfill_sample.lag_seconds IS 'seconds that the standby furthest behind was behind';

GRANT SELECT ON migrate.progress, migrate.progress_line, migrate.backfill_history,
	migrate.backfill_error, migrate.backfill_sample TO PUBLIC;
