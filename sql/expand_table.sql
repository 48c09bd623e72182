--
-- Expand and contract: a new table in the place of an old one.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA ex;
SET search_path = ex;
SET client_min_messages = warning;
CREATE VIEW shown AS SELECT relation, new_relation, key, new_key, columns, expressions, fill FROM migrate.table_expansion ORDER BY id;

-- partitioned, with another primary key, and columns that are made of others
CREATE TABLE events (id serial PRIMARY KEY, at date NOT NULL DEFAULT '2024-01-01', name text, note text, size int);
INSERT INTO events (at, name, note, size) SELECT date '2024-01-01' + g % 100, 'n' || g, 'note', g FROM generate_series(1, 1000) g;
CREATE TABLE events_new (at date NOT NULL, id bigint NOT NULL DEFAULT nextval('events_id_seq'), upper_name text, size bigint NOT NULL, made int DEFAULT 7, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events_new FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE events_2 PARTITION OF events_new DEFAULT;
SET client_min_messages = notice;
SELECT migrate.expand_table('events', 'events_new', '{"upper_name": "upper(name)", "size": "coalesce(size, 0)"}') > 0 AS queued;
SET client_min_messages = warning;
CALL migrate.wait('events>events_new');
TABLE shown;
SELECT command, assign, strategy, strategy_reason, key_columns, rows FROM migrate.backfill_history WHERE name = 'events>events_new';
SELECT count(*), count(*) FILTER (WHERE n.upper_name = upper(o.name) AND n.size = o.size AND n.at = o.at AND n.made = 7) FROM events o JOIN events_new n USING (id);
SELECT * FROM migrate.verify_expansion('events');

-- writes of every kind
INSERT INTO events (at, name) VALUES ('2024-01-05', 'one'), ('2025-01-05', 'two');
SELECT * FROM events_new WHERE id > 1000 ORDER BY id;
UPDATE events SET name = 'ten' WHERE id = 10;
UPDATE events_new SET made = 8 WHERE id = 10;
UPDATE events SET note = 'not carried over' WHERE id = 10;
UPDATE events SET size = 3 WHERE id = 10;
UPDATE events SET at = '2030-01-01' WHERE id = 11;
UPDATE events SET id = 5000 WHERE id = 12;
UPDATE events SET id = id + 10000 WHERE id BETWEEN 20 AND 29;
DELETE FROM events WHERE id = 13;
INSERT INTO events (id, name) VALUES (14, 'upsert'), (15, 'upsert') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
MERGE INTO events e USING (VALUES (16), (17), (6000)) s (id) ON e.id = s.id
	WHEN MATCHED AND e.id = 16 THEN DELETE WHEN MATCHED THEN UPDATE SET name = 'merged' WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, 'inserted');
COPY events (id, name) FROM stdin;
7000	copied
\.
WITH d AS (DELETE FROM events WHERE id = 18 RETURNING *) INSERT INTO events SELECT * FROM d ON CONFLICT DO NOTHING;
SELECT tableoid::regclass, * FROM events_new WHERE id IN (10, 11, 12, 13, 14, 15, 16, 17, 18, 5000, 6000, 7000) ORDER BY id;
SELECT * FROM migrate.verify_expansion('events');
BEGIN;
DELETE FROM events;
SELECT count(*) FROM events_new;
SAVEPOINT s;
INSERT INTO events (id, name) VALUES (1, 'again');
ROLLBACK TO s;
INSERT INTO events (id, name) VALUES (1, 'once more');
SELECT id, upper_name FROM events_new;
ROLLBACK;
BEGIN;
TRUNCATE events;
SELECT count(*) FROM events_new;
ROLLBACK;
-- with an old snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM shown;
UPDATE events SET name = 'repeatable' WHERE id = 30;
DELETE FROM events WHERE id = 31;
COMMIT;
-- in triggers that write the same table, the writes come in another order
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql SET search_path = ex AS $$
BEGIN
	IF pg_trigger_depth() < 3 THEN
		UPDATE events SET name = name || '!', at = at + 400 WHERE id IN (NEW.id, NEW.id + 1);
		DELETE FROM events WHERE id = NEW.id + 2;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER UPDATE OF name ON events FOR EACH ROW EXECUTE FUNCTION follow();
CREATE TRIGGER zzzz AFTER UPDATE OF size ON events FOR EACH ROW EXECUTE FUNCTION follow();
UPDATE events SET name = 'x', size = 1 WHERE id BETWEEN 40 AND 50;
SELECT count(*) FROM events WHERE id BETWEEN 40 AND 50;
DROP TRIGGER follow ON events;
DROP TRIGGER zzzz ON events;
DROP FUNCTION follow;
SELECT * FROM migrate.verify_expansion('events');
-- as in a worker that applies what another server sends
SET session_replication_role = replica;
UPDATE events SET name = 'replica' WHERE id = 60;
RESET session_replication_role;
SELECT upper_name FROM events_new WHERE id = 60;

