-- Functions about columns that are kept in step; see api.sql for what all have in common.

CREATE FUNCTION migrate.sync()
RETURNS trigger
AS 'MODULE_PATHNAME', 'pgmigrate_sync'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.sync() IS 'keeps columns of a row in step; migrate.sync_begin() makes the trigger';

CREATE FUNCTION migrate.sync_begin(relation regclass, source text[], target name, up text,
	down text DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_sync_begin'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.sync_begin(regclass, text[], name, text, text) IS
'keep a new column of a table in step with old ones from now on; returns the number of the pair';

CREATE FUNCTION migrate.sync_end(relation regclass, target name)
RETURNS boolean
AS 'MODULE_PATHNAME', 'pgmigrate_sync_end'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.sync_end(regclass, name) IS
'do not keep a column in step any more; returns whether it was';
