-- migrate.steps(): order, names, what cannot be taken apart, and why
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION pgmigrate;
CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, age int NOT NULL, at timestamptz);
CREATE TABLE orders (id bigint NOT NULL, user_id bigint, code text NOT NULL, total numeric, during int4range);
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);
INSERT INTO users SELECT g, 'x' || g, g FROM generate_series(1, 20000) g;
INSERT INTO orders SELECT g, g, 'c', g FROM generate_series(1, 20000) g;
INSERT INTO tree SELECT g FROM generate_series(1, 20000) g;
ANALYZE users, orders, tree;
CREATE FUNCTION steps(script text) RETURNS TABLE (statement int, lock text, hold text, sql text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.register('m', script);
	RETURN QUERY SELECT DISTINCT ON (s.statement, s.step) s.statement, s.lock, s.hold, s.sql FROM migrate.steps('m') s;
	PERFORM migrate.unregister('m');
END $$;
CREATE FUNCTION why(script text) RETURNS TABLE (statement int, hold text, why text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.register('m', script);
	RETURN QUERY SELECT DISTINCT ON (s.statement, s.step) s.statement, s.hold, s.why FROM migrate.steps('m') s;
	PERFORM migrate.unregister('m');
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
-- commands are taken in the server's order, whatever is written first
SELECT * FROM steps('ALTER TABLE orders CLUSTER ON k, ADD FOREIGN KEY (user_id) REFERENCES orders (id), VALIDATE CONSTRAINT c, ADD CONSTRAINT k UNIQUE (id), ADD CONSTRAINT c CHECK (total > 0) NOT VALID, ADD COLUMN note text, DROP COLUMN code');
SELECT * FROM steps('ALTER TABLE orders ADD COLUMN up bigint REFERENCES orders (id), ADD PRIMARY KEY (id)');
SELECT * FROM steps('ALTER TABLE orders ADD COLUMN up bigint CHECK (up > 0) REFERENCES orders (id), ADD PRIMARY KEY (id)') WHERE sql !~ 'not_null|SET NOT NULL';
-- a key in the place of another: the table is never without
SELECT * FROM steps('ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (id, email)');
-- names: in the order in which the server would choose them
SELECT * FROM steps('ALTER TABLE orders ADD CHECK (total < 9), ADD CHECK (total > 0) NOT VALID, ADD COLUMN n int CHECK (n > 0), ADD CHECK (n < 9), ADD CHECK (orders IS NOT NULL), ADD CHECK ((orders).total <> 3), ADD UNIQUE (code) INCLUDE (code), ADD UNIQUE (code) INCLUDE (code) DEFERRABLE');
SELECT * FROM steps($$CREATE INDEX u ON U&"us!0065rs" UESCAPE '!' (email); ALTER TABLE app.U&"us!0065rs" UESCAPE '!' ADD CHECK (age > 0)$$);
-- a new column with a clause that reads the table
SELECT * FROM steps('ALTER TABLE orders ADD c int DEFAULT 3 NOT NULL CONSTRAINT small CHECK (c < 9) REFERENCES users, ADD d text UNIQUE DEFERRABLE COLLATE "C", ADD e int NOT NULL DEFAULT 0, ADD f int DEFAULT 0 UNIQUE NOT NULL');
-- a foreign key of old rows that have a value at once
SELECT * FROM steps('ALTER TABLE orders ADD c bigint NOT NULL DEFAULT 3 CONSTRAINT "Fk" REFERENCES users DEFERRABLE INITIALLY DEFERRED CHECK (c < 9), ADD d bigint REFERENCES users, ADD e bigint REFERENCES app.users (id) ON DELETE CASCADE DEFAULT 4');
-- nothing comes with a column that is there
SELECT * FROM steps('ALTER TABLE users ADD IF NOT EXISTS age int NOT NULL DEFAULT 3 CHECK (age < 9) REFERENCES tree, ADD CHECK (age > 0)');
-- rows: what is not the same bit by bit stays whole
SELECT * FROM steps($$
UPDATE app.users SET email = app.users.email || 'x', age = users.age + 1;
DELETE FROM tree;
UPDATE tree SET parent = id;
UPDATE orders SET total = total + 1;
UPDATE users SET id = id + 1;
$$);
SELECT * FROM why('DELETE FROM tree; UPDATE orders SET total = total + 1');
SELECT * FROM steps('UPDATE users AS u SET email = u.email || "u" . age WHERE u.id > 0; DELETE FROM users "set" WHERE "set".age > 3; UPDATE users u SET email = u::text');
SELECT * FROM why('UPDATE users u SET email = (u).age; UPDATE users SET age = 1 FROM tree; DELETE FROM ONLY users; UPDATE users SET age = (SELECT 1); DELETE FROM users RETURNING id');
CREATE VIEW v AS SELECT * FROM users;
SELECT * FROM steps('UPDATE v SET age = 3');
CREATE RULE r AS ON INSERT TO users DO ALSO NOTHING;
SELECT * FROM steps('UPDATE users SET age = 3; ALTER TABLE users ADD token uuid DEFAULT gen_random_uuid()');
SELECT * FROM why('UPDATE users SET age = 3; ALTER TABLE users ADD token uuid DEFAULT gen_random_uuid()');
DROP RULE r ON users;
-- the time is the same for all rows
BEGIN;
SELECT replace(sql, to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS'), 'T') ~ $re$'at = ''T[^']*''::timestamptz - ''T[^']*''::timestamp\(0\)$re$ FROM steps('UPDATE users SET at = pg_catalog.now() - localtimestamp(0) + at');
ROLLBACK;
-- inheritance
CREATE TABLE base (v int);
CREATE TABLE derived () INHERITS (base);
SELECT count(*) FILTER (WHERE sql ~ 'ONLY base .*NO INHERIT NOT VALID$') AS of_one, count(*) FILTER (WHERE lock IS NULL) AS unknown FROM steps('ALTER TABLE ONLY base ALTER v SET NOT NULL');
-- partitions: an index that is there is taken, names differ, expressions name the parent
CREATE TABLE part (id int, at date) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (10);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20);
CREATE INDEX mine ON part_1 ((id + 1), at) WHERE at > '2025-01-01';
CREATE INDEX other ON part_2 ((id + 1), at);
CREATE INDEX there ON part (id);
SELECT * FROM steps($$CREATE INDEX ON part ((part.id + 1), at) WHERE (part.at > '2025-01-01'); CREATE INDEX IF NOT EXISTS there ON part (at); DROP INDEX there$$);
CREATE FOREIGN DATA WRAPPER none;
CREATE SERVER none FOREIGN DATA WRAPPER none;
CREATE FOREIGN TABLE part_3 PARTITION OF part FOR VALUES FROM (20) TO (30) SERVER none;
SELECT * FROM steps('CREATE INDEX name ON part (at)');
DROP FOREIGN DATA WRAPPER none CASCADE;
-- they come and go
CREATE TABLE fallback PARTITION OF part DEFAULT;
CREATE TABLE part_3 (LIKE part INCLUDING ALL);
SELECT * FROM steps('ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM (20) TO (20 + 10)');
SELECT * FROM steps('ALTER TABLE part DETACH PARTITION part_1');
SELECT migrate.register('attach', 'ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM (20) TO (30)');
-- the server believes the constraints, and says so
SET client_min_messages = debug1;
SELECT sql FROM migrate.steps('attach') GROUP BY step, sql ORDER BY step \gexec
SET client_min_messages = warning;
DROP TABLE fallback;
-- indexes and foreign keys of the parent come before
CREATE TABLE known (id int PRIMARY KEY);
ALTER TABLE part ADD CONSTRAINT of_all FOREIGN KEY (id) REFERENCES known, ADD UNIQUE (id, at);
CREATE INDEX ON part ((id + 1)) WITH (fillfactor = 70) WHERE at > '2025-01-01';
CREATE TABLE part_4 (at date, id int);
CREATE INDEX there_4 ON part_4 (id);
SELECT * FROM steps('ALTER TABLE part ATTACH PARTITION part_4 FOR VALUES FROM (30) TO (40)');
SELECT * FROM why('ALTER TABLE part ATTACH PARTITION part_4 FOR VALUES FROM (30) TO (40)');
CREATE TABLE part_5 (at date, id int) PARTITION BY LIST (at);
CREATE TABLE part_5_1 PARTITION OF part_5 DEFAULT;
SELECT hold, sql FROM steps('ALTER TABLE part ATTACH PARTITION part_5 FOR VALUES FROM (40) TO (50)') WHERE sql ~ 'INDEX|ATTACH';
ALTER TABLE part DROP CONSTRAINT of_all;
SELECT * FROM steps('ALTER TABLE part DETACH PARTITION part_1');
-- a rebuild that leaves nothing out
ALTER TABLE orders ADD CONSTRAINT apart EXCLUDE USING gist (during WITH &&);
CREATE INDEX broken ON orders (total);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
SELECT * FROM steps('REINDEX TABLE orders; REINDEX INDEX apart; REINDEX (CONCURRENTLY false) INDEX broken; REINDEX TABLE pg_catalog.pg_enum');
SELECT hold, sql FROM steps('REINDEX SCHEMA app');
SELECT * FROM why('REINDEX INDEX apart; REINDEX (CONCURRENTLY false) INDEX broken; REINDEX TABLE pg_catalog.pg_enum; REINDEX SYSTEM postgres');
-- identity
SELECT * FROM steps('ALTER TABLE users ADD COLUMN n smallint GENERATED ALWAYS AS IDENTITY (START 7) UNIQUE, ADD COLUMN m text; ALTER TABLE orders ADD n int GENERATED BY DEFAULT AS IDENTITY');
-- what has no other form says so
SELECT * FROM why($$
ALTER TABLE orders ADD n int GENERATED BY DEFAULT AS IDENTITY;
ALTER TABLE users ADD all_of_it text GENERATED ALWAYS AS (email || age) STORED;
ALTER TABLE orders ADD EXCLUDE USING gist (during WITH &&);
ALTER TABLE users SET UNLOGGED;
ALTER TABLE part ADD UNIQUE (id);
CLUSTER users USING users_pkey;
$$);
SELECT * FROM why('VACUUM FULL users');
-- a script that is one transaction
SELECT * FROM steps('SET LOCAL work_mem = 100; CREATE INDEX ON users (age)');
SELECT * FROM why('CREATE TEMP TABLE x ON COMMIT DROP AS SELECT 1 AS id; CREATE INDEX ON users (age)');
SELECT * FROM why('CREATE UNLOGGED TABLE staged AS SELECT 1 AS id; CREATE INDEX ON users (age); INSERT INTO users (id) SELECT id FROM staged');
SELECT * FROM why('CREATE UNLOGGED TABLE staged (id int); INSERT INTO staged VALUES (1); UPDATE staged SET id = 2; CREATE INDEX ON staged (id); INSERT INTO users (id) VALUES (1)');
-- nor if that is hard to see
SELECT n, w.why FROM unnest(ARRAY['INSERT INTO staged SELECT * FROM staged', 'DO $x$BEGIN INSERT INTO users (id) SELECT id FROM staged; END$x$',
	'ALTER TABLE staged RENAME TO other', 'CREATE VIEW shown AS SELECT * FROM staged', 'SELECT count(*) FROM "a.b"']) WITH ORDINALITY s (rest, n),
	why('SELECT 1 AS id INTO UNLOGGED staged UNION SELECT 2; CREATE UNLOGGED TABLE "a.b" (id int);' || rest) w WHERE statement = 1 ORDER BY n;
DROP EXTENSION pgmigrate;
DROP SCHEMA app CASCADE;
