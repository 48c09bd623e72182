--
-- Expand and contract: a new column in place of old ones.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA ex;
SET search_path = ex;
SET client_min_messages = warning;
SET application_name = 'regress';
CREATE VIEW shown AS SELECT relation, source, target, up, down, fill, old_written_by = session_user AS old_by_me, old_written_from, new_written_by = session_user AS new_by_me, new_written_from FROM migrate.expansion ORDER BY id;

-- a new name
CREATE TABLE users (id int PRIMARY KEY, username varchar(20) COLLATE "C" NOT NULL, age text DEFAULT '0', first text, last text);
INSERT INTO users SELECT g, 'user ' || g, '00' || g, 'First' || g, 'Last' || g FROM generate_series(1, 100) g;
SELECT migrate.expand_rename('users', 'username', 'display_name') > 0 AS queued;
-- a new type, with casts unless expressions are given
SELECT migrate.expand_type('users', 'age', 'int') > 0 AS queued;
-- a column of several
SELECT migrate.expand_column('users', 'full_name', 'text', 'first || '' '' || last') > 0 AS queued;
CALL migrate.wait('users.display_name');
CALL migrate.wait('users.age_new');
CALL migrate.wait('users.full_name');
SELECT * FROM shown;
SELECT attname, format_type(atttypid, atttypmod), attcollation::regcollation, attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 5 ORDER BY attnum;
SELECT count(*) FILTER (WHERE display_name = username), count(*) FILTER (WHERE age_new = id AND age = '00' || id), count(*) FILTER (WHERE full_name = first || ' ' || last) FROM users;
SELECT * FROM migrate.verify_expansion('users', 'display_name');

-- who wrote which side
INSERT INTO users (id, username, first, last) VALUES (101, 'old', 'A', 'B');
SET application_name = 'new version';
INSERT INTO users (id, display_name, age_new) VALUES (102, 'new', 7);
UPDATE users SET display_name = 'newer' WHERE id = 101;
SET application_name = 'regress';
SELECT id, username, display_name, age, age_new, full_name FROM users WHERE id > 100 ORDER BY id;
SELECT * FROM shown;
SELECT side, count(*) FROM migrate.sync_use GROUP BY side ORDER BY side;
UPDATE users SET username = 'again' WHERE id = 101;
SELECT side, count(*) FROM migrate.sync_use GROUP BY side ORDER BY side;
-- a side that is written in vain is not written
BEGIN;
UPDATE users SET age_new = 8 WHERE id = 102;
ROLLBACK;
SELECT * FROM shown WHERE target = 'full_name';
-- and does not stand for the next time
BEGIN;
SAVEPOINT s;
UPDATE users SET full_name = 'in vain' WHERE id = 101;
ROLLBACK TO s;
UPDATE users SET full_name = 'once more' WHERE id = 101;
SELECT side, count(*) FROM migrate.sync_use u JOIN migrate.sync_pair p ON p.id = u.pair_id WHERE target = 'full_name' GROUP BY side ORDER BY side;
ROLLBACK;
BEGIN;
UPDATE users SET full_name = 'again' WHERE id = 101;
SELECT side, count(*) FROM migrate.sync_use u JOIN migrate.sync_pair p ON p.id = u.pair_id WHERE target = 'full_name' GROUP BY side ORDER BY side;
ROLLBACK;
-- one that stands is not noted again, whatever else is rolled back
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE users SET full_name = 'once' WHERE id = 101;
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			PERFORM 1 / 0;
		EXCEPTION WHEN division_by_zero THEN
			UPDATE users SET full_name = 'time ' || i WHERE id = 101;
		END;
	END LOOP;
END $$;
SELECT side, count(*) FROM migrate.sync_use u JOIN migrate.sync_pair p ON p.id = u.pair_id WHERE target = 'full_name' GROUP BY side ORDER BY side;
ROLLBACK;