-- as the owner, whoever writes, and whatever is in the way of names
CREATE ROLE regress_migrate_admin;
GRANT USAGE ON SCHEMA ex TO regress_migrate_admin;
GRANT SELECT, INSERT, UPDATE ON events TO regress_migrate_admin;
GRANT DELETE ON events TO regress_migrate_admin WITH GRANT OPTION;
GRANT REFERENCES (name) ON events TO PUBLIC;
SET ROLE regress_migrate_admin;
CREATE FUNCTION pg_temp.upper(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'not mine'; END$$;
SET search_path = pg_temp, pg_catalog, ex;
UPDATE events SET name = 'by another' WHERE id = 61;
SELECT count(*) FROM events_new;
DROP FUNCTION pg_temp.upper(text);
RESET ROLE;
SET search_path = ex;
SELECT upper_name FROM events_new WHERE id = 61;

-- nobody else has the pair
CREATE TABLE fake (id int PRIMARY KEY);
DO $$ BEGIN EXECUTE format('CREATE TRIGGER fake AFTER INSERT ON fake FOR EACH ROW EXECUTE FUNCTION migrate.carry(%L)', (SELECT id FROM migrate.table_pair)); END $$;
INSERT INTO fake VALUES (1);
CREATE TRIGGER fake2 BEFORE INSERT ON fake FOR EACH ROW EXECUTE FUNCTION migrate.carry();
INSERT INTO fake VALUES (1);
DROP TABLE fake;

-- what is not the same is found
ALTER TABLE events DISABLE TRIGGER zzz_pgmigrate_carry;
UPDATE events SET name = 'odd' WHERE id = 62;
DELETE FROM events WHERE id = 63;
INSERT INTO events (id, name) VALUES (8000, 'missing');
UPDATE events SET at = '2031-01-01' WHERE id = 64;
ALTER TABLE events ENABLE ALWAYS TRIGGER zzz_pgmigrate_carry;
SELECT * FROM migrate.verify_expansion('events') ORDER BY 1, 2, 3;
SELECT count(*) FROM migrate.verify_expansion('events', 1);
SELECT migrate.contract('events');
UPDATE events SET name = 'even' WHERE id = 62;
DELETE FROM events_new WHERE id IN (63, 64);
UPDATE events SET name = 'there' WHERE id IN (64, 8000);
SELECT * FROM migrate.verify_expansion('events');

-- what hangs on the old table
CREATE TABLE orders (id int PRIMARY KEY, event int CONSTRAINT orders_event REFERENCES events);
INSERT INTO orders VALUES (1, 60);
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM events;
CREATE VIEW named WITH (security_barrier) AS SELECT e.id, e.size AS how_much FROM events e WHERE e.id > 100 WITH LOCAL CHECK OPTION;
CREATE VIEW named_twice AS SELECT * FROM named;
CREATE FUNCTION all_events() RETURNS SETOF events LANGUAGE sql AS 'SELECT * FROM ex.events';
SELECT migrate.contract('events');
DROP MATERIALIZED VIEW counted;
DROP FUNCTION all_events;
SELECT migrate.contract('events', force => true);
ALTER TABLE orders DROP CONSTRAINT orders_event;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER own BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events ADD parent int CONSTRAINT own_key REFERENCES events;
SELECT migrate.contract('events');
DROP TRIGGER own ON events;
ALTER TABLE events DISABLE ROW LEVEL SECURITY;
ALTER TABLE events DROP CONSTRAINT own_key;
SELECT migrate.contract('events');
ALTER TABLE events DROP COLUMN parent;
-- the types of its columns are others now
\set VERBOSITY terse
SELECT migrate.contract('events');
\set VERBOSITY default
DROP VIEW named_twice, named;
CREATE VIEW named WITH (security_barrier) AS SELECT e.at FROM events e WHERE e.id > 100 WITH LOCAL CHECK OPTION;
GRANT SELECT ON named TO PUBLIC;

-- in its place
COMMENT ON TABLE events IS 'what happened';
COMMENT ON COLUMN events.id IS 'number';
COMMENT ON COLUMN events.name IS 'not one of the new table';
SELECT last_value FROM events_id_seq;
SELECT migrate.contract('events');
SELECT relname, relkind FROM pg_class WHERE relnamespace = 'ex'::regnamespace AND relname LIKE 'events%' AND relkind IN ('r', 'p', 'S') ORDER BY 1;
SELECT pg_get_serial_sequence('events', 'id');
INSERT INTO events (at, size) VALUES ('2024-01-09', 1) RETURNING id;
SELECT grantee::regrole, privilege_type, is_grantable FROM pg_class, aclexplode(relacl) WHERE oid = 'events'::regclass AND grantee <> relowner ORDER BY 2;
SELECT obj_description('events'::regclass), col_description('events'::regclass, 2), col_description('events'::regclass, 3);
SELECT count(*) = (SELECT count(*) FROM events WHERE id > 100) FROM named;
SELECT reloptions FROM pg_class WHERE oid = 'named'::regclass;
SELECT privilege_type FROM pg_class, aclexplode(relacl) WHERE oid = 'named'::regclass AND grantee = 0;
SELECT tgname FROM pg_trigger WHERE tgrelid IN ('events'::regclass, 'events_old'::regclass) AND NOT tgisinternal;
SELECT count(*) FROM migrate.table_pair;
DROP TABLE events_old;
DROP TABLE orders;

-- a foreign key to the new table takes the place of the one to the old
CREATE TABLE users (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT 2) PRIMARY KEY, username varchar(20) UNIQUE, boss int CONSTRAINT boss_key REFERENCES users);
INSERT INTO users (username, boss) SELECT 'u' || g, CASE WHEN g > 1 THEN 1 END FROM generate_series(1, 10) g;
CREATE TABLE orders (id int PRIMARY KEY, by_user int NOT NULL CONSTRAINT orders_user REFERENCES users ON DELETE CASCADE);
INSERT INTO orders SELECT g, 2 * g - 1 FROM generate_series(1, 10) g;
CREATE TABLE users2 (username text NOT NULL UNIQUE, id int PRIMARY KEY, boss int CONSTRAINT boss_key REFERENCES users2);
SELECT migrate.expand_table('users', 'users2') > 0 AS queued;
CALL migrate.wait('users>users2');
SELECT migrate.contract('users');
-- a row refers to one that comes after it
INSERT INTO users (id, username, boss) VALUES (100, 'early', 101), (101, 'late', 100);
DELETE FROM users WHERE id >= 100;
ALTER TABLE orders ADD CONSTRAINT orders_user2 FOREIGN KEY (by_user) REFERENCES users2 ON DELETE CASCADE;
DELETE FROM users WHERE id = 19;
SELECT count(*) FROM orders;
BEGIN;
SELECT migrate.contract('users', keep => 'people');
SELECT conname, confrelid::regclass, confdeltype FROM pg_constraint WHERE conrelid = 'orders'::regclass AND contype = 'f';
INSERT INTO users (username) VALUES ('next') RETURNING *;
SELECT seqincrement FROM pg_sequence WHERE seqrelid = pg_get_serial_sequence('users', 'id')::regclass;
SELECT count(*) FROM people;
ROLLBACK;
SELECT migrate.abandon('users');
SELECT count(*) FROM users2;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'users'::regclass AND NOT tgisinternal;
-- once more, when it is empty
SELECT migrate.expand_table('users', 'users2');
ALTER TABLE orders DROP CONSTRAINT orders_user2;
TRUNCATE users2;
BEGIN;
SELECT migrate.expand_table('users', 'users2') > 0 AS queued;
ROLLBACK;
SELECT migrate.expand_table('users', 'users2') > 0 AS queued;
SELECT migrate.expand_table('users', 'users2') > 0 AS queued;
SELECT migrate.abandon('users');
SELECT state IN ('cancelled', 'done') AS ended FROM migrate.backfill_history WHERE name = 'users>users2 (2)';

