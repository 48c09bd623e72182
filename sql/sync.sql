--
-- Columns kept in step by a trigger: which way a value goes.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA sy;
SET search_path = sy;

CREATE TABLE users (id int PRIMARY KEY, age text, note text, age_new int);
INSERT INTO users VALUES (1, '7', 'before'), (2, '007', 'before'), (3, NULL, 'before');
SELECT migrate.sync_begin('users', '{age}', 'age_new', 'age::int', 'age_new::text') > 0 AS made;
SELECT tgname, tgenabled, tgargs IS NOT NULL AS has_argument FROM pg_trigger WHERE tgrelid = 'users'::regclass;
SELECT relation, source, target, up, down, created_by = current_user AS mine FROM migrate.sync_pair;

-- the old side was written
INSERT INTO users (id, age) VALUES (4, '40'), (5, '050'), (6, NULL);
UPDATE users SET age = '8' WHERE id = 1;
-- neither: rows from before stay as they are
UPDATE users SET note = 'touched' WHERE id = 2;
UPDATE users SET age = age, age_new = age_new WHERE id = 2;
-- the new side
INSERT INTO users (id, age_new) VALUES (7, 70);
UPDATE users SET age_new = 41 WHERE id = 4;
UPDATE users SET age_new = NULL WHERE id = 5;
-- both, also if they do not fit; and both with what they have
INSERT INTO users (id, age, age_new) VALUES (8, '080', 80), (9, '9', 90);
UPDATE users SET age = '011', age_new = 11 WHERE id = 8;
INSERT INTO users (id, age) VALUES (10, '10');
UPDATE users SET age = '12', age_new = 10 WHERE id = 10;
SELECT * FROM users ORDER BY id;

-- upsert, from either side
INSERT INTO users (id, age) VALUES (1, '21') ON CONFLICT (id) DO UPDATE SET age = excluded.age;
INSERT INTO users (id, age_new) VALUES (4, 44) ON CONFLICT (id) DO UPDATE SET age_new = excluded.age_new;
INSERT INTO users (id, age) VALUES (11, '11'), (12, '12') ON CONFLICT (id) DO NOTHING;
-- MERGE
MERGE INTO users u USING (VALUES (1, 31), (13, 130)) v (id, n) ON u.id = v.id
	WHEN MATCHED THEN UPDATE SET age_new = v.n WHEN NOT MATCHED THEN INSERT (id, age_new) VALUES (v.id, v.n);
MERGE INTO users u USING (VALUES (11, '33'), (14, '140')) v (id, n) ON u.id = v.id
	WHEN MATCHED THEN UPDATE SET age = v.n WHEN NOT MATCHED THEN INSERT (id, age) VALUES (v.id, v.n);
-- COPY
COPY users (id, age) FROM stdin;
15	150
16	\N
\.
COPY users (id, age, age_new) FROM stdin;
17	017	17
\.
SELECT id, age, age_new FROM users WHERE id IN (1, 4) OR id > 10 ORDER BY id;

-- an error says where it comes from
INSERT INTO users (id, age) VALUES (20, 'x');
UPDATE users SET age = 'x' WHERE id = 1;
-- but no error where nothing is to be computed: a row that "up" does not take
ALTER TABLE users DISABLE TRIGGER zzz_pgmigrate_sync;
INSERT INTO users (id, age) VALUES (21, 'x');
ALTER TABLE users ENABLE ALWAYS TRIGGER zzz_pgmigrate_sync;
UPDATE users SET note = 'y' WHERE id = 21;
UPDATE users SET age_new = 21 WHERE id = 21;
SELECT id, age, age_new, note FROM users WHERE id = 21;

-- what another server sends is complete; an expression only fills what it lacks
SET session_replication_role = replica;
INSERT INTO users (id, age) VALUES (30, '030');
INSERT INTO users (id, age, age_new) VALUES (31, NULL, 31);
UPDATE users SET age = '22' WHERE id = 1;
UPDATE users SET age_new = 2 WHERE id = 2;
RESET session_replication_role;
SELECT id, age, age_new FROM users WHERE id IN (1, 2, 30, 31) ORDER BY id;

