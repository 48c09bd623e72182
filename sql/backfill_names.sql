--
-- Names that need quotes, dropped columns, and what the search_path of the
-- session that submitted a backfill means.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA "Bf ""1""";
CREATE SCHEMA bf;
CREATE SCHEMA bf2;
SET search_path = bf;

-- Submit, and finish it in this session.
CREATE PROCEDURE go(target regclass, new text, condition text DEFAULT NULL, named text DEFAULT NULL, columns text[] DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	job := migrate.backfill(target, new, condition, name => named, key => columns, batch_rows => 2);
	PERFORM migrate.pause(job);
	COMMIT;
	CALL migrate.finish(job);
END $$;

-- quotes everywhere
CREATE TABLE "Bf ""1"""."Select ""x"" from" ("Id ""1""" int PRIMARY KEY, "from" int, "New Value" text, "é" text, "a.b" int DEFAULT 0);
INSERT INTO "Bf ""1"""."Select ""x"" from" SELECT g, g, NULL, 'x' FROM generate_series(1, 5) g;
CALL go('"Bf ""1"""."Select ""x"" from"', '"New Value" = "é" || "from"', '"New Value" IS NULL', 'quoted "name"');
CALL go('"Bf ""1"""."Select ""x"" from"', '"a.b" = "Select ""x"" from"."a.b" + 1', NULL, 'by key');
SELECT * FROM "Bf ""1"""."Select ""x"" from" ORDER BY 1;
SELECT name, relation, assign, filter, strategy, key_columns, rows, state FROM migrate.backfill_history ORDER BY id;
-- reserved words, and names that the engine uses itself
CREATE TABLE "table" ("order" int PRIMARY KEY, "user" text, "group" text DEFAULT 'g', "desc" int DEFAULT 0);
CREATE TABLE pgm_row (ctid_ int, pgm_row int PRIMARY KEY, n int DEFAULT 0, xmax_ int);
INSERT INTO "table" SELECT g FROM generate_series(1, 5) g;
INSERT INTO pgm_row SELECT g, g FROM generate_series(1, 5) g;
CALL go('"table"', '"user" = "group"');
CALL go('"table"', '"desc" = "desc" + "order"', '"order" > 2');
CALL go('pgm_row', 'xmax_ = ctid_');
CALL go('pgm_row', 'n = n + pgm_row.pgm_row', 'pgm_row.pgm_row > 1');
SELECT * FROM "table" ORDER BY 1;
SELECT * FROM pgm_row ORDER BY 1;
-- a table with as long a name as can be, and a type of its name
CREATE TABLE a123456789012345678901234567890123456789012345678901234567890123 (id int, v int);
INSERT INTO a123456789012345678901234567890123456789012345678901234567890123 VALUES (1);
CALL go('a123456789012345678901234567890123456789012345678901234567890123', 'v = id');
SELECT v FROM a123456789012345678901234567890123456789012345678901234567890123;

-- columns that were dropped before and after the key and the value
CREATE TABLE dropped (d1 int, id int PRIMARY KEY, d2 text, v int, d3 numeric, w int, g int GENERATED ALWAYS AS (w + 1) STORED, d4 int);
INSERT INTO dropped (id, w) SELECT g, g FROM generate_series(1, 5) g;
ALTER TABLE dropped DROP d1, DROP d2, DROP d3, DROP d4;
INSERT INTO dropped (id, w) SELECT g, g FROM generate_series(6, 9) g;
CALL go('dropped', 'v = w');
CALL go('dropped', 'w = w + 10');
ALTER TABLE dropped ADD x text DEFAULT 'missing value';
CALL go('dropped', 'x = ''new''', 'x = ''missing value''');
SELECT * FROM dropped ORDER BY id;
-- and partitions whose columns stand in another order
CREATE TABLE parted (id int, v int, w int) PARTITION BY LIST (id);
CREATE TABLE parted1 (junk int, w int, v int, id int);
ALTER TABLE parted1 DROP junk;
ALTER TABLE parted ATTACH PARTITION parted1 FOR VALUES IN (1, 2, 3);
CREATE TABLE parted2 PARTITION OF parted FOR VALUES IN (4, 5, 6);
INSERT INTO parted SELECT g, NULL, g * 10 FROM generate_series(1, 6) g;
CALL go('parted', 'v = w');
CREATE UNIQUE INDEX ON parted (id);
ALTER TABLE parted ALTER id SET NOT NULL;
CALL go('parted', 'w = w + parted.id');
SELECT tableoid::regclass, * FROM parted ORDER BY id;

-- names in the texts mean what they meant when it was submitted
CREATE FUNCTION bf.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION bf2.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2';
CREATE TABLE bf.other (v int);
CREATE TABLE bf2.other (v int);
INSERT INTO bf.other VALUES (1);
INSERT INTO bf2.other VALUES (2);
CREATE TABLE bf.t (id int PRIMARY KEY, a int, b int);
CREATE TABLE bf2.t (LIKE bf.t INCLUDING ALL);
INSERT INTO bf.t SELECT g FROM generate_series(1, 3) g;
INSERT INTO bf2.t SELECT g FROM generate_series(1, 3) g;
SET search_path = bf2;
BEGIN;
SELECT migrate.backfill('bf.t', 'a = f(id), b = (SELECT v FROM other)', 'f(id) = 2 AND b IS NULL', name => 'path') IS NOT NULL AS queued;
SELECT migrate.pause('path');
COMMIT;
SET search_path = bf;
CALL migrate.finish('path');
SELECT * FROM bf.t ORDER BY id;
SELECT * FROM bf2.t ORDER BY id;
SELECT settings[1:2] FROM migrate.backfill_job WHERE name = 'path';
-- what the backfill sets is undone
SELECT current_setting('search_path'), current_setting('row_security'), current_setting('enable_seqscan'), current_setting('default_transaction_read_only'), current_setting('lock_timeout');
-- a schema of the path that is gone
CREATE SCHEMA bf3;
SET search_path = bf3, bf;
BEGIN;
SELECT migrate.backfill('bf.t', 'a = f(id)', name => 'gone') IS NOT NULL AS queued;
SELECT migrate.pause('gone');
COMMIT;
DROP SCHEMA bf3;
CALL migrate.finish('gone');
SELECT * FROM bf.t ORDER BY id;
-- a table that is renamed, and moved, is still the one
CREATE SCHEMA bf4;
SET search_path = bf;
BEGIN;
SELECT migrate.backfill('t', 'b = id', name => 'renamed') IS NOT NULL AS queued;
SELECT migrate.backfill('t', 'b = t.id + 1', name => 'by the old name') IS NOT NULL AS queued;
SELECT migrate.pause('renamed');
SELECT migrate.pause('by the old name');
COMMIT;
ALTER TABLE t RENAME TO "T 2";
ALTER TABLE "T 2" SET SCHEMA bf4;
CALL migrate.finish('renamed');
SELECT * FROM bf4."T 2" ORDER BY id;
SELECT name, relation, state FROM migrate.backfill_history WHERE name = 'renamed';
-- but the text is as it was
CALL migrate.finish('by the old name');
-- a column that is renamed is an error, which says so
BEGIN;
SELECT migrate.backfill('bf4."T 2"', 'b = 1', name => 'renamed column') IS NOT NULL AS queued;
SELECT migrate.pause('renamed column');
COMMIT;
ALTER TABLE bf4."T 2" RENAME b TO c;
CALL migrate.finish('renamed column');
SELECT name, state FROM migrate.backfill_history WHERE name = 'renamed column';
ALTER TABLE bf4."T 2" RENAME c TO b;
CALL migrate.finish('renamed column');
SELECT * FROM bf4."T 2" ORDER BY id;

RESET search_path;
DROP SCHEMA bf, bf2, bf4, "Bf ""1""" CASCADE;
DROP EXTENSION pgmigrate;