-- values that are stored out of line
CREATE TABLE wide (id int PRIMARY KEY, n int, v text);
ALTER TABLE wide ALTER v SET STORAGE EXTERNAL;
INSERT INTO wide VALUES (1, 1, repeat('a', 10000)), (2, 2, repeat('b', 10000));
CREATE TABLE wide2 (v text, n int, id int PRIMARY KEY);
SELECT migrate.expand_table('wide', 'wide2') > 0 AS queued;
CALL migrate.wait('wide>wide2');
UPDATE wide SET n = 3 WHERE id = 1;
INSERT INTO wide VALUES (3, 3, repeat('c', 10000));
SELECT * FROM migrate.verify_expansion('wide');
DROP TABLE wide CASCADE;
SELECT id, n, length(v) FROM wide2 ORDER BY id;

-- rows that cannot be copied are put aside, until they can
CREATE TABLE plain (id int PRIMARY KEY, n text);
INSERT INTO plain VALUES (1, '1'), (2, 'two'), (3, '3');
CREATE TABLE plain2 (n int, id int PRIMARY KEY);
SELECT migrate.expand_table('plain', 'plain2', '{"n": "n::int"}') > 0 AS queued;
CALL migrate.wait('plain>plain2');
SELECT row_key, sqlstate, message FROM migrate.backfill_error WHERE name = 'plain>plain2';
SELECT migrate.contract('plain');
\set VERBOSITY terse
INSERT INTO plain VALUES (4, 'four');
\set VERBOSITY default
UPDATE plain SET n = '2' WHERE id = 2;
SELECT migrate.retry(id) FROM migrate.backfill_history WHERE name = 'plain>plain2';
CALL migrate.wait('plain>plain2');
TABLE plain2 ORDER BY id;
SELECT * FROM migrate.verify_expansion('plain');
DROP TABLE plain2;
\set VERBOSITY terse
UPDATE plain SET n = '5' WHERE id = 1;
\set VERBOSITY default
SELECT migrate.contract('plain');
SELECT migrate.abandon('plain');
UPDATE plain SET n = '5' WHERE id = 1;