-- a backfill fills the new side and leaves the old one as it is
TRUNCATE users;
ALTER TABLE users DISABLE TRIGGER zzz_pgmigrate_sync;
INSERT INTO users SELECT g, '00' || g FROM generate_series(1, 50) g;
ALTER TABLE users ENABLE ALWAYS TRIGGER zzz_pgmigrate_sync;
UPDATE users SET age_new = 5 WHERE id = 5;
SET client_min_messages = warning;
SELECT migrate.backfill('users', 'age_new = age::int', 'age_new IS NULL', name => 'fill') > 0 AS queued;
CALL migrate.wait('fill');
SELECT count(*), count(*) FILTER (WHERE age = '00' || id) AS old_kept, count(*) FILTER (WHERE age_new = id) AS filled FROM users;
-- any other backfill is a write like those of others
SELECT migrate.backfill('users', 'age_new = id * 2', 'age_new = id', name => 'double', strategy => 'key') > 0 AS queued;
CALL migrate.wait('double');
SELECT count(*) FROM users WHERE age_new = id * 2 AND age = (id * 2)::text;
RESET client_min_messages;

-- several old columns, and other columns of the row
CREATE TABLE people (first text, last text, title text DEFAULT 'Dr', id int GENERATED ALWAYS AS IDENTITY, name text);
SELECT migrate.sync_begin('people', NULL, 'name', 'concat_ws('' '', people.title, first || '' '' || last)') > 0 AS made;
SELECT source, up FROM migrate.sync_pair WHERE target = 'name';
INSERT INTO people (first, last) VALUES ('Ada', 'Lovelace');
INSERT INTO people (first, last, title) VALUES ('Max', 'Born', NULL);
UPDATE people SET first = 'Emmy', last = 'Noether' WHERE id = 2;
UPDATE people SET title = 'Lady' WHERE id = 1;
-- without "down" a new value stays, until the old side is written
UPDATE people SET name = 'somebody' WHERE id = 1;
TABLE people ORDER BY id;
UPDATE people SET last = 'King' WHERE id = 1;
SELECT name FROM people WHERE id = 1;

-- one column into two: what "down" has read is not computed again
CREATE TABLE split (id int, name text, first text, last text);
SELECT migrate.sync_begin('split', '{name}', 'first', 'split_part(name, '' '', 1)', 'concat_ws('' '', first, last)') > 0 AS made;
SELECT migrate.sync_begin('split', '{name}', 'last', 'split_part(name, '' '', 2)', 'concat_ws('' '', first, last)') > 0 AS made;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'split'::regclass;
INSERT INTO split (id, name) VALUES (1, 'Ada Lovelace'), (2, 'Vincent van Gogh');
INSERT INTO split (id, first, last) VALUES (3, 'Ludwig', 'van Beethoven');
INSERT INTO split (id, last) VALUES (4, 'Euler');
UPDATE split SET last = 'van Gogh' WHERE id = 2;
UPDATE split SET first = 'Leonhard' WHERE id = 4;
UPDATE split SET name = 'Ada King' WHERE id = 1;
TABLE split ORDER BY id;
-- in a row that is not filled yet, "down" reads what a fill would give
ALTER TABLE split DISABLE TRIGGER zzz_pgmigrate_sync;
INSERT INTO split VALUES (10, 'Grace Murray'), (11, 'Alan Turing'), (12, 'Emmy Noether'), (13, 'Plato');
ALTER TABLE split ENABLE ALWAYS TRIGGER zzz_pgmigrate_sync;
UPDATE split SET last = 'Hopper' WHERE id = 10;
UPDATE split SET first = 'Mathison' WHERE id = 11;
UPDATE split SET first = 'Max', last = NULL WHERE id = 12;
UPDATE split SET last = 'the elder' WHERE id = 13;
-- but what is null in a row that is in step was set to that
UPDATE split SET first = NULL WHERE id = 10;
UPDATE split SET last = 'Brewster' WHERE id = 10;
SELECT * FROM split WHERE id BETWEEN 10 AND 13 ORDER BY id;
DELETE FROM split WHERE id >= 10;

