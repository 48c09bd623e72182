--
-- Partitioned tables, leaf by leaf, and tables that others inherit from.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;
SET pgmigrate.backfill_batch_rows = 7;

-- Submit, and leave it for this session.
CREATE FUNCTION submit(target regclass, named text, new text, condition text DEFAULT NULL, way text DEFAULT 'auto') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM migrate.backfill(target, new, condition, name => named, strategy => way);
	PERFORM migrate.pause(named);
END $$;
CREATE VIEW leaves AS
SELECT j.name, f.leaf, f.relation, f.done FROM migrate.backfill_leaf f JOIN migrate.backfill_job j ON j.id = f.job_id;

-- several levels, of several kinds, with a default
CREATE TABLE p (id int, k text, v int, n int DEFAULT 0) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100) PARTITION BY LIST (k);
CREATE TABLE p1a PARTITION OF p1 FOR VALUES IN ('a');
CREATE TABLE p1z PARTITION OF p1 DEFAULT PARTITION BY HASH (v);
CREATE TABLE p1z0 PARTITION OF p1z FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1z1 PARTITION OF p1z FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (200) TO (300);
CREATE TABLE pd PARTITION OF p DEFAULT;
INSERT INTO p (id, k, v) SELECT g, CASE g % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END, g FROM generate_series(0, 199) g;
INSERT INTO p (id, k, v) VALUES (NULL, NULL, NULL), (1000, 'x', 1);
SELECT submit('p', 'pages', 'n = v * 2');
SELECT leaf, relation, done FROM leaves WHERE name = 'pages' ORDER BY leaf;
CALL migrate.finish('pages');
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE n IS NOT DISTINCT FROM v * 2) AS changed FROM p GROUP BY 1 ORDER BY 1;
SELECT rows, state FROM migrate.backfill_history WHERE name = 'pages';
-- a part of it
UPDATE p SET n = 0;
SELECT submit('p1', 'part', 'n = 1', 'k IS NULL');
CALL migrate.finish('part');
SELECT tableoid::regclass, count(*) FROM p WHERE n = 1 GROUP BY 1 ORDER BY 1;
-- one leaf
SELECT submit('p2', 'leaf', 'n = 2');
CALL migrate.finish('leaf');
SELECT tableoid::regclass, count(*) FROM p WHERE n = 2 GROUP BY 1 ORDER BY 1;
-- none: an end at once
CREATE TABLE none (id int, v int) PARTITION BY LIST (id);
SELECT submit('none', 'none', 'v = id');
CALL migrate.finish('none');
SELECT rows, state FROM migrate.backfill_history WHERE name = 'none';

-- partitions that come after it was submitted are done as well, those that go are not missed
UPDATE p SET n = 0;
SELECT submit('p', 'moving', 'n = 3');
CREATE TABLE p4 PARTITION OF p FOR VALUES FROM (300) TO (400);
INSERT INTO p (id, k, v) SELECT g, 'new', g FROM generate_series(300, 320) g;
CREATE TABLE attached (LIKE p);
INSERT INTO attached (id, n) SELECT g, 0 FROM generate_series(400, 410) g;
ALTER TABLE p ATTACH PARTITION attached FOR VALUES FROM (400) TO (500);
DROP TABLE p1a;
ALTER TABLE p DETACH PARTITION p2;
CALL migrate.finish('moving');
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE n = 3) AS changed FROM p GROUP BY 1 ORDER BY 1;
-- what was detached is no part of the table any more
SELECT count(*), count(*) FILTER (WHERE n = 3) AS changed FROM p2;
SELECT leaf, relation, done FROM leaves WHERE name = 'moving' ORDER BY leaf;
SELECT state, reason FROM migrate.backfill_history WHERE name = 'moving';

