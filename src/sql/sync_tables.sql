-- Tables of columns that are kept in step.  A pair is an old side (the columns of
-- "source") and a new side (the column "target") of a table; all pairs of a table
-- have the number "sync", which its trigger has as argument.  So the pairs are
-- found from the trigger, wherever dump and restore have brought the table.

CREATE TABLE migrate.sync_pair (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	sync bigint NOT NULL,
	relid oid NOT NULL,
	relation text NOT NULL,
	source text[] NOT NULL,
	target text NOT NULL,
	up text NOT NULL,
	down text,
	settings text[] NOT NULL,
	created_by text NOT NULL,
	created_by_oid oid NOT NULL,
	created_in bigint NOT NULL,
	database oid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	job_id bigint,
	becomes text,
	UNIQUE (sync, target)
);
COMMENT ON TABLE migrate.sync_pair IS 'old columns and the new one that is kept in step with them';
COMMENT ON COLUMN migrate.sync_pair.id IS 'number of the pair';
COMMENT ON COLUMN migrate.sync_pair.sync IS 'number that all pairs of a table have, the argument of its trigger';
COMMENT ON COLUMN migrate.sync_pair.relid IS 'OID of the table';
COMMENT ON COLUMN migrate.sync_pair.relation IS 'name of the table when the pair was made';
COMMENT ON COLUMN migrate.sync_pair.source IS 'the old columns';
COMMENT ON COLUMN migrate.sync_pair.target IS 'the new column';
COMMENT ON COLUMN migrate.sync_pair.up IS 'expression of the new column by the others';
COMMENT ON COLUMN migrate.sync_pair.down IS 'expression of the old column by the others, or NULL';
COMMENT ON COLUMN migrate.sync_pair.settings IS 'settings under which the expressions are evaluated: names and values in turn';
COMMENT ON COLUMN migrate.sync_pair.created_by IS 'role that made the pair';
COMMENT ON COLUMN migrate.sync_pair.created_by_oid IS 'OID of that role';
COMMENT ON COLUMN migrate.sync_pair.created_in IS 'system identifier of the cluster in which it was made';
COMMENT ON COLUMN migrate.sync_pair.database IS 'OID of the database in which it was made';
COMMENT ON COLUMN migrate.sync_pair.created_at IS 'when it was made';
COMMENT ON COLUMN migrate.sync_pair.job_id IS 'number of the backfill that fills the new column, or NULL';
COMMENT ON COLUMN migrate.sync_pair.becomes IS 'name that the new column has in views of the new shape, or NULL: its own';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.sync_pair
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
ALTER TABLE migrate.sync_pair ENABLE ALWAYS TRIGGER guard;

SELECT pg_catalog.pg_extension_config_dump('migrate.sync_pair', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.sync_pair_id_seq', '');

-- Who wrote which side of a pair lately: a row a minute at most for each user and
-- application.  Nobody waits for a row of it, since rows are only added; old ones
-- are deleted where nobody has them locked.
CREATE TABLE migrate.sync_use (
	pair_id bigint NOT NULL,
	side text NOT NULL CHECK (side IN ('old', 'new')),
	at timestamptz NOT NULL,
	username text NOT NULL,
	application_name text NOT NULL
);
CREATE INDEX sync_use_idx ON migrate.sync_use (pair_id, side, at);
COMMENT ON TABLE migrate.sync_use IS 'who wrote the sides of pairs of columns, to the minute';
COMMENT ON COLUMN migrate.sync_use.pair_id IS 'number of the pair';
COMMENT ON COLUMN migrate.sync_use.side IS 'old or new';
COMMENT ON COLUMN migrate.sync_use.at IS 'when a statement that wrote it began';
COMMENT ON COLUMN migrate.sync_use.username IS 'session user';
COMMENT ON COLUMN migrate.sync_use.application_name IS 'application_name of the session';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.sync_use
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
ALTER TABLE migrate.sync_use ENABLE ALWAYS TRIGGER guard;

SELECT pg_catalog.pg_extension_config_dump('migrate.sync_use', '');

-- Schemas of views that show tables in the shape that they have before or after
-- their expansions.  What belongs to a version is what is in its schema.
CREATE TABLE migrate.schema_version (
	name text PRIMARY KEY,
	shape text NOT NULL CHECK (shape IN ('old', 'new')),
	relations text[] NOT NULL,
	syncs bigint[] NOT NULL,
	created_by text NOT NULL,
	created_by_oid oid NOT NULL,
	created_in bigint NOT NULL,
	database oid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE migrate.schema_version IS 'schemas of views that show tables in their old or new shape';
COMMENT ON COLUMN migrate.schema_version.name IS 'name of the schema';
COMMENT ON COLUMN migrate.schema_version.shape IS 'old or new';
COMMENT ON COLUMN migrate.schema_version.relations IS 'names of the tables when the version was made';
COMMENT ON COLUMN migrate.schema_version.syncs IS 'numbers of the pairs of these tables, as in sync_pair';
COMMENT ON COLUMN migrate.schema_version.created_by IS 'role that made the version';
COMMENT ON COLUMN migrate.schema_version.created_by_oid IS 'OID of that role';
COMMENT ON COLUMN migrate.schema_version.created_in IS 'system identifier of the cluster in which it was made';
COMMENT ON COLUMN migrate.schema_version.database IS 'OID of the database in which it was made';
COMMENT ON COLUMN migrate.schema_version.created_at IS 'when it was made';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.schema_version
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
ALTER TABLE migrate.schema_version ENABLE ALWAYS TRIGGER guard;

SELECT pg_catalog.pg_extension_config_dump('migrate.schema_version', '');
