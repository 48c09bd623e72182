--
-- Putting the record right without running anything, resolve() and baseline(),
-- and compensate(), the repair that is recorded like a run.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA rec;
CREATE TABLE rec.account (id int PRIMARY KEY, amount int);
INSERT INTO rec.account VALUES (1, 100), (2, 200);

SELECT name, migrate.register(name, coalesce('-- migrate:requires ' || needs || E'\n', '') ||
	format(E'-- migrate:up\nCREATE TABLE rec.%I (id int);\n-- migrate:down\nDROP TABLE rec.%1$I;\n', name)) AS result
FROM (VALUES ('1', NULL), ('2', '5'), ('3', NULL), ('4', NULL), ('5', NULL), ('6', '3')) v(name, needs) ORDER BY name;
SELECT migrate.register('view', E'-- migrate:repeatable\nSELECT 1');

-- resolve
SELECT migrate.resolve('1', 'applied', 'made by hand in 2019');
SELECT migrate.resolve('1', 'applied', 'once more');
SELECT to_regclass('rec."1"');
SELECT name, state, applied_at IS NOT NULL AS has_time, applied_by = current_user AS by_me FROM migrate.status() WHERE name = '1';
SELECT migrate.apply('1');
SELECT migrate.resolve('1', 'rolled_back', 'it was not there');
SELECT migrate.resolve('3', outcome => 'rolled_back', note => 'never will be');
SELECT migration, action, outcome, note, tries, rows, checksum IS NOT NULL AS has_checksum FROM migrate.history ORDER BY id;
SELECT count(*) FROM migrate.history_statement;
-- it is the user's word: neither requirements nor what requires it are asked for
SELECT migrate.resolve('6', 'applied', 'but 3 is not');
SELECT migrate.resolve('3', 'applied', 'now it is'), migrate.resolve('6', 'applied', 'as well');
SELECT migrate.resolve('3', 'rolled_back', 'but 6 needs it');
SELECT migrate.resolve('6', 'rolled_back', 'first this'), migrate.resolve('3', 'rolled_back', 'then that');
-- refused
SELECT migrate.resolve('nowhere', 'applied', 'x');
SELECT migrate.resolve('2', 'done', 'x');
SELECT migrate.resolve('2', 'applied', '');
BEGIN READ ONLY;
SELECT migrate.resolve('2', 'applied', 'x');
ROLLBACK;

-- baseline: all that come before it in the order, and it
SELECT name, state FROM migrate.status() WITH ORDINALITY ORDER BY ordinality;
SELECT * FROM migrate.baseline('2') WITH ORDINALITY ORDER BY ordinality;
SELECT * FROM migrate.baseline(upto => '2');
SELECT migration, note FROM migrate.history WHERE action = 'baseline' ORDER BY id;
SELECT name, state FROM migrate.status() WITH ORDINALITY ORDER BY ordinality;
SELECT to_regclass('rec."5"');
SELECT * FROM migrate.apply_all() ORDER BY name;
SELECT relname FROM pg_class WHERE relnamespace = 'rec'::regnamespace AND relkind = 'r' ORDER BY 1;
SELECT * FROM migrate.baseline('nowhere');

-- compensate: what, why, and the run's number for the record
SELECT migrate.compensate('ticket 4711: booked twice', $$UPDATE rec.account SET amount = amount - 10 WHERE id = 1;
UPDATE rec.account SET amount = amount + 10 WHERE id = 2$$) AS run \gset
SELECT * FROM rec.account ORDER BY id;
SELECT migration, action, outcome, note, rows,
	checksum = encode(sha256($$UPDATE rec.account SET amount = amount - 10 WHERE id = 1;
UPDATE rec.account SET amount = amount + 10 WHERE id = 2$$), 'hex') AS checksum
FROM migrate.history WHERE id = :run;
SELECT part, number, line, command, rows, sql FROM migrate.history_statement WHERE run_id = :run ORDER BY number;
-- with a check before and a verification after it
SELECT migrate.compensate('move', $$-- migrate:check
SELECT amount >= 50 FROM rec.account WHERE id = 1;
-- migrate:up
UPDATE rec.account SET amount = amount - 50 WHERE id = 1;
-- migrate:verify
SELECT amount >= 0 FROM rec.account;
$$) - :run AS next;
SELECT migrate.compensate('move', $$-- migrate:check
SELECT amount >= 50 FROM rec.account WHERE id = 1;
-- migrate:up
UPDATE rec.account SET amount = amount - 50 WHERE id = 1;
$$);
SELECT migrate.compensate('empty it', $$-- migrate:up
UPDATE rec.account SET amount = amount - 50 WHERE id = 1;
-- migrate:verify
SELECT amount >= 0 FROM rec.account ORDER BY id;
$$);
SELECT amount FROM rec.account WHERE id = 1;
-- a repair has no way back, no order and no repetition, and runs in a transaction
SELECT migrate.compensate('x', E'-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;');
SELECT migrate.compensate('x', E'-- migrate:seed\nSELECT 1;');
SELECT migrate.compensate('x', E'-- migrate:requires 1\nSELECT 1;');
SELECT migrate.compensate('x', 'SELECT 1; VACUUM');
SELECT migrate.compensate('x', E'-- migrate:up mode:online\nSELECT 1;');
SELECT migrate.compensate('x', E'SELECT 1;\nSELEKT 2;');
SELECT migrate.compensate('x', E'SELECT 1;\nCOMMIT;');
BEGIN READ ONLY;
SELECT migrate.compensate('x', 'SELECT 1');
ROLLBACK;
BEGIN;
SELECT migrate.compensate('undone', 'DELETE FROM rec.account') - :run > 0 AS ran;
ROLLBACK;
SELECT note FROM migrate.history WHERE action = 'compensate' ORDER BY id;
SELECT count(*) FROM rec.account;

SET client_min_messages = warning;
DROP SCHEMA rec CASCADE;
DROP EXTENSION pgmigrate;
