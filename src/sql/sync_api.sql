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

CREATE FUNCTION migrate.expand_column(relation regclass, new_column name, type text, up text,
	down text DEFAULT NULL, source text[] DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_expand_column'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.expand_column(regclass, name, text, text, text, text[]) IS
'add a column that is made of others and kept in step with them; returns the backfill that fills it';

CREATE FUNCTION migrate.expand_rename(relation regclass, old_column name, new_column name)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_expand_rename'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.expand_rename(regclass, name, name) IS
'add a column that is another by a new name, until the old one is dropped by contract()';

CREATE FUNCTION migrate.expand_type(relation regclass, column_name name, type text,
	up text DEFAULT NULL, down text DEFAULT NULL, new_column name DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_expand_type'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.expand_type(regclass, name, text, text, text, name) IS
'add a column that is another by a new type, until the old one is dropped by contract()';

CREATE FUNCTION migrate.verify_expansion(relation regclass, new_column name,
	max_rows integer DEFAULT 100, from_page bigint DEFAULT 0, to_page bigint DEFAULT NULL,
	OUT row_key text, OUT old_value text, OUT new_value text, OUT up_value text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_verify_expansion'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.verify_expansion(regclass, name, integer, bigint, bigint) IS
'rows in which the two sides of an expansion do not fit';

CREATE FUNCTION migrate.contract(relation regclass, old_column name, force boolean DEFAULT false,
	rename boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_contract'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.contract(regclass, name, boolean, boolean) IS
'end an expansion: drop the old column, if nobody writes it any more and all rows are in step';

CREATE FUNCTION migrate.abandon(relation regclass, new_column name)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_abandon'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.abandon(regclass, name) IS
'go back from an expansion: cancel its backfill and drop the new column';

CREATE FUNCTION migrate.expand_version(version name, relations regclass[] DEFAULT NULL,
	schema name DEFAULT 'public', shape text DEFAULT 'new', show text[] DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_expand_version'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.expand_version(name, regclass[], name, text, text[]) IS
'make a schema of views that show tables in the shape that they have after, or before, their expansions';

CREATE FUNCTION migrate.drop_version(version name)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_drop_version'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.drop_version(name) IS
'drop a schema of views that expand_version() made';