-- what an INSERT that does not mention the old column leaves there
CREATE SEQUENCE numbers;
CREATE TABLE defaults (id int, a text DEFAULT 'none', b int DEFAULT nextval('numbers'), c timestamptz DEFAULT now(),
	a_new text, b_new bigint, c_new timestamptz);
SELECT migrate.sync_begin('defaults', NULL, 'a_new', 'nullif(a, ''none'')', 'coalesce(a_new, ''none'')') > 0,
	migrate.sync_begin('defaults', NULL, 'b_new', 'b', 'b_new') > 0,
	migrate.sync_begin('defaults', NULL, 'c_new', 'c', 'c_new') > 0;
INSERT INTO defaults (id) VALUES (1);
INSERT INTO defaults (id, a_new, b_new, c_new) VALUES (2, 'x', 200, '2001-01-01');
INSERT INTO defaults (id, a, b, c) VALUES (3, 'y', 300, '2002-01-01');
SELECT id, a, a_new, CASE WHEN b < 100 THEN b = b_new END AS b_same, b, b_new, c = c_new AS c_same FROM defaults WHERE id > 1
UNION ALL SELECT id, a, a_new, b = b_new, NULL, NULL, c = c_new FROM defaults WHERE id = 1 ORDER BY id;

-- a default that runs code of a user is not asked
CREATE FUNCTION hidden() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 'hidden ' || current_setting('search_path'); END $$;
CREATE TABLE asked (id int, a text DEFAULT hidden(), b text);
SELECT migrate.sync_begin('asked', '{a}', 'b', 'a', 'b') > 0 AS made;
INSERT INTO asked (id) VALUES (1);
INSERT INTO asked (id, b) VALUES (2, 'b');
TABLE asked ORDER BY id;

-- other triggers come first
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.first = upper(NEW.first); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION shout();
UPDATE people SET id = DEFAULT WHERE id = 2;
SELECT first, name FROM people WHERE last = 'Noether';

