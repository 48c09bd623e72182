--
-- Triggers, foreign keys, constraints, generated columns, large values: what an
-- UPDATE does a backfill does as well, once for each row.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA bf;
SET search_path = bf;

-- Submit in small batches, and finish it in this session.
CREATE PROCEDURE go(target regclass, new text, condition text DEFAULT NULL, way text DEFAULT 'auto', del boolean DEFAULT false) LANGUAGE plpgsql AS $$
DECLARE
	job bigint;
BEGIN
	job := migrate.backfill(target, new, condition, strategy => way, "delete" => del, batch_rows => 10);
	PERFORM migrate.pause(job);
	COMMIT;
	CALL migrate.finish(job);
END $$;
CREATE VIEW last AS
SELECT command, strategy, strategy_reason, rows, bad_rows, state, reason FROM migrate.backfill_history ORDER BY id DESC LIMIT 1;

-- row triggers fire once for each row, statement triggers once or more for each batch
CREATE TABLE t (id int PRIMARY KEY, a int, b int, n int DEFAULT 0);
INSERT INTO t SELECT g, NULL, g FROM generate_series(1, 25) g;
CREATE TABLE fired (name text, level text, op text, id int, old int, new int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_LEVEL = 'STATEMENT' THEN
		INSERT INTO fired VALUES (TG_NAME, TG_LEVEL, TG_OP);
		RETURN NULL;
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO fired VALUES (TG_NAME, TG_LEVEL, TG_OP, OLD.id);
		RETURN OLD;
	END IF;
	INSERT INTO fired VALUES (TG_NAME, TG_LEVEL, TG_OP, NEW.id, OLD.a, NEW.a);
	RETURN NEW;
END $$;
CREATE TRIGGER before_row BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_row AFTER UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER after_a AFTER UPDATE OF a ON t FOR EACH ROW WHEN (NEW.a > 20) EXECUTE FUNCTION note();
CREATE TRIGGER before_statement BEFORE UPDATE OR DELETE ON t EXECUTE FUNCTION note();
CREATE TRIGGER after_statement AFTER UPDATE OR DELETE ON t EXECUTE FUNCTION note();
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER never BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE t DISABLE TRIGGER never;
CREATE VIEW firing AS
SELECT name, op, CASE level WHEN 'ROW' THEN count(*)::text ELSE CASE WHEN count(*) > 1 THEN 'some' END END AS times,
	count(DISTINCT id) AS rows, bool_and(new = id) AS new_value FROM fired GROUP BY name, level, op ORDER BY name, op;
CALL go('t', 'a = b');
SELECT * FROM firing;
SELECT * FROM last;
TRUNCATE fired;
CALL go('t', 'n = n + 1');
SELECT * FROM firing;
SELECT n, count(*) FROM t GROUP BY n;
TRUNCATE fired;
CALL go('t', NULL, 'id > 5', del => true);
SELECT * FROM firing;
SELECT count(*) FROM t;

-- with transition tables
CREATE TABLE tt (id int PRIMARY KEY, a int);
INSERT INTO tt SELECT g FROM generate_series(1, 25) g;
CREATE TABLE seen (old int, new int);
CREATE FUNCTION transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen SELECT o.id, n.a FROM old_rows o JOIN new_rows n USING (id);
	RETURN NULL;
END $$;
CREATE TRIGGER tt AFTER UPDATE ON tt REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows EXECUTE FUNCTION transition();
CALL go('tt', 'a = id * 2');
SELECT count(*), count(DISTINCT old), bool_and(new = old * 2) FROM seen;

-- a trigger that changes the new value: once, or not at all
CREATE TABLE c (id int PRIMARY KEY, a text, b text, changes int DEFAULT 0);
INSERT INTO c SELECT g, NULL, 'B' || g FROM generate_series(1, 12) g;
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.a := NEW.a || '!';
	NEW.changes := OLD.changes + 1;
	RETURN NEW;
END $$;
CREATE TRIGGER change BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION change();
CALL go('c', 'a = lower(b)');
SELECT changes, count(*), min(a), max(a) FROM c GROUP BY changes;
CALL go('c', 'a = lower(b)', way => 'key');
SELECT changes, count(*), min(a), max(a) FROM c GROUP BY changes;
-- of other columns: that is fine
CREATE TABLE o (id int PRIMARY KEY, a int, b int, updates int DEFAULT 0);
INSERT INTO o SELECT g, NULL, g FROM generate_series(1, 12) g;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updates := NEW.updates + 1; RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON o FOR EACH ROW EXECUTE FUNCTION touch();
CALL go('o', 'a = b');
SELECT count(*) FILTER (WHERE a = b) AS a, updates FROM o GROUP BY updates;
UPDATE o SET a = NULL, updates = 0;
CALL go('o', 'a = (SELECT nullif(b, 3))', 'a IS NULL');
SELECT count(*) FILTER (WHERE a = b) AS a, count(*) FILTER (WHERE a IS NULL) AS nulls, max(updates) FILTER (WHERE a = b) AS updates FROM o;
SELECT * FROM last;
CALL go('o', NULL, 'id > 6', del => true);
SELECT count(*) FROM o;
-- or leaves it out
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.id % 2 = 0 THEN NEW END; END';
CREATE TABLE r (id int PRIMARY KEY, a int, n int DEFAULT 0);
INSERT INTO r SELECT g FROM generate_series(1, 12) g;
CREATE TRIGGER refuse BEFORE UPDATE ON r FOR EACH ROW EXECUTE FUNCTION refuse();
CALL go('r', 'a = id');
SELECT count(a) FROM r;
SELECT rows, bad_rows, state, reason FROM last;
CALL go('r', 'n = n + 1');
SELECT n, count(*) FROM r GROUP BY n ORDER BY n;
SELECT rows, bad_rows, state, reason FROM last;
-- or writes the same table
CREATE TABLE w (id int PRIMARY KEY, a int, sum int DEFAULT 0);
INSERT INTO w SELECT g FROM generate_series(0, 12) g;
CREATE FUNCTION write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE w SET sum = sum + NEW.a WHERE id = 0; RETURN NULL; END';
CREATE TRIGGER write AFTER UPDATE OF a ON w FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION write();
CALL go('w', 'a = id', 'id > 0');
SELECT count(*) FILTER (WHERE a = id), max(sum) FROM w;
SELECT rows, state, reason FROM last;

-- foreign keys: from, to, and to itself
CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent, p2 int REFERENCES parent DEFERRABLE INITIALLY DEFERRED,
	up int REFERENCES child, code text REFERENCES parent (code) ON UPDATE CASCADE ON DELETE SET NULL);
