--
-- Online runs: a script that would hold others up is left to a worker, which
-- comes to the same end; and what can be done with a run meanwhile.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA onr;
SET search_path = onr;
SET pgmigrate.online_threshold = 0;
SET pgmigrate.out_of_order = allow;
CREATE VIEW steps AS
SELECT migration, number, statement, kind, relation, lock, hold, state, rows, sql, undo FROM migrate.history_step ORDER BY run_id, number;
CREATE VIEW runs AS
SELECT migration, action, outcome, current_username = current_user AS me, rows > 0 AS rows, sqlstate, error FROM migrate.history ORDER BY id;

CREATE TABLE users (id int PRIMARY KEY, first_name text, last_name text, age text);
INSERT INTO users SELECT g, 'f' || g, 'l' || g, g % 90 FROM generate_series(1, 6000) g;
CREATE TABLE orders (id int PRIMARY KEY, user_id int);
INSERT INTO orders SELECT g, g FROM generate_series(1, 6000) g;
ANALYZE users, orders;

-- from the first statement to the last
SELECT migrate.register('users', $$
-- migrate:up
ALTER TABLE users ADD COLUMN full_name text;
UPDATE users SET full_name = first_name || ' ' || last_name;
ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;
CREATE INDEX users_full_name_idx ON users (full_name);
ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id);
-- migrate:verify
SELECT count(*) = 6000 FROM users WHERE full_name = first_name || ' ' || last_name
$$);
SET client_min_messages = notice;
SELECT migrate.apply('users');
SET client_min_messages = warning;
CALL migrate.wait('users');
SELECT * FROM runs;
-- (18 has another way to SET NOT NULL)
SELECT statement, kind, relation, lock, hold, state, rows FROM steps WHERE statement <> 3;
SELECT part, number, line, command, rows FROM migrate.history_statement;
SELECT name, state, problem FROM migrate.status();
\d users
\d orders
SELECT migrate.apply('users');
-- what is small, or no trouble, runs at once
RESET pgmigrate.online_threshold;
SELECT migrate.register('small', 'CREATE INDEX ON orders (user_id)');
SELECT migrate.apply('small');
SET pgmigrate.online_threshold = 0;
SELECT migrate.register('brief', 'ALTER TABLE orders ADD COLUMN note text');
SELECT migrate.apply('brief');
SELECT migrate.register('new-table', 'CREATE TABLE made (a int); INSERT INTO made SELECT generate_series(1, 10000); CREATE INDEX ON made (a)');
SELECT migrate.apply('new-table');
SELECT migrate.register('kept', E'-- migrate:up mode:atomic\nCREATE INDEX ON orders (id, user_id)');
SELECT migrate.apply('kept');
-- what a statement sets holds for those after it
SELECT migrate.register('sets', 'SET LOCAL search_path = onr, pg_catalog; CREATE TABLE by_path (a int); SET search_path = pg_catalog; CREATE TABLE onr.by_name (a int)');
SELECT migrate.apply('sets', mode => 'online');
CALL migrate.wait('sets');
SELECT kind, state FROM steps WHERE migration = 'sets';
SHOW search_path;
SELECT to_regclass('by_path'), to_regclass('by_name');

-- conditions that the server's parser changes as it reads them
SELECT migrate.register('nulls', 'UPDATE users SET last_name = upper(last_name) WHERE age IS NOT NULL AND (id > 0) IS TRUE');
SELECT migrate.apply('nulls');
CALL migrate.wait('nulls');
SELECT count(*) FROM users WHERE last_name LIKE 'L%';

-- what depends on it is left to workers too, in order
SELECT migrate.register('chain-1', 'CREATE INDEX CONCURRENTLY chain_idx ON orders (note)');
SELECT migrate.register('chain-2', E'-- migrate:requires chain-1\nALTER INDEX chain_idx RENAME TO chained_idx');
SELECT migrate.register('chain-3', E'-- migrate:up mode:atomic\n-- migrate:requires chain-2\nSELECT 1');
SELECT migrate.apply('chain-2');
CALL migrate.wait('chain-2');
SELECT name, state FROM migrate.status() WHERE name LIKE 'chain%';
BEGIN;
SELECT migrate.register('chain-0', 'CREATE INDEX CONCURRENTLY ON orders (note)');
SELECT migrate.register('chain-4', E'-- migrate:up mode:atomic\n-- migrate:requires chain-0\nSELECT 1');
SELECT migrate.apply('chain-4');
ROLLBACK;
SELECT * FROM migrate.apply_all();
SELECT migrate.apply('chain-1', 'sometimes');

