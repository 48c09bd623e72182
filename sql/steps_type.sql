-- migrate.steps() for columns whose type changes, and migrate.swap_column()
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION pgmigrate;
CREATE SCHEMA app;
SET search_path = app, public;
CREATE FUNCTION app.as_int(t text) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT t::int';
CREATE TABLE users (id int PRIMARY KEY, email varchar(40), age text DEFAULT '0', team int NOT NULL CHECK (team > 0), at timestamptz);
CREATE INDEX users_age_idx ON users (age DESC, lower(email)) INCLUDE (team) WITH (fillfactor = 70) WHERE age <> '';
CREATE TABLE orders (id int, user_id int REFERENCES users ON DELETE CASCADE);
INSERT INTO users SELECT g, 'x' || g, g, 1 + g % 3 FROM generate_series(1, 2000) g;
INSERT INTO orders SELECT g, g FROM generate_series(1, 100) g;
-- Without what newer servers do in fewer steps.
CREATE FUNCTION steps(script text) RETURNS TABLE (step int, kind text, relation text, lock text, hold text, sql text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.register('m', script);
	RETURN QUERY SELECT dense_rank() OVER (ORDER BY s.statement, s.step)::int, s.kind, s.relation, s.lock, s.hold, s.sql FROM migrate.steps('m') s WHERE s.sql !~ '_not_null';
	PERFORM migrate.unregister('m');
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
-- a key, with what refers to it
SELECT * FROM steps('ALTER TABLE users ALTER id TYPE bigint');
-- names in the expression are qualified; the index is the server's own text of it
CREATE INDEX users_age_like ON users (age text_pattern_ops);
SELECT * FROM steps('ALTER TABLE ONLY app.users ALTER COLUMN age SET DATA TYPE varchar(5) COLLATE "C" USING (as_int(users.age) + team)::text');
DROP INDEX users_age_like;
DROP INDEX users_age_idx;
-- an expression that is not immutable
SELECT sql FROM steps('ALTER TABLE users ALTER at TYPE text') WHERE kind = 'BACKFILL' OR sql ~ 'sync';
-- what is read and built of it, and why
SELECT migrate.register('m', 'ALTER TABLE users ALTER team TYPE bigint');
SELECT count(*) FILTER (WHERE hold = 'scan') AS scans, bool_and(lock = 'ShareUpdateExclusiveLock') FILTER (WHERE hold = 'scan') AS weakly, bool_and(why IS NOT NULL) AS says_why FROM migrate.steps('m');
SELECT why FROM migrate.steps('m') WHERE sql ~ 'sync_begin|swap|ADD COLUMN';
SELECT migrate.unregister('m');
-- several commands: what is dropped comes before, all else after
SELECT kind, sql FROM steps('ALTER TABLE users ADD x int, ALTER age DROP DEFAULT, ALTER team SET DEFAULT 4, ALTER age TYPE int USING age::int, ADD CHECK (age > 0), ALTER email TYPE varchar(50), ALTER at TYPE text') WHERE kind <> 'ANALYZE';
-- no rewrite, but an index built anew
CREATE INDEX users_email_idx ON users (email);
SELECT kind, sql FROM steps('ALTER TABLE users ALTER email TYPE varchar(40) COLLATE "C"; ALTER TABLE users ALTER email TYPE varchar(50)');
DROP INDEX users_email_idx;
-- nothing to do: no rewrite, or the server refuses
SELECT sql FROM steps('ALTER TABLE users ALTER email TYPE text; ALTER TABLE users ALTER age TYPE int; ALTER TABLE users ALTER gone TYPE int; ALTER TABLE users ALTER age TYPE int USING gone(age)');
-- partitions: one trigger, indexes of each leaf, keys when they are swapped
CREATE TABLE part (id int NOT NULL, c text, at int) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2) PARTITION BY LIST (at);
CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES IN (1);
CREATE INDEX ON part (c);
ALTER TABLE part ADD PRIMARY KEY (id, at, c), ADD CHECK (c <> '');
ALTER TABLE part_1 ADD CHECK (c <> 'x');
SELECT step, relation, lock, hold, sql FROM steps('ALTER TABLE part ALTER c TYPE varchar(9)');
-- what is in the way
CREATE VIEW ages AS SELECT age FROM users;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE FUNCTION why(script text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.register('m', script);
	RETURN QUERY SELECT DISTINCT s.hold || ': ' || s.why FROM migrate.steps('m') s WHERE s.sql = script;
	PERFORM migrate.unregister('m');
END $$;
SELECT why('ALTER TABLE users ALTER age TYPE int USING age::int');
SELECT why('ALTER TABLE users ALTER team TYPE positive');
SELECT why('ALTER TABLE users ALTER team TYPE bigint USING random()');
SELECT why('ALTER TABLE users DROP at, ALTER team TYPE bigint');
SELECT why('ALTER TABLE users ALTER id TYPE text');
SELECT why('ALTER TABLE part ALTER id TYPE bigint');
DROP VIEW ages;
-- a swap without what it needs
CREATE ROLE regress_type_other;
GRANT USAGE ON SCHEMA migrate, app TO regress_type_other;
GRANT EXECUTE ON FUNCTION migrate.swap_column(regclass, name, name) TO regress_type_other;
ALTER TABLE users ADD COLUMN age_pgmigrate int;
SET ROLE regress_type_other;
SELECT migrate.swap_column('users', 'age', 'age_pgmigrate');
RESET ROLE;
SELECT migrate.swap_column('users', 'gone', 'age_pgmigrate');
SELECT migrate.swap_column('users', 'age', 'ctid');
SELECT migrate.swap_column('users', NULL, 'age_pgmigrate');
SELECT migrate.swap_column(0, 'age', 'age_pgmigrate');
SELECT migrate.swap_column('users_pkey', 'age', 'age_pgmigrate');
SELECT migrate.swap_column('users', 'team', 'age_pgmigrate');
\set VERBOSITY default
CREATE VIEW ages AS SELECT age FROM users;
SELECT migrate.swap_column('users', 'age', 'age_pgmigrate');
DROP VIEW ages;
CREATE INDEX users_age_idx ON users (age);
SELECT migrate.swap_column('users', 'age', 'age_pgmigrate');
DROP INDEX users_age_idx;
SELECT migrate.backfill('users', 'age_pgmigrate = age::int', "window" => '00:00-00:01 sun', name => 'fill', not_before => 'infinity') > 0;
SELECT migrate.swap_column('users', 'age', 'age_pgmigrate');
SELECT migrate.cancel('fill');
SELECT migrate.swap_column('users', 'age', 'age_pgmigrate');
\set VERBOSITY terse
ALTER TABLE users DROP COLUMN age_pgmigrate;
-- the steps have the outcome of the statements
CREATE FUNCTION shape() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated FROM pg_constraint WHERE connamespace = 'app'::regnamespace
	UNION ALL SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = 'app'::regnamespace
	UNION ALL SELECT attrelid::regclass || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || coalesce(' ' || pg_get_expr(adbin, adrelid), '') || coalesce(' ' || attacl::text, '')
		FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
	UNION ALL SELECT to_jsonb(users)::text FROM users ORDER BY 1 $$;
GRANT SELECT (id, team) ON users TO regress_type_other;
SELECT migrate.register('same', $$
ALTER TABLE users ALTER id TYPE bigint;
ALTER TABLE users ALTER age DROP DEFAULT, ALTER age TYPE int USING age::int, ALTER age SET DEFAULT 18, ALTER team TYPE bigint, ADD UNIQUE (age, team);
$$);
BEGIN;
SELECT migrate.apply('same');
SELECT string_agg(s, E'\n') AS expected FROM shape() s \gset
ROLLBACK;
\o /dev/null
\set ECHO none
SELECT sql, 'CALL migrate.wait(' || substring(sql FROM 'migrate.backfill.* name => (.*)\)$') || ')' FROM (SELECT DISTINCT statement, step, sql FROM migrate.steps('same')) s ORDER BY statement, step \gexec
\set ECHO all
\o
SELECT string_agg(s, E'\n') = :'expected' AS same FROM shape() s;
SELECT count(*) FROM pg_class WHERE relname ~ 'pgmigrate' AND relnamespace = 'app'::regnamespace;
DROP EXTENSION pgmigrate CASCADE;
DROP SCHEMA app CASCADE;
DROP ROLE regress_type_other;