-- by key, each with an index of its own
CREATE TABLE k (id int PRIMARY KEY, n int DEFAULT 0) PARTITION BY RANGE (id);
CREATE TABLE k1 PARTITION OF k FOR VALUES FROM (-50) TO (0);
CREATE TABLE k2 PARTITION OF k FOR VALUES FROM (0) TO (50);
CREATE TABLE k3 PARTITION OF k FOR VALUES FROM (50) TO (100);
INSERT INTO k SELECT g FROM generate_series(-20, 20) g;
SELECT submit('k', 'key', 'n = n + 1');
-- (beyond the end of the partitions that there were)
INSERT INTO k VALUES (40), (60);
CREATE TABLE k4 PARTITION OF k FOR VALUES FROM (100) TO (150);
INSERT INTO k VALUES (120);
CALL migrate.finish('key');
SELECT tableoid::regclass, n, count(*) FROM k GROUP BY 1, 2 ORDER BY 1, 2;
SELECT leaf, relation, done FROM leaves WHERE name = 'key' ORDER BY leaf;
SELECT rows, state FROM migrate.backfill_history WHERE name = 'key';
-- one that comes without the key
CREATE TABLE kk (id int, n int DEFAULT 0) PARTITION BY RANGE (n);
CREATE TABLE kk1 PARTITION OF kk FOR VALUES FROM (0) TO (1);
ALTER TABLE kk1 ALTER id SET NOT NULL, ADD UNIQUE (id);
ALTER TABLE kk ADD v int DEFAULT 0;
INSERT INTO kk SELECT g FROM generate_series(0, 20) g;
SELECT submit('kk', 'no key', 'v = v + 1');
CREATE TABLE kk2 PARTITION OF kk FOR VALUES FROM (1) TO (2);
INSERT INTO kk VALUES (50, 1), (NULL, 1), (50, 1);
CALL migrate.finish('no key');
SELECT state FROM migrate.backfill_history WHERE name = 'no key';
UPDATE kk2 SET id = 51 WHERE id IS NULL;
DELETE FROM kk2 WHERE ctid = '(0,3)';
ALTER TABLE kk2 ALTER id SET NOT NULL, ADD UNIQUE (id);
CALL migrate.finish('no key');
SELECT tableoid::regclass, v, count(*) FROM kk GROUP BY 1, 2 ORDER BY 1, 2;

-- DELETE
BEGIN;
SELECT migrate.backfill('p', filter => 'id % 2 = 0', "delete" => true, name => 'delete') IS NOT NULL AS queued;
SELECT migrate.pause('delete');
COMMIT;
CALL migrate.finish('delete');
SELECT count(*) FILTER (WHERE id % 2 = 0) AS even, count(*) FILTER (WHERE id % 2 <> 0) AS odd FROM p;

-- inheritance: the children too, with columns of their own
CREATE TABLE parent (id int PRIMARY KEY, v int, n int DEFAULT 0);
CREATE TABLE child1 (extra text) INHERITS (parent);
CREATE TABLE child2 (other int) INHERITS (parent);
CREATE TABLE grandchild () INHERITS (child1, child2);
INSERT INTO parent SELECT g, g FROM generate_series(1, 5) g;
INSERT INTO child1 SELECT g, g FROM generate_series(1, 5) g;
INSERT INTO child2 SELECT g, g FROM generate_series(1, 5) g;
INSERT INTO grandchild SELECT g, g FROM generate_series(1, 5) g;
SELECT submit('parent', 'inherited', 'n = v');
CALL migrate.finish('inherited');
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE n = v) AS changed FROM parent GROUP BY 1 ORDER BY 1;
SELECT submit('child1', 'child', 'n = 0, extra = ''x''');
CALL migrate.finish('child');
SELECT tableoid::regclass, count(*) FROM parent WHERE n = 0 GROUP BY 1 ORDER BY 1;
-- their keys are their own
SELECT submit('parent', 'inherited key', 'n = n + 1');
ALTER TABLE child1 ADD UNIQUE (id);
ALTER TABLE child2 ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON grandchild (id);
ALTER TABLE child1 ALTER id SET NOT NULL;
ALTER TABLE grandchild ALTER id SET NOT NULL;
UPDATE parent SET n = 0;
SELECT submit('parent', 'inherited key', 'n = n + 1');
CALL migrate.finish('inherited key');
SELECT tableoid::regclass, count(*), count(*) FILTER (WHERE n = 1) AS changed FROM parent GROUP BY 1 ORDER BY 1;

SELECT count(*) FROM migrate.backfill_history WHERE state <> 'done';
DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