-- not dropped while it is written
\set VERBOSITY terse
SELECT migrate.contract('users', 'username');
SET pgmigrate.contract_quiet = 0;
-- nor while rows differ
ALTER TABLE users DISABLE TRIGGER zzz_pgmigrate_sync;
UPDATE users SET display_name = 'odd' WHERE id IN (3, 5);
ALTER TABLE users ENABLE ALWAYS TRIGGER zzz_pgmigrate_sync;
SELECT * FROM migrate.verify_expansion('users', 'display_name') ORDER BY row_key;
SELECT count(*) FROM migrate.verify_expansion('users', 'display_name', 1);
-- page by page
SELECT (SELECT count(*) FROM migrate.verify_expansion('users', 'display_name', from_page => 0, to_page => 1000)) AS all,
	(SELECT count(*) FROM migrate.verify_expansion('users', 'display_name', from_page => 1000)) AS none,
	(SELECT count(*) FROM generate_series(0, 10) p, migrate.verify_expansion('users', 'display_name', 100, p, p + 1)) AS each;
\set VERBOSITY default
SELECT migrate.contract('users', 'username');
UPDATE users SET username = 'even' WHERE id IN (3, 5);
-- nor while something depends on it
CREATE VIEW v AS SELECT username FROM users;
SELECT migrate.contract('users', 'username');
DROP VIEW v;
SELECT migrate.contract('users', 'username');
SELECT target FROM migrate.expansion ORDER BY 1;
INSERT INTO users (id, display_name, age) VALUES (103, 'last', '9') RETURNING age_new, full_name;
-- one row was written by a lossy side: still in step
UPDATE users SET age_new = 1000 WHERE id = 1;
SELECT * FROM migrate.verify_expansion('users', 'age_new');
SELECT migrate.contract('users', 'age');
SELECT migrate.contract('users', 'first');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'users'::regclass;
SELECT count(*) FROM migrate.sync_pair;
SELECT count(*) FROM migrate.sync_use;
SELECT * FROM users WHERE id IN (1, 103) ORDER BY id;

-- back: the new column goes, the old one was kept up
CREATE TABLE back (id int PRIMARY KEY, n text);
INSERT INTO back SELECT g, g FROM generate_series(1, 10) g;
SELECT migrate.expand_type('back', 'n', 'int', 'n::int', 'n_int::text', 'n_int') > 0 AS queued;
UPDATE back SET n_int = 100 WHERE id = 1;
SELECT migrate.abandon('back', 'n_int');
SELECT * FROM back WHERE id = 1;
SELECT state IN ('cancelled', 'done') AS ended FROM migrate.backfill_history WHERE name = 'back.n_int';
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'back'::regclass;
-- once more, by the same name
SELECT migrate.expand_type('back', 'n', 'int', new_column => 'n_int') > 0 AS queued;
CALL migrate.wait('back.n_int (2)');
SELECT count(*) FROM back WHERE n::int = n_int;

-- all of it in a transaction, or nothing
BEGIN;
SELECT migrate.expand_rename('back', 'id', 'key') > 0 AS queued;
ROLLBACK;
SELECT attname FROM pg_attribute WHERE attrelid = 'back'::regclass AND attnum > 0 ORDER BY attnum;
-- in a migration
SELECT migrate.register('1', $$
-- migrate:up
CREATE TABLE made (id int PRIMARY KEY, a int);
INSERT INTO made VALUES (1, 1), (2, 2);
SELECT migrate.expand_rename('made', 'a', 'b');
$$);
SELECT migrate.apply('1');
CALL migrate.wait('made.b');
TABLE made;

