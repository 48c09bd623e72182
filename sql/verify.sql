--
-- verify() and the parts that look: they pass, fail, or raise, and never leave
-- anything behind.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA ver;
CREATE TABLE ver.t (id int);
CREATE SEQUENCE ver.seq;
CREATE FUNCTION ver.writes() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ver.t VALUES (1); RETURN true; END $$;
CREATE FUNCTION ver.v(name text, part text) RETURNS text LANGUAGE sql AS
$$ SELECT migrate.register(name, E'-- migrate:up\nSELECT 1;\n-- migrate:verify\n' || part) $$;
SET pgmigrate.out_of_order = allow;

-- what passes: true, no row, no boolean in front, nothing at all
SELECT ver.v('pass-true', 'SELECT true'), ver.v('pass-rows', 'SELECT id < 2 FROM (VALUES (0), (1)) v(id)'),
	ver.v('pass-none', 'SELECT id > 0 FROM ver.t'), ver.v('pass-number', 'SELECT 0'),
	ver.v('pass-second', 'SELECT 1, false'), ver.v('pass-empty', ''), ver.v('pass-do', 'DO ''BEGIN END'''),
	ver.v('pass-many', 'SELECT true; SHOW work_mem; SELECT true; SET work_mem = ''1MB''; SELECT current_setting(''work_mem'') = ''1MB'''),
	ver.v('pass-explain', 'EXPLAIN SELECT false'), ver.v('pass-nothing', 'SELECT');
SELECT * FROM migrate.apply_all() ORDER BY name;
SELECT * FROM migrate.verify() ORDER BY name;

-- what does not: such a migration is not applied
SELECT ver.v('fail', 'SELECT false');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SELECT true; SELECT NULL::boolean;');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SELECT id > 1 FROM (VALUES (5), (1), (2)) v(id)');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SELECT false, ''the second column''');
SELECT migrate.apply('fail');
SELECT ver.v('fail', E'DO $$ BEGIN RAISE EXCEPTION ''not so'' USING HINT = ''look there''; END $$');
SELECT migrate.apply('fail');
SELECT ver.v('fail', E'DO $$ BEGIN ASSERT 1 > 2, ''one is not two''; END $$');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SELECT ver.writes()');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SELECT nextval(''ver.seq'')');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SELECT 1 AS x INTO ver.made');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SELECT * FROM ver.t FOR UPDATE');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'WITH x AS (INSERT INTO ver.t VALUES (1) RETURNING true) SELECT * FROM x');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'EXPLAIN ANALYZE INSERT INTO ver.t VALUES (1)');
SELECT migrate.apply('fail');
SELECT ver.v('fail', 'SET transaction_read_only = off; SELECT ver.writes()');
SELECT migrate.apply('fail');
SELECT state FROM migrate.status() WHERE name = 'fail';
SELECT count(*) AS rows, to_regclass('ver.made') AS made FROM ver.t;

-- with the setting off nothing is looked at, and verify() tells later
SET pgmigrate.verify_on_apply = off;
SELECT migrate.apply('fail');
SELECT ver.v('late', 'SELECT count(*) > 0 FROM ver.t; SELECT 1/0');
SELECT migrate.apply('late');
RESET pgmigrate.verify_on_apply;
SELECT * FROM migrate.verify('fail');
SELECT * FROM migrate.verify('late');
INSERT INTO ver.t VALUES (1);
SELECT * FROM migrate.verify('late');
-- one that fails hides no other
SELECT name, message FROM migrate.verify() WHERE NOT passed ORDER BY name;
SELECT count(*) FROM migrate.verify();
-- it looks at what its caller sees, in a transaction that is read-only too
BEGIN;
DELETE FROM ver.t;
SELECT message FROM migrate.verify('late');
ROLLBACK;
BEGIN READ ONLY;
SELECT message FROM migrate.verify('late');
COMMIT;
-- and records no run
SELECT count(*) FROM migrate.history WHERE action NOT IN ('apply');

-- nothing to verify
SELECT ver.v('pending', 'SELECT true');
SELECT migrate.register('without', 'SELECT 1');
SELECT migrate.apply('without');
SELECT migrate.verify('pending');
SELECT migrate.verify('without');
SELECT migrate.verify('nowhere');

-- the check part is a precondition, on the state before
SELECT migrate.register('check', E'-- migrate:up\nINSERT INTO ver.t VALUES (7);\n-- migrate:check\nSELECT count(*) = 0 FROM ver.t;\n');
SELECT migrate.apply('check');
TRUNCATE ver.t;
SELECT migrate.apply('check');
SELECT * FROM ver.t;
SELECT migrate.register('check2', E'-- migrate:up\nSELECT 1;\n-- migrate:check\nSELECT ver.writes();\n');
SELECT migrate.apply('check2');
-- also with verify_on_apply off, and for a requirement
SET pgmigrate.verify_on_apply = off;
SELECT migrate.register('check3', E'-- migrate:requires check2\n-- migrate:up\nSELECT 1;\n');
SELECT migrate.apply('check3');
SELECT * FROM ver.t;

SET client_min_messages = warning;
DROP SCHEMA ver CASCADE;
DROP EXTENSION pgmigrate;
