--
-- plan() asks the server about tables of others, whose checks, defaults and
-- indexes call functions that those others wrote: these are never run as
-- anybody but the owner of the table, and then without a way out.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_super SUPERUSER;
CREATE ROLE regress_migrate_mallory;
SELECT migrate.grant_to('regress_migrate_mallory', 'admin');
CREATE SCHEMA evil AUTHORIZATION regress_migrate_mallory;

SET SESSION AUTHORIZATION regress_migrate_mallory;
-- What is rolled back is not lost from sequences.
CREATE SEQUENCE evil.as_mallory;
CREATE SEQUENCE evil.as_other;
CREATE SEQUENCE evil.escaped;
GRANT ALL ON ALL SEQUENCES IN SCHEMA evil TO PUBLIC;
CREATE FUNCTION evil.trap() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	attempt text;
BEGIN
	-- (not while this test sets the trap, in a session that really is a superuser's)
	IF current_setting('evil.armed', true) IS DISTINCT FROM 'on' THEN
		RETURN;
	END IF;
	IF current_user = 'regress_migrate_mallory' THEN
		PERFORM nextval('evil.as_mallory');
	ELSE
		PERFORM nextval('evil.as_other');
	END IF;
	FOREACH attempt IN ARRAY ARRAY['RESET ROLE', 'SET ROLE none', 'SET SESSION AUTHORIZATION DEFAULT',
		'ALTER ROLE regress_migrate_mallory SUPERUSER', 'CREATE TEMPORARY TABLE left_behind (id int)',
		'LISTEN left_behind', 'PREPARE left_behind AS SELECT 1', 'DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1'] LOOP
		BEGIN
			EXECUTE attempt;
			PERFORM nextval('evil.escaped');
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
	END LOOP;
END $$;
CREATE FUNCTION evil.f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap(); RETURN $1; END $$;
CREATE FUNCTION evil.volatile() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap(); RETURN 1; END $$;
CREATE FUNCTION evil.tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap(); RETURN NEW; END $$;
CREATE DOMAIN evil.dom AS int CHECK (evil.f(VALUE) = VALUE) DEFAULT evil.f(7);
CREATE FUNCTION evil.cast_to_text(evil.dom) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap(); RETURN 'x'; END $$;
CREATE TABLE evil.t (
	id int PRIMARY KEY,
	a int DEFAULT evil.f(5) CHECK (evil.f(a) = a AND evil.f(3) = 3),
	b int DEFAULT evil.volatile(),
	c int GENERATED ALWAYS AS (evil.f(2) + id) STORED,
	d evil.dom,
	n int,
	s serial
);
CREATE INDEX ON evil.t (evil.f(a)) WHERE evil.f(b) > 0 AND evil.f(1) > 0;
CREATE STATISTICS evil.stat ON (evil.f(a)), b FROM evil.t;
CREATE TRIGGER tr BEFORE INSERT OR UPDATE ON evil.t FOR EACH ROW WHEN (evil.f(NEW.a) > 0) EXECUTE FUNCTION evil.tf();
ALTER TABLE evil.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON evil.t USING (evil.f(a) > 0);
CREATE RULE r AS ON DELETE TO evil.t DO ALSO SELECT evil.volatile();
INSERT INTO evil.t (id) VALUES (1), (2);
-- mallory's own script
SELECT migrate.register('mallory', $$
ALTER TABLE evil.t ALTER n TYPE bigint USING evil.f(n);
ALTER TABLE evil.t ADD x int DEFAULT evil.volatile();
$$);

-- a superuser plans it: asking the server could run it, so that is not done
SET SESSION AUTHORIZATION regress_migrate_super;
SET evil.armed = 'on';
SELECT statement, kind, relation, lock, rewrites, scans, note FROM migrate.plan('mallory');
SELECT statement, step, hold FROM migrate.steps('mallory');
SELECT a.is_called AS ran_as_mallory, o.is_called AS ran_as_other, e.is_called AS escaped
FROM evil.as_mallory a, evil.as_other o, evil.escaped e;
-- a superuser's own script is asked for, on mallory's table
SELECT migrate.register('super', $$
ALTER TABLE evil.t ADD e int DEFAULT 5;
ALTER TABLE evil.t ALTER n TYPE bigint;
ALTER TABLE evil.t ADD CONSTRAINT c CHECK (evil.f(b) > 0);
ALTER TABLE evil.t ALTER b SET NOT NULL;
ALTER TABLE evil.t ALTER b TYPE int USING evil.f(b);
ALTER TABLE evil.t ADD f int DEFAULT evil.volatile();
ALTER TABLE evil.t ADD g int DEFAULT evil.f(9);
ALTER TABLE evil.t ADD h evil.dom;
ALTER TABLE evil.t ALTER d TYPE text;
ALTER TABLE evil.t ADD EXCLUDE (a WITH =) WHERE (evil.f(4) > 0);
ALTER TABLE evil.t VALIDATE CONSTRAINT c;
DELETE FROM evil.t;
UPDATE evil.t SET a = 2;
DO 'BEGIN PERFORM evil.volatile(); END';
SELECT evil.volatile(), evil.f(1);
CREATE INDEX ON evil.t (evil.f(b));
CREATE TABLE evil.made AS SELECT evil.f(1);
CREATE TABLE evil.made2 (x int DEFAULT evil.f(1) CHECK (evil.f(2) > 1));
EXPLAIN ANALYZE SELECT evil.volatile();
$$);
SELECT statement, kind, rewrites, scans FROM migrate.plan('super');
SELECT count(DISTINCT statement) FROM migrate.steps('super');
SELECT a.is_called AS ran_as_mallory, o.is_called AS ran_as_other, e.is_called AS escaped
FROM evil.as_mallory a, evil.as_other o, evil.escaped e;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_migrate_mallory';
-- and nothing is left behind
SELECT relname FROM pg_class WHERE relname LIKE 'left_behind%' OR relname LIKE 'pgmigrate_probe%';
SELECT pg_listening_channels();
SELECT name FROM pg_prepared_statements;
SELECT name FROM pg_cursors;
SELECT current_user;
-- planned by mallory herself, it all runs as her, and is not restricted further
SET SESSION AUTHORIZATION regress_migrate_mallory;
SELECT statement, kind, relation, lock, rewrites, scans, note FROM migrate.plan('mallory');
SELECT count(DISTINCT statement) FROM migrate.steps('mallory');
SELECT o.is_called AS ran_as_other FROM evil.as_other o;
RESET evil.armed;

RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
DROP EXTENSION pgmigrate;
DROP SCHEMA evil CASCADE;
DROP ROLE regress_migrate_mallory, regress_migrate_super;
