--
-- A migration that needs a column that is still being filled waits for it, or
-- is refused if it must not wait.
--
CREATE EXTENSION pgmigrate;
SET client_min_messages = warning;
CREATE SCHEMA need;
SET search_path = need;
SET pgmigrate.out_of_order = allow;

CREATE TABLE users (id int PRIMARY KEY, name text, "Full Name" text, age text, note text);
INSERT INTO users SELECT g, 'n' || g FROM generate_series(1, 1000) g;
ANALYZE users;

-- a column that a backfill of its own fills
SELECT migrate.backfill('users', '"Full Name" = upper(name)', '"Full Name" IS NULL', name => 'names', not_before => 'infinity') AS names \gset
SELECT migrate.register('uses', E'-- migrate:up\nALTER TABLE users ALTER "Full Name" SET NOT NULL\n-- migrate:down\nALTER TABLE users ALTER "Full Name" DROP NOT NULL');
SELECT migrate.apply('uses', mode => 'atomic');
SELECT migrate.register('uses-now', E'-- migrate:up mode:atomic\nCREATE VIEW full_names AS SELECT "Full Name" FROM need.users');
SELECT migrate.apply('uses-now');
SET client_min_messages = notice;
SELECT migrate.apply('uses');
SET client_min_messages = warning;
-- what names another column, gives rights or adds rows does not
SELECT migrate.register('others', $$
ALTER TABLE users ADD full_name text;
CREATE TABLE "Full Name" (a int);
COMMENT ON COLUMN users."Full Name" IS 'users "Full Name"';
GRANT SELECT ("Full Name") ON users TO pg_monitor;
INSERT INTO users (id, "Full Name") VALUES (0, 'N0');
$$);
SELECT migrate.apply('others');
-- it goes on when the column is filled
SELECT migrate.alter_backfill(:names, reset => '{not_before}');
CALL migrate.wait('uses');
SELECT state FROM migrate.status() WHERE name = 'uses';
SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'Full Name';
SELECT count(*) FROM users WHERE "Full Name" IS NULL;
SELECT migrate.apply('uses-now');

-- columns in step: neither side is to be had before they are filled
SELECT migrate.expand_rename('users', 'name', 'display_name') IS NOT NULL AS filling;
SELECT migrate.pause('users.display_name');
SELECT migrate.register('drops', 'ALTER TABLE need.users DROP COLUMN name CASCADE');
SELECT migrate.apply('drops', mode => 'atomic');
SELECT migrate.register('contracts', $$SELECT migrate.contract('need.users', 'name')$$);
SET client_min_messages = notice;
SET pgmigrate.contract_quiet = 0;
SELECT migrate.apply('contracts');
SET client_min_messages = warning;
SELECT migrate.resume('users.display_name');
CALL migrate.wait('contracts');
SELECT state, problem FROM migrate.status() WHERE name = 'contracts';
SELECT count(*) FROM users WHERE display_name LIKE 'n%';

-- in one script, and one that waits can be cancelled
SELECT migrate.register('both', $$
SELECT migrate.backfill('users', 'age = id::text', 'age IS NULL', name => 'ages');
ALTER TABLE users ALTER age SET NOT NULL;
$$);
SELECT migrate.apply('both', mode => 'online');
CALL migrate.wait('both');
SELECT state FROM migrate.status() WHERE name = 'both';
SELECT migrate.backfill('users', 'note = display_name', 'note IS NULL', name => 'notes', not_before => 'infinity');
SELECT migrate.register('never', 'CREATE INDEX ON users (note)');
SELECT migrate.apply('never');
SELECT migrate.cancel('never');
CALL migrate.wait('never');
SELECT state FROM migrate.status() WHERE name = 'never';
SELECT migrate.cancel('notes');

DROP SCHEMA need CASCADE;
DROP EXTENSION pgmigrate;