SELECT migrate.register('together', 'CREATE TEMP TABLE gone (a int); CREATE INDEX CONCURRENTLY ON orders (note)');
SELECT migrate.apply('together');
SELECT migrate.unregister('together');
-- nor one whose rows a crash would take in between
SELECT migrate.register('emptied', 'ALTER TABLE orders SET UNLOGGED; CREATE INDEX CONCURRENTLY ON orders (note); ALTER TABLE orders SET LOGGED');
SELECT migrate.apply('emptied');
SELECT migrate.unregister('emptied');

-- a step that fails: the run stays, and goes on when the reason is gone
UPDATE users SET first_name = 'twice' WHERE id < 3;
SELECT migrate.register('fails', 'ALTER TABLE users ADD COLUMN tried int; CREATE UNIQUE INDEX users_first_idx ON users (first_name); ALTER TABLE users ADD CHECK (id > 0)');
SELECT migrate.apply('fails');
CALL migrate.wait('fails');
SELECT * FROM runs WHERE migration = 'fails';
SELECT number, kind, state, sql FROM steps WHERE migration = 'fails';
SELECT migration, state, phase, reason, statement, statements, step, kind, percent FROM migrate.run_progress;
SELECT name, state, problem FROM migrate.status() WHERE name = 'fails';
SELECT migrate.apply('fails');
SELECT migrate.apply('fails', mode => 'atomic');
SELECT migrate.register('fails', 'SELECT 1');
SELECT migrate.unregister('fails');
SELECT migrate.resume('fails');
SELECT migrate.pause('fails');
UPDATE users SET first_name = 'once' WHERE id = 1;
SELECT migrate.retry('fails');
CALL migrate.wait('fails');
SELECT * FROM runs WHERE migration = 'fails';
SELECT number, kind, state, sql FROM steps WHERE migration = 'fails';
SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid;
SELECT migrate.retry('fails');

-- cancelled: what the unfinished statement has made goes, the rest stays
SELECT migrate.register('cancel', 'ALTER TABLE users ADD COLUMN one int; UPDATE users SET one = id; ALTER TABLE users ADD CONSTRAINT high CHECK (id > 0), ADD CONSTRAINT low CHECK (length(first_name) < 5); CREATE INDEX users_one_idx ON users (one)');
SELECT migrate.apply('cancel');
CALL migrate.wait('cancel');
SELECT number, kind, state, sql FROM steps WHERE migration = 'cancel';
SELECT migrate.cancel('cancel');
\set VERBOSITY terse
CALL migrate.wait('cancel');
\set VERBOSITY default
SELECT number, kind, state FROM steps WHERE migration = 'cancel';
SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'one';
SELECT conname FROM pg_constraint WHERE conrelid = 'users'::regclass AND contype = 'c' ORDER BY conname;
SELECT name, state FROM migrate.status() WHERE name = 'cancel';
-- rolled back: all of it goes
ALTER TABLE users DROP COLUMN one;
SELECT migrate.apply('cancel');
CALL migrate.wait('cancel');
SELECT migrate.rollback('cancel');
\set VERBOSITY terse
CALL migrate.wait('cancel');
\set VERBOSITY default
SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'one';
SELECT * FROM runs WHERE migration = 'cancel';
-- but not where that cannot be
SELECT migrate.register('lost', 'DELETE FROM orders WHERE id = 1; ALTER TABLE users ADD CONSTRAINT low CHECK (length(first_name) < 5)');
SELECT migrate.apply('lost');
CALL migrate.wait('lost');
SELECT migrate.rollback('lost');
SELECT migrate.resolve('lost', 'applied', 'checked by hand');
SELECT name, state FROM migrate.status() WHERE name = 'lost';
SELECT * FROM runs WHERE migration = 'lost';

