--
-- Order: requirements, then kinds, then names with digits as numbers; and what
-- is done about cycles, missing requirements, conflicts, and latecomers.
--
CREATE EXTENSION pgmigrate;

-- names: all conventions, digits as numbers of any length
SELECT name, migrate.register(name, 'SELECT 1') AS result
FROM unnest('{V10__ten,V2__two,V1.1__one,0001_init,10_x,9_x,009_y,2025-09-25-wallet-add-holds,2025-09-5-early,20250925101500_add,
18446744073709551617_big,18446744073709551616_big,a,a-b,a.b,a+b,_x,B,a1b2,a1b10,a01b2}'::text[]) WITH ORDINALITY u(name, n)
ORDER BY n;
SELECT name FROM migrate.status() WITH ORDINALITY ORDER BY ordinality;
SELECT migrate.unregister(name) = 'unregistered' AS ok, count(*) FROM migrate.status() GROUP BY 1;

-- requirements go before names, however deep; kinds come after the versioned ones
SELECT name, migrate.register(name, coalesce('-- migrate:requires ' || needs || E'\n', '') ||
	coalesce('-- migrate:' || kind || E'\n', '') || E'-- migrate:up\nSELECT 1;\n-- migrate:down\n') AS result
FROM (VALUES ('1-needs-3', '3-needs-4', NULL), ('2-alone', NULL, NULL), ('3-needs-4', '4-last, 2-alone', NULL),
	('4-last', NULL, NULL), ('0-view', NULL, 'repeatable'), ('0-data', NULL, 'seed'),
	('0-data-first', NULL, 'seed'), ('5-alone', NULL, NULL)) v(name, needs, kind)
ORDER BY name;
SELECT name, kind, waits_for, problem FROM migrate.status() WITH ORDINALITY ORDER BY ordinality;
-- one brings along what it requires, and no more
BEGIN;
SELECT migrate.apply('1-needs-3');
SELECT migration FROM migrate.history ORDER BY id;
ROLLBACK;
-- all, up to one, and the rest; nothing the third time
SELECT * FROM migrate.apply_all(upto => '3-needs-4') WITH ORDINALITY ORDER BY ordinality;
SELECT * FROM migrate.apply_all() WITH ORDINALITY ORDER BY ordinality;
SELECT * FROM migrate.apply_all();
SELECT * FROM migrate.apply_all(upto => 'nowhere');

-- one that comes late
SELECT migrate.register('3-late', 'SELECT 1');
SELECT name, state, problem FROM migrate.status() WHERE name LIKE '3-%' ORDER BY name;
SELECT migrate.apply('3-late');
SELECT * FROM migrate.apply_all();
SET pgmigrate.out_of_order = warn;
BEGIN;
SELECT migrate.apply('3-late');
ROLLBACK;
SET pgmigrate.out_of_order = allow;
SELECT migrate.apply('3-late');
RESET pgmigrate.out_of_order;
-- repeatables and seeds come whenever they come
SELECT migrate.register('00-later-view', E'-- migrate:repeatable\nSELECT 1');
SELECT migrate.apply('00-later-view');

-- a requirement that is not there
SELECT migrate.register('6-missing', E'-- migrate:requires 4-last, 5-nowhere\nSELECT 1');
SELECT waits_for, problem FROM migrate.status() WHERE name = '6-missing';
SELECT migrate.apply('6-missing');
SELECT * FROM migrate.apply_all();
SELECT migrate.unregister('6-missing');

-- cycles: shown last, in the way of those on it and of those behind it only
SELECT migrate.register('7-a', E'-- migrate:requires 8-b\nSELECT 1'), migrate.register('8-b', E'-- migrate:requires 9-c\nSELECT 1'),
	migrate.register('9-c', E'-- migrate:requires 7-a\nSELECT 1'), migrate.register('9-behind', E'-- migrate:requires 8-b\nSELECT 1'),
	migrate.register('9-free', 'SELECT 1');
SELECT name, waits_for, problem FROM migrate.status() WITH ORDINALITY WHERE state = 'pending' ORDER BY ordinality;
SELECT migrate.apply('8-b');
SELECT migrate.apply('9-behind');
SELECT * FROM migrate.apply_all();
SELECT migrate.baseline('7-a');
SELECT migrate.apply('9-free');
SELECT migrate.unregister(n) FROM unnest('{7-a,8-b,9-c,9-behind}'::text[]) n;

-- conflicts hold both ways, whichever names the other
SELECT migrate.register('20-a', E'-- migrate:conflicts 21-b\n-- migrate:up\n-- migrate:down\n');
SELECT migrate.register('21-b', E'-- migrate:up\n-- migrate:down\n');
SELECT * FROM migrate.apply_all();
SELECT migrate.apply('20-a');
SELECT migrate.apply('21-b');
SELECT name, state, problem FROM migrate.status() WHERE name LIKE '2_-%' ORDER BY name;
SELECT migrate.rollback('20-a');
SELECT migrate.apply('21-b');
SELECT migrate.apply('20-a');
SELECT migrate.unregister('20-a');
-- a conflict with what is not there is none
SELECT migrate.register('22-c', E'-- migrate:conflicts 99-future\nSELECT 1');
SELECT migrate.apply('22-c');


-- a repeatable that a versioned one requires comes before it, and what is
-- registered later under a later name is not out of order for that
SELECT migrate.register('30-needs-view', E'-- migrate:requires 0-the-view\nSELECT 1');
SELECT migrate.register('0-the-view', E'-- migrate:repeatable\nSELECT 1');
SELECT * FROM migrate.apply_all() WITH ORDINALITY ORDER BY ordinality;
SELECT migrate.register('31-next', 'SELECT 1');
SELECT name, problem FROM migrate.status() WHERE state = 'pending' ORDER BY name;
SELECT migrate.apply('31-next');

DROP EXTENSION pgmigrate;