-- in a migration
SELECT migrate.register('1', $$
-- migrate:up
CREATE TABLE made (id int PRIMARY KEY, a int);
INSERT INTO made VALUES (1, 1), (2, 2);
CREATE TABLE made2 (a int, id int PRIMARY KEY);
SELECT migrate.expand_table('made', 'made2');
$$);
SELECT migrate.register('2', $$
-- migrate:up
SELECT migrate.contract('made');
$$);
SELECT migrate.apply('1');
CALL migrate.wait('made>made2');
SELECT migrate.apply('2');
SELECT * FROM made ORDER BY id;

-- a table that is dropped is forgotten with the next pair
CREATE TABLE gone (id int PRIMARY KEY);
CREATE TABLE gone_new (id int PRIMARY KEY);
CREATE TABLE left_behind (id int PRIMARY KEY);
CREATE TABLE left_new (id int PRIMARY KEY);
SELECT migrate.expand_table('gone', 'gone_new') > 0 AS queued;
CALL migrate.wait('gone>gone_new');
DROP TABLE gone;
SELECT count(*) FROM shown WHERE relation = 'ex.gone';
SELECT count(*) FROM migrate.table_pair WHERE relation = 'ex.gone';
SELECT migrate.expand_table('left_behind', 'left_new') > 0 AS queued;
CALL migrate.wait('left_behind>left_new');
SELECT count(*) FROM migrate.table_pair WHERE relation = 'ex.gone';
DROP TABLE left_new;
SELECT relation, new_relation FROM shown WHERE relation IN ('ex.gone', 'ex.left_behind');
SELECT migrate.abandon('left_behind');
-- refused
CREATE TABLE a (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n + 1) STORED);
CREATE TABLE b (id int PRIMARY KEY, n int, k int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS (n + 2) STORED);
SELECT migrate.expand_table('a', NULL);
SELECT migrate.expand_table('a', 'a');
SELECT migrate.expand_table('a', 'b', '[1]');
SELECT migrate.expand_table('a', 'b', '{"x": "n"}');
SELECT migrate.expand_table('a', 'b', '{"g": "n"}');
SELECT migrate.expand_table('a', 'b', '{"n": "n +"}');
SELECT migrate.expand_table('a', 'b', '{"n": "(SELECT 1)"}');
SELECT migrate.expand_table('a', 'b', '{"n": "random()"}');
SELECT migrate.expand_table('a', 'b', '{"n": "g"}');
SELECT migrate.expand_table('a', 'b', '{"k": "n"}');
SELECT migrate.expand_table('a', 'b', '{"id": "id + 1"}');
SELECT migrate.expand_table('a', 'b', '{"id": null}');
SELECT migrate.expand_table('events', 'b');
SELECT migrate.expand_table('shown', 'b');
CREATE TABLE heir () INHERITS (a);
SELECT migrate.expand_table('a', 'b');
SELECT migrate.expand_table('b', 'heir');
DROP TABLE heir;
ALTER TABLE b OWNER TO regress_migrate_admin;
SELECT migrate.expand_table('a', 'b');
SELECT migrate.contract('a');
SELECT migrate.abandon('a');
SELECT * FROM migrate.verify_expansion('a');
SELECT migrate.grant_to('regress_migrate_admin', 'admin');
SET ROLE regress_migrate_admin;
SELECT migrate.expand_table('a', 'b');
SELECT migrate.expand_table('b', 'a');
SELECT migrate.contract('a');
SELECT migrate.abandon('a');
CREATE TEMP TABLE c (n int, id int PRIMARY KEY);
SELECT migrate.expand_table('b', 'c');
DROP TABLE c;
RESET ROLE;
SELECT migrate.revoke_from('regress_migrate_admin');
DROP SCHEMA ex CASCADE;
DROP ROLE regress_migrate_admin;
DROP EXTENSION pgmigrate;