-- what a run needs stays
SELECT migrate.register('base-1', E'-- migrate:up\nCREATE TABLE based (a int)\n-- migrate:down\nDROP TABLE based');
SELECT migrate.apply('base-1');
SELECT migrate.register('base-2', E'-- migrate:requires base-1\n-- migrate:up mode:online\nALTER TABLE based ADD COLUMN b int; UPDATE based SET b = 1; INSERT INTO based VALUES (1); SELECT 1 / 0');
SELECT migrate.apply('base-2');
CALL migrate.wait('base-2');
SELECT migrate.rollback('base-1');
SELECT number, kind, state, undo FROM steps WHERE migration = 'base-2';
SELECT migrate.cancel('base-2');
\set VERBOSITY terse
CALL migrate.wait('base-2');
\set VERBOSITY default
SELECT migrate.rollback('base-1');

-- check and verify
SELECT migrate.register('check', E'-- migrate:up\nCREATE INDEX CONCURRENTLY checked_idx ON orders (note)\n-- migrate:check\nSELECT false');
SELECT migrate.apply('check');
CALL migrate.wait('check');
SELECT migrate.cancel('check');
\set VERBOSITY terse
CALL migrate.wait('check');
SELECT migrate.register('verify', E'-- migrate:up\nCREATE INDEX CONCURRENTLY verified_idx ON orders (note)\n-- migrate:verify\nSELECT false');
SELECT migrate.apply('verify');
CALL migrate.wait('verify');
SELECT migrate.rollback('verify');
CALL migrate.wait('verify');
\set VERBOSITY default
SELECT to_regclass('checked_idx'), to_regclass('verified_idx');

-- an index of partitions, halfway and to its end
CREATE TABLE parts (id int, v int) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
INSERT INTO parts VALUES (1, 1), (2, 1), (2, 1);
SELECT migrate.register('parts', 'CREATE UNIQUE INDEX parts_idx ON parts (id, v)');
SELECT migrate.apply('parts', 'online');
\set VERBOSITY terse
CALL migrate.wait('parts');
SELECT kind, state FROM steps WHERE migration = 'parts';
SELECT migrate.cancel('parts');
CALL migrate.wait('parts');
SELECT count(*) FROM pg_class WHERE relname ~ '^parts.*idx';
DELETE FROM parts WHERE id = 2;
SELECT migrate.apply('parts', 'online');
CALL migrate.wait('parts');
SELECT indisvalid FROM pg_index WHERE indexrelid = 'parts_idx'::regclass;
\set VERBOSITY default

-- at another time
SELECT migrate.register('later', 'SELECT 1');
SELECT migrate.apply('later', not_before => now() + interval '1 day', "window" => '22:00-06:00 UTC');
CALL migrate.wait('later', '0s');
SELECT count(*) FROM migrate.online_run WHERE migration = 'later' AND state IN ('queued', 'running') AND not_before > now() AND "window" = '22:00-06:00 UTC';
SELECT migrate.cancel('later');
\set VERBOSITY terse
CALL migrate.wait('later');
\set VERBOSITY default
SELECT migrate.apply('later', "window" => 'at night');
SELECT migrate.apply('later', 'atomic', not_before => now());
SELECT migrate.apply('later', not_before => now() - interval '1 day');
CALL migrate.wait('later');
SELECT name, state FROM migrate.status() WHERE name = 'later';

-- what steps have taken says what others will take
SELECT state, count(*) > 0 AS some, bool_and(bytes > 0) AS sized FROM migrate.history_step WHERE hold = 'build' GROUP BY state ORDER BY state;
ALTER TABLE migrate.run_step DISABLE TRIGGER guard;
UPDATE migrate.run_step SET bytes = 1048576, lock_wait_ms = 0, finished_at = started_at + interval '100 s' WHERE hold = 'build';
ALTER TABLE migrate.run_step ENABLE ALWAYS TRIGGER guard;
SELECT migrate.register('measured', 'CREATE INDEX ON users (age)');
SELECT hold, round(extract(epoch FROM duration) - bytes / 10485.76) AS off FROM migrate.steps('measured');
SELECT round(extract(epoch FROM duration) - bytes / 10485.76) AS off FROM migrate.plan('measured');

SELECT count(*) FROM migrate.run_progress;
DROP SCHEMA onr CASCADE;
DROP EXTENSION pgmigrate;
