-- pgmigrate: schema changes as migrations, kept and carried out by the server.
--
-- The install script is the concatenation of the fragments in src/sql, in the
-- order the Makefile lists.  Plain CREATE only: nothing that was there before
-- is ever adopted.  Every name is qualified.
\echo Use "CREATE EXTENSION pgmigrate" to load this file. \quit

-- The control file names pg_catalog as the schema, so that this one belongs to
-- the extension: it goes with it, and one that somebody squatted makes
-- CREATE EXTENSION fail.
CREATE SCHEMA migrate;
COMMENT ON SCHEMA migrate IS 'migrations of this database, their history, and the functions that run them';
GRANT USAGE ON SCHEMA migrate TO PUBLIC;