INSERT INTO parent SELECT g, 'c' || g FROM generate_series(1, 20) g;
INSERT INTO child (id) SELECT g FROM generate_series(1, 20) g;
CALL go('child', 'p = id, p2 = id, up = greatest(id - 1, 1), code = ''c'' || id');
SELECT count(*) FROM child WHERE p = id AND p2 = id AND up = greatest(id - 1, 1) AND code = 'c' || id;
CALL go('parent', 'code = upper(code)');
SELECT count(*) FROM child WHERE code = 'C' || id;
UPDATE child SET p = NULL, p2 = NULL;
CALL go('parent', NULL, 'id > 10', del => true);
SELECT count(*), count(code) FROM child;

-- unique constraints that are met in the middle only, when they are deferrable
CREATE TABLE u (id int PRIMARY KEY, v int UNIQUE DEFERRABLE INITIALLY DEFERRED, e int, EXCLUDE USING btree (e WITH =) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO u SELECT g, g, g FROM generate_series(1, 8) g;
CALL go('u', 'v = 9 - id, e = 9 - id');
SELECT array_agg(v ORDER BY id), array_agg(e ORDER BY id) FROM u;
SELECT rows, bad_rows, state, reason FROM last;

-- generated columns follow
CREATE TABLE g (id int PRIMARY KEY, a int, b int, s int GENERATED ALWAYS AS (a + b) STORED, n int DEFAULT 0, nn int GENERATED ALWAYS AS (n + 1) STORED);
INSERT INTO g SELECT x, NULL, x FROM generate_series(1, 12) x;
CALL go('g', 'a = b * 10');
SELECT count(*) FROM g WHERE s = a + b;
CALL go('g', 'n = nn');
SELECT n, nn, count(*) FROM g GROUP BY n, nn;
SELECT strategy, rows, state, reason FROM last;
CALL go('g', 's = DEFAULT');
SELECT strategy, rows, state FROM last;

-- large values, out of line and compressed, old and new
CREATE TABLE big (id int PRIMARY KEY, a text, b text, c text, n int DEFAULT 0);
ALTER TABLE big ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTENDED;
INSERT INTO big SELECT x, repeat(md5(x::text), 500), repeat('x', 100000), 'c' FROM generate_series(1, 15) x;
CALL go('big', 'c = a || b');
SELECT count(*) FROM big WHERE c = repeat(md5(id::text), 500) || repeat('x', 100000);
CALL go('big', 'n = length(c)');
CALL go('big', 'a = c', 'a <> c');
CALL go('big', 'b = b || ''y''');
SELECT count(*), count(*) FILTER (WHERE a = c AND n = length(c) AND b = repeat('x', 100000) || 'y') AS well FROM big;
CALL go('big', 'a = NULL, c = DEFAULT');
SELECT count(a), count(c) FROM big;

-- a table without columns but one, without rows, with a fillfactor, unlogged
CREATE TABLE one (v int);
INSERT INTO one SELECT g FROM generate_series(1, 12) g;
CALL go('one', 'v = 0');
SELECT v, count(*) FROM one GROUP BY v;
CREATE TABLE no_rows (id int PRIMARY KEY, v int);
CALL go('no_rows', 'v = 1');
CALL go('no_rows', 'v = v + 1');
SELECT rows, state FROM last;
CREATE UNLOGGED TABLE fast (id int PRIMARY KEY, v int) WITH (fillfactor = 40);
INSERT INTO fast SELECT g FROM generate_series(1, 1000) g;
CALL go('fast', 'v = id');
SELECT count(*) FROM fast WHERE v = id;

SELECT count(*) FROM migrate.backfill_history WHERE state <> 'done';
DROP SCHEMA bf CASCADE;
DROP EXTENSION pgmigrate;
