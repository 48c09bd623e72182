-- Views of columns that are kept in step.

-- A plain user sees the pairs that the roles it belongs to have made.  Those of a
-- table that was dropped are not shown; a table that dump and restore have brought
-- here is known by its trigger.
CREATE VIEW migrate.expansion WITH (security_barrier) AS
SELECT p.id,
	p.relation,
	p.source,
	p.target,
	p.up,
	p.down,
	p.created_by,
	p.created_at,
	p.job_id,
	COALESCE(j.state, '') AS fill,
	o.at AS old_written_at,
	o.username AS old_written_by,
	o.application_name AS old_written_from,
	n.at AS new_written_at,
	n.username AS new_written_by,
	n.application_name AS new_written_from
FROM migrate.sync_pair p
	LEFT JOIN migrate.backfill_job j ON j.id OPERATOR(pg_catalog.=) p.job_id
	LEFT JOIN LATERAL (SELECT u.at, u.username, u.application_name FROM migrate.sync_use u
		WHERE u.pair_id OPERATOR(pg_catalog.=) p.id AND u.side OPERATOR(pg_catalog.=) 'old'
		ORDER BY u.at DESC LIMIT 1) o ON true
	LEFT JOIN LATERAL (SELECT u.at, u.username, u.application_name FROM migrate.sync_use u
		WHERE u.pair_id OPERATOR(pg_catalog.=) p.id AND u.side OPERATOR(pg_catalog.=) 'new'
		ORDER BY u.at DESC LIMIT 1) n ON true
WHERE ((SELECT pg_catalog.has_table_privilege('migrate.sync_pair', 'SELECT')
		OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
	OR p.created_by OPERATOR(pg_catalog.=) ANY (SELECT o.rolname::text
		FROM pg_catalog.pg_roles o WHERE pg_catalog.pg_has_role(o.oid, 'USAGE')))
	AND (EXISTS (SELECT FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.database
		WHERE c.oid OPERATOR(pg_catalog.=) p.relid
			AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
	OR p.sync::text OPERATOR(pg_catalog.=) ANY (SELECT
		pg_catalog.split_part(pg_catalog.encode(t.tgargs, 'escape'), E'\\', 1)
		FROM pg_catalog.pg_trigger t WHERE t.tgname OPERATOR(pg_catalog.=) 'zzz_pgmigrate_sync'));
COMMENT ON VIEW migrate.expansion IS 'columns that are kept in step: how they are made, whether the rows are filled, who wrote them last';
COMMENT ON COLUMN migrate.expansion.id IS 'number of the pair';
COMMENT ON COLUMN migrate.expansion.relation IS 'name of the table when the pair was made';
COMMENT ON COLUMN migrate.expansion.source IS 'the old columns';
COMMENT ON COLUMN migrate.expansion.target IS 'the new column';
COMMENT ON COLUMN migrate.expansion.up IS 'expression of the new column by the others';
COMMENT ON COLUMN migrate.expansion.down IS 'expression of the old column by the others, or NULL';
COMMENT ON COLUMN migrate.expansion.created_by IS 'role that made the pair';
COMMENT ON COLUMN migrate.expansion.created_at IS 'when it was made';
COMMENT ON COLUMN migrate.expansion.job_id IS 'number of the backfill that fills the new column, or NULL';
COMMENT ON COLUMN migrate.expansion.fill IS 'state of that backfill, empty if there is none';
COMMENT ON COLUMN migrate.expansion.old_written_at IS 'when the old side was last written, to the minute, or NULL';
COMMENT ON COLUMN migrate.expansion.old_written_by IS 'session user that did so';
COMMENT ON COLUMN migrate.expansion.old_written_from IS 'application_name of that session';
COMMENT ON COLUMN migrate.expansion.new_written_at IS 'when the new side was last written, to the minute, or NULL';
COMMENT ON COLUMN migrate.expansion.new_written_by IS 'session user that did so';
COMMENT ON COLUMN migrate.expansion.new_written_from IS 'application_name of that session';
GRANT SELECT ON migrate.expansion TO PUBLIC;

-- A plain user sees the versions that the roles it belongs to have made.
CREATE VIEW migrate.version WITH (security_barrier) AS
SELECT v.name,
	v.shape,
	v.relations,
	v.created_by,
	v.created_at,
	w.at AS written_at,
	w.username AS written_by,
	w.application_name AS written_from
FROM migrate.schema_version v
	LEFT JOIN LATERAL (SELECT u.at, u.username, u.application_name
		FROM migrate.sync_pair p JOIN migrate.sync_use u ON u.pair_id OPERATOR(pg_catalog.=) p.id
		WHERE p.sync OPERATOR(pg_catalog.=) ANY (v.syncs) AND u.side OPERATOR(pg_catalog.=) v.shape
		ORDER BY u.at DESC LIMIT 1) w ON true
WHERE ((SELECT pg_catalog.has_table_privilege('migrate.schema_version', 'SELECT')
		OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
	OR v.created_by OPERATOR(pg_catalog.=) ANY (SELECT o.rolname::text
		FROM pg_catalog.pg_roles o WHERE pg_catalog.pg_has_role(o.oid, 'USAGE')))
	AND EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname::text OPERATOR(pg_catalog.=) v.name);
COMMENT ON VIEW migrate.version IS 'schemas of views that show tables in their old or new shape, and who wrote that side last';
COMMENT ON COLUMN migrate.version.name IS 'name of the schema';
COMMENT ON COLUMN migrate.version.shape IS 'old or new';
COMMENT ON COLUMN migrate.version.relations IS 'names of the tables when the version was made';
COMMENT ON COLUMN migrate.version.created_by IS 'role that made the version';
COMMENT ON COLUMN migrate.version.created_at IS 'when it was made';
COMMENT ON COLUMN migrate.version.written_at IS 'when a column of that side of its tables was last written, to the minute, or NULL';
COMMENT ON COLUMN migrate.version.written_by IS 'session user that did so';
COMMENT ON COLUMN migrate.version.written_from IS 'application_name of that session';
GRANT SELECT ON migrate.version TO PUBLIC;
