-- Tables that stand in for others: a trigger of the old table carries each write
-- over to the new one.  Its argument is the number of the pair, so a pair is found
-- wherever dump and restore have brought the table.

CREATE TABLE migrate.table_pair (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	relid oid NOT NULL,
	relation text NOT NULL,
	new_relid oid NOT NULL,
	new_relation text NOT NULL,
	old_columns text[] NOT NULL,
	key text[] NOT NULL,
	new_key text[] NOT NULL,
	columns text[] NOT NULL,
	expressions text[] NOT NULL,
	settings text[] NOT NULL,
	created_by text NOT NULL,
	created_by_oid oid NOT NULL,
	created_in bigint NOT NULL,
	database oid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	job_id bigint
);
COMMENT ON TABLE migrate.table_pair IS 'tables, and those that are to take their places';
COMMENT ON COLUMN migrate.table_pair.id IS 'number of the pair, the argument of its trigger';
COMMENT ON COLUMN migrate.table_pair.relid IS 'OID of the old table';
COMMENT ON COLUMN migrate.table_pair.relation IS 'name of the old table when the pair was made';
COMMENT ON COLUMN migrate.table_pair.new_relid IS 'OID of the new table';
COMMENT ON COLUMN migrate.table_pair.new_relation IS 'name of the new table when the pair was made';
COMMENT ON COLUMN migrate.table_pair.old_columns IS 'columns that the old table had when the pair was made';
COMMENT ON COLUMN migrate.table_pair.key IS 'key of the old table';
COMMENT ON COLUMN migrate.table_pair.new_key IS 'unique key of the new table by which its rows are found';
COMMENT ON COLUMN migrate.table_pair.columns IS 'columns of the new table that are carried over';
COMMENT ON COLUMN migrate.table_pair.expressions IS 'what each of them is made of';
COMMENT ON COLUMN migrate.table_pair.settings IS 'settings under which the expressions are evaluated: names and values in turn';
COMMENT ON COLUMN migrate.table_pair.created_by IS 'role that made the pair';
COMMENT ON COLUMN migrate.table_pair.created_by_oid IS 'OID of that role';
COMMENT ON COLUMN migrate.table_pair.created_in IS 'system identifier of the cluster in which it was made';
COMMENT ON COLUMN migrate.table_pair.database IS 'OID of the database in which it was made';
COMMENT ON COLUMN migrate.table_pair.created_at IS 'when it was made';
COMMENT ON COLUMN migrate.table_pair.job_id IS 'number of the backfill that copies the rows, or NULL';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.table_pair
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
ALTER TABLE migrate.table_pair ENABLE ALWAYS TRIGGER guard;

SELECT pg_catalog.pg_extension_config_dump('migrate.table_pair', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.table_pair_id_seq', '');

-- A plain user sees the pairs that the roles it belongs to have made.  One whose old
-- table was dropped is not shown; a table that dump and restore have brought here is
-- known by its trigger.
CREATE VIEW migrate.table_expansion WITH (security_barrier) AS
SELECT p.id,
	p.relation,
	p.new_relation,
	p.key,
	p.new_key,
	p.columns,
	p.expressions,
	p.created_by,
	p.created_at,
	p.job_id,
	COALESCE(j.state, '') AS fill
FROM migrate.table_pair p
	LEFT JOIN migrate.backfill_job j ON j.id OPERATOR(pg_catalog.=) p.job_id
WHERE ((SELECT pg_catalog.has_table_privilege('migrate.table_pair', 'SELECT')
		OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'))
	OR p.created_by OPERATOR(pg_catalog.=) ANY (SELECT o.rolname::text
		FROM pg_catalog.pg_roles o WHERE pg_catalog.pg_has_role(o.oid, 'USAGE')))
	AND (EXISTS (SELECT FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.database
		WHERE c.oid OPERATOR(pg_catalog.=) p.relid
			AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
	OR p.id::text OPERATOR(pg_catalog.=) ANY (SELECT
		pg_catalog.split_part(pg_catalog.encode(t.tgargs, 'escape'), E'\\', 1)
		FROM pg_catalog.pg_trigger t WHERE t.tgname OPERATOR(pg_catalog.=) 'zzz_pgmigrate_carry'));
COMMENT ON VIEW migrate.table_expansion IS 'tables, and those that are to take their places: how rows are made, and whether they are all there';
COMMENT ON COLUMN migrate.table_expansion.id IS 'number of the pair';
COMMENT ON COLUMN migrate.table_expansion.relation IS 'name of the old table when the pair was made';
COMMENT ON COLUMN migrate.table_expansion.new_relation IS 'name of the new table when the pair was made';
COMMENT ON COLUMN migrate.table_expansion.key IS 'key of the old table';
COMMENT ON COLUMN migrate.table_expansion.new_key IS 'unique key of the new table by which its rows are found';
COMMENT ON COLUMN migrate.table_expansion.columns IS 'columns of the new table that are carried over';
COMMENT ON COLUMN migrate.table_expansion.expressions IS 'what each of them is made of';
COMMENT ON COLUMN migrate.table_expansion.created_by IS 'role that made the pair';
COMMENT ON COLUMN migrate.table_expansion.created_at IS 'when it was made';
COMMENT ON COLUMN migrate.table_expansion.job_id IS 'number of the backfill that copies the rows, or NULL';
COMMENT ON COLUMN migrate.table_expansion.fill IS 'state of that backfill, empty if there is none';
GRANT SELECT ON migrate.table_expansion TO PUBLIC;

CREATE FUNCTION migrate.carry()
RETURNS trigger
AS 'MODULE_PATHNAME', 'pgmigrate_carry'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.carry() IS 'carries writes of a table over to the one that is to take its place; migrate.expand_table() makes the triggers';

CREATE FUNCTION migrate.expand_table(relation regclass, new_relation regclass,
	columns jsonb DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_expand_table'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.expand_table(regclass, regclass, jsonb) IS
'carry all rows and writes of a table over to a new one; returns the backfill that copies the rows';

CREATE FUNCTION migrate.verify_expansion(relation regclass, max_rows integer DEFAULT 100,
	OUT row_key text, OUT old_row text, OUT new_row text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_verify_table'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.verify_expansion(regclass, integer) IS
'rows of a table that are missing, or others, in the one that is to take its place, or there only';

CREATE FUNCTION migrate.contract(relation regclass, force boolean DEFAULT false,
	keep name DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_contract_table'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.contract(regclass, boolean, name) IS
'put the new table in the place of the old one, which is kept under another name';

CREATE FUNCTION migrate.abandon(relation regclass)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_abandon_table'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.abandon(regclass) IS
'go back from expand_table(): nothing is carried over any more; the new table stays as it is';