-- partitions
CREATE TABLE parts (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts SELECT g, g FROM generate_series(0, 19) g;
SELECT migrate.expand_type('parts', 'v', 'bigint') > 0 AS queued;
CALL migrate.wait('parts.v_new');
SELECT count(*) FROM parts WHERE v_new = k AND v = k::text;
SELECT migrate.contract('parts', 'v');
SELECT attname FROM pg_attribute WHERE attrelid = 'part2'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- a table that is dropped is forgotten with the next pair; one that has lost its trigger is not
CREATE TABLE gone (id int PRIMARY KEY, a int);
CREATE TABLE kept (id int PRIMARY KEY, a int, b int);
SELECT migrate.expand_rename('gone', 'a', 'b') > 0 AS queued;
SELECT migrate.expand_rename('kept', 'a', 'c') > 0 AS queued;
CALL migrate.wait('gone.b');
CALL migrate.wait('kept.c');
INSERT INTO gone VALUES (1, 1);
DROP TRIGGER zzz_pgmigrate_sync ON kept;
SELECT relation, target FROM migrate.expansion WHERE relation IN ('ex.gone', 'ex.kept') ORDER BY 1;
DROP TABLE gone;
SELECT relation, target FROM migrate.expansion WHERE relation IN ('ex.gone', 'ex.kept') ORDER BY 1;
SELECT count(*) > 0 AS used FROM migrate.sync_use u JOIN migrate.sync_pair p ON p.id = u.pair_id WHERE p.relation = 'ex.gone';
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT migrate.sync_begin('kept', '{a}', 'b', 'a') > 0 AS begun;
SELECT count(*) FROM migrate.sync_pair WHERE relation = 'ex.gone';
COMMIT;
SELECT migrate.sync_end('kept', 'b');
SELECT count(*) FROM migrate.sync_pair WHERE relation = 'ex.gone';
SELECT count(*) FROM migrate.sync_use WHERE pair_id NOT IN (SELECT id FROM migrate.sync_pair);
SELECT migrate.abandon('kept', 'c');

-- refused
SELECT migrate.expand_rename('back', 'x', 'y');
SELECT migrate.expand_rename('back', 'n', 'id');
SELECT migrate.expand_type('back', 'n', 'no_such_type');
\set VERBOSITY terse
SELECT migrate.expand_type('back', 'n', 'int NOT NULL DEFAULT 1');
\set VERBOSITY default
SELECT migrate.expand_type('back', 'id', 'point');
SELECT migrate.expand_column('back', 'z', 'int', 'random()::int');
SELECT migrate.expand_column('back', 'z', 'int', NULL);
SELECT migrate.contract('back', 'id');
SELECT migrate.contract('back', NULL);
SELECT migrate.abandon('back', 'id');
SELECT migrate.verify_expansion('back', 'id');
SELECT migrate.verify_expansion('back', 'n_int', 0);
SELECT migrate.verify_expansion('back', 'n_int', from_page => -1);
SELECT migrate.verify_expansion('back', 'n_int', to_page => 1::bigint << 32);
CREATE ROLE regress_migrate_admin;
SELECT migrate.grant_to('regress_migrate_admin', 'admin');
GRANT USAGE ON SCHEMA ex TO regress_migrate_admin;
SET ROLE regress_migrate_admin;
SELECT migrate.expand_rename('back', 'n', 'm');
SELECT migrate.contract('back', 'n');
SELECT migrate.abandon('back', 'n_int');
SELECT migrate.verify_expansion('back', 'n_int');
SELECT migrate.revoke_from('regress_migrate_admin');
RESET ROLE;
SELECT migrate.revoke_from('regress_migrate_admin');
SET ROLE regress_migrate_admin;
SELECT count(*) FROM migrate.expansion;
RESET ROLE;
-- numbers that are stored with a sign, and come without: the fill is no write
CREATE TABLE numbers (id int PRIMARY KEY, s text);
INSERT INTO numbers VALUES (1, ' 3000000000'), (2, '  5');
SELECT migrate.expand_type('numbers', 's', 'oid') > 0 AS queued;
CALL migrate.wait('numbers.s_new');
SELECT * FROM numbers ORDER BY id;

DROP SCHEMA ex CASCADE;
DROP ROLE regress_migrate_admin;
DROP EXTENSION pgmigrate;