-- partitions, with columns in other places
CREATE TABLE parts (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 (gone int, v int, k int);
ALTER TABLE part2 DROP gone;
ALTER TABLE parts ATTACH PARTITION part2 FOR VALUES FROM (10) TO (20);
ALTER TABLE parts ADD v_new text;
SELECT migrate.sync_begin('parts', '{v}', 'v_new', 'parts.v::text', 'v_new::int') > 0 AS made;
CREATE TABLE part3 PARTITION OF parts FOR VALUES FROM (20) TO (30);
INSERT INTO parts (k, v) VALUES (1, 1), (11, 11), (21, 21);
INSERT INTO parts (k, v_new) VALUES (2, '2'), (12, '12'), (22, '22');
UPDATE parts SET k = k + 10, v = 5 WHERE k = 1;
UPDATE parts SET k = k + 10, v_new = '6' WHERE k = 12;
UPDATE part2 SET v = v + 1 WHERE k = 11 AND v = 11;
UPDATE parts SET k = k - 20 WHERE k = 21;
SELECT tableoid::regclass, k, v, v_new FROM parts ORDER BY k, v;
SELECT tgrelid::regclass, tgenabled FROM pg_trigger WHERE tgname LIKE 'zzz%' AND tgrelid::regclass::text LIKE 'part%' ORDER BY 1;
-- children
CREATE TABLE parent (id int, v int);
CREATE TABLE child (extra text) INHERITS (parent);
ALTER TABLE parent ADD v_new text;
SELECT migrate.sync_begin('parent', '{v}', 'v_new', 'v::text', 'v_new::int') > 0 AS made;
INSERT INTO child (id, v) VALUES (1, 1);
UPDATE parent SET v_new = '2';
TABLE child;
SELECT migrate.sync_end('parent', 'v_new');
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('parent'::regclass, 'child'::regclass);

-- values out of line
CREATE TABLE wide (id int, a text, b text);
ALTER TABLE wide ALTER a SET STORAGE EXTERNAL;
SELECT migrate.sync_begin('wide', '{a}', 'b', 'a', 'b') > 0 AS made;
INSERT INTO wide (id, a) VALUES (1, repeat('x', 100000)), (2, repeat('y', 100000));
UPDATE wide SET id = id + 10;
UPDATE wide SET a = a || 'z', id = id WHERE id = 11;
UPDATE wide SET b = b || 'q' WHERE id = 12;
SELECT id, length(a), a = b AS same FROM wide ORDER BY id;

-- settings of the session that writes do not matter
CREATE TABLE times (id int, a text, b timestamptz);
SET timezone = 'UTC';
SET datestyle = 'ISO, DMY';
SELECT migrate.sync_begin('times', '{a}', 'b', 'a::timestamptz') > 0 AS made;
SET timezone = 'Asia/Tokyo';
SET datestyle = 'ISO, MDY';
INSERT INTO times (id, a) VALUES (1, '02/01/2020 00:00');
RESET datestyle;
SET timezone = 'UTC';
SELECT id, b = '2020-01-02 00:00+00' AS same FROM times;
RESET timezone;

-- a value that takes the place of another one, wherever that is in the row
CREATE TABLE places (id int, tiny "char", a int, gap text, b bigint, u uuid, n text, a_new bigint, flag boolean, b_new smallint, u_new uuid, n_new varchar);
SELECT count(migrate.sync_begin('places', ARRAY[o], (o || '_new')::name, o || up, o || '_new' || down))
	FROM (VALUES ('a', '', '::int'), ('b', '::smallint', ''), ('u', '', ''), ('n', '', '')) p (o, up, down);
INSERT INTO places SELECT g, CASE WHEN g & 1 = 0 THEN 'x' END, g, CASE WHEN g & 2 = 0 THEN repeat('y', g) END, CASE WHEN g & 4 = 0 THEN g END,
	CASE WHEN g & 8 = 0 THEN md5(g::text)::uuid END, CASE WHEN g & 16 = 0 THEN repeat('z', g * 5) END, NULL, CASE WHEN g & 32 = 0 THEN true END FROM generate_series(0, 63) g;
CREATE VIEW out_of_step AS SELECT count(*) FROM places WHERE a IS DISTINCT FROM a_new OR b IS DISTINCT FROM b_new OR u IS DISTINCT FROM u_new OR n IS DISTINCT FROM n_new;
CREATE VIEW others AS SELECT count(*), md5(string_agg(concat_ws(',', id, tiny, gap, flag), ';' ORDER BY id)) FROM places;
SELECT md5 AS before FROM others \gset
TABLE out_of_step;
UPDATE places SET a = a + 1000;
UPDATE places SET b_new = b_new + 100, u = md5(id || 'u')::uuid;
UPDATE places SET u_new = md5(id || 'new')::uuid WHERE id % 3 > 0;
UPDATE places SET n = translate(n, 'z', 'Z'), a_new = a_new - 1;
UPDATE places SET n_new = translate(n_new, 'Z', 'q'), b = b + 1 WHERE id % 3 > 0;
UPDATE places SET n_new = n_new || 'longer', u_new = NULL WHERE id % 3 = 0;
UPDATE places SET n = substr(n, 2), u = md5(id || 'again')::uuid WHERE id % 5 = 0;
UPDATE places SET a = NULL WHERE id % 7 = 0;
UPDATE places SET a_new = -id WHERE id % 7 < 2;
TABLE out_of_step;
SELECT md5 = :'before' AS others_kept FROM others;
SELECT count(*) FILTER (WHERE a = -id), count(*) FILTER (WHERE a = id + 999), count(*) FILTER (WHERE b = id + 101), count(*) FILTER (WHERE n LIKE 'qq%') FROM places;
-- a row that is stored without the columns that came later
CREATE TABLE older (id int);
INSERT INTO older VALUES (1), (2);
ALTER TABLE older ADD a int DEFAULT 5, ADD b int DEFAULT 7;
CREATE TABLE newer (id int, a int DEFAULT 5, b int);
SELECT migrate.sync_begin('newer', '{a}', 'b', 'a', 'b') > 0 AS made;
INSERT INTO newer SELECT * FROM older;
TABLE newer;
-- a statement within another one
CREATE FUNCTION next_too() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE newer SET a = NEW.a + 1 WHERE id = NEW.id + 1; RETURN NEW; END $$;
CREATE TRIGGER next_too BEFORE UPDATE ON newer FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION next_too();
UPDATE newer SET b = 10 WHERE id = 1;
UPDATE newer SET b = 20 WHERE id = 1;
TABLE newer ORDER BY id;

-- the same pair again is no other pair; what differs is refused
SELECT count(DISTINCT migrate.sync_begin('users', '{age}', 'age_new', ' age :: integer', 'age_new::text'))
	FROM generate_series(1, 2);
SELECT migrate.sync_begin('users', '{age}', 'age_new', 'age::int + 1', 'age_new::text');
SELECT migrate.sync_end('users', 'age_new'), migrate.sync_end('users', 'age_new');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'users'::regclass;
SELECT migrate.sync_end('split', 'first');
INSERT INTO split (id, name) VALUES (5, 'Carl Gauss');
SELECT * FROM split WHERE id = 5;

-- a transaction that takes it back leaves nothing
BEGIN;
SELECT migrate.sync_begin('users', '{age}', 'age_new', 'age::int') > 0 AS made;
INSERT INTO users (id, age) VALUES (100, '100');
SELECT age_new FROM users WHERE id = 100;
ROLLBACK;
INSERT INTO users (id, age) VALUES (101, '101');
SELECT age_new FROM users WHERE id = 101;


-- what is prepared for a table may change while a statement uses it
CREATE TABLE disturbed (id int, age text, age_new int);
SELECT migrate.sync_begin('disturbed', '{age}', 'age_new', 'age::int') > 0 AS begun;
CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION disturb(i int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE FUNCTION other() RETURNS int LANGUAGE sql AS %L', 'SELECT ' || i);
	RETURN i;
END $$;
INSERT INTO disturbed (id, age) SELECT disturb(g), g::text FROM generate_series(1, 5) g;
INSERT INTO disturbed (id, age) SELECT disturb(g), g::text FROM generate_series(6, 10) g;
SELECT count(*) FROM disturbed WHERE age_new = id;

-- an array that a function may write in is no longer its own when it is the row's
CREATE FUNCTION taken(x int[]) RETURNS int[] IMMUTABLE LANGUAGE plpgsql AS 'DECLARE y int[] := x; BEGIN y := y || 99; RETURN y; END';
CREATE TABLE arrays (id int, o int[], a int[], b int[], c int[]);
SELECT migrate.sync_begin('arrays', '{o}', 'a', 'array_append(o, 1)', 'array_append(a, -1)') > 0 AS begun;
SELECT migrate.sync_begin('arrays', '{o}', 'b', 'array_append(o, 99)') > 0 AS begun;
SELECT migrate.sync_begin('arrays', '{o}', 'c', 'sy.taken(o)') > 0 AS begun;
INSERT INTO arrays (id, o) VALUES (1, '{5}');
INSERT INTO arrays (id, a) VALUES (2, '{6}');
UPDATE arrays SET a = '{7}' WHERE id = 1;
SELECT * FROM arrays ORDER BY id;

DROP SCHEMA sy CASCADE;
DROP EXTENSION pgmigrate;
