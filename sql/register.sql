--
-- register() and unregister(): what becomes of a script that is new, the same,
-- changed, or not even text.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA reg;

-- new, the same, replaced
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id int)');
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id int)');
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id bigint)');
-- while nothing was applied, a comment counts as well: it is kept as written
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id bigint) -- the key');
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id bigint)');
-- named arguments; a description or source replaces the one there was, none keeps it
SELECT migrate.register(name => '0001-a', script => 'CREATE TABLE reg.a (id bigint)',
	description => 'the a table', source => 'a.sql');
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id bigint)');
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id bigint)', source => 'sub/a.sql');
SELECT name, kind, state, script, transactional, requires, conflicts, description, source
FROM migrate.migration ORDER BY name;
-- the description of the marker, and the one of the call before it
SELECT migrate.register('0002-b', E'-- migrate:description  from the marker \n-- migrate:up\nSELECT 1');
SELECT migrate.register('0003-c', E'-- migrate:description from the marker\n-- migrate:up\nSELECT 1',
	'from the call');
SELECT name, description FROM migrate.migration WHERE name > '0002' ORDER BY name;
-- registering runs nothing, and does not need what the script needs
SELECT migrate.register('0004-d', 'INSERT INTO reg.nowhere VALUES (1)');
SELECT to_regclass('reg.a'), count(*) FROM migrate.history;

-- an applied one is unchanged by another comment, other white space, other case
SELECT migrate.apply('0001-a');
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id bigint)');
SELECT migrate.register('0001-a', E'-- hello\ncreate  table REG.A (\n\tid bigint  /* the key */\n);\n');
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id bigint)', 'another description');
-- what was applied stays what is kept
SELECT script, description, source FROM migrate.migration WHERE name = '0001-a';
-- anything else is refused
SELECT migrate.register('0001-a', 'CREATE TABLE reg.a (id int)');
SELECT migrate.register('0001-a', E'-- migrate:up\nCREATE TABLE reg.a (id bigint);\n-- migrate:down\nDROP TABLE reg.a');
SELECT migrate.register('0001-a', E'-- migrate:repeatable\nCREATE TABLE reg.a (id bigint)');
SELECT migrate.register('0001-a', E'-- migrate:requires 0004-d\nCREATE TABLE reg.a (id bigint)');

-- a broken script registers nothing and replaces nothing
SELECT migrate.register('0004-d', 'INSERT INTO reg.nowhere VALUE (1)');
SELECT migrate.register('0005-e', E'SELECT 1;\nSELEKT 2;');
SELECT name, script FROM migrate.migration WHERE name > '0004' ORDER BY name;

-- bytes: the checksum is the one of the file, whatever the client sends
SELECT migrate.register('0010-bytes', 'SELECT 1;'::bytea || '\x0A');
SELECT checksum, checksum = encode(sha256('\x53454C45435420313B0A'), 'hex') AS of_the_bytes, script
FROM migrate.migration WHERE name = '0010-bytes';
SELECT migrate.register('0010-bytes', E'SELECT 1;\n'::text);
-- a byte order mark is not part of the script, but of the bytes
SELECT migrate.register('0011-bom', '\xEFBBBF'::bytea || 'SELECT 1;');
SELECT script, checksum = encode(sha256('\xEFBBBF53454C45435420313B'), 'hex') AS of_the_bytes
FROM migrate.migration WHERE name = '0011-bom';
-- carriage returns are white space for markers too
SELECT migrate.register('0012-crlf', convert_to(
	E'-- migrate:requires 0001-a\r\n-- migrate:up\r\nSELECT 1;\r\n-- migrate:down\r\nSELECT 2;\r\n', 'UTF8'));
SELECT requires, length(script) FROM migrate.migration WHERE name = '0012-crlf';
-- what is not UTF-8, or has a zero byte, is refused with its line
SELECT migrate.register('0013-latin1', 'SELECT 1;'::bytea || '\x0A' || '-- Gr' || '\xF6DF' || 'e');
SELECT migrate.register('0014-cut', 'SELECT 1 -- '::bytea || '\xE282');
SELECT migrate.register('0015-zero', '\x53454C4543540031'::bytea);
SELECT migrate.register('0016-overlong', 'SELECT 1 -- '::bytea || '\xC0AF');
SELECT migrate.register('0017-empty', ''::bytea);
SELECT count(*) FROM migrate.migration WHERE name > '0013';

-- unregister() forgets what is pending or rolled back, and nothing else
SELECT migrate.unregister('0001-a');
SELECT migrate.unregister('0004-d');
SELECT migrate.unregister('0004-d');
SELECT migrate.register('0020-undone', E'-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;');
SELECT migrate.apply('0020-undone');
SELECT migrate.rollback('0020-undone');
SELECT migrate.register('0020-undone', E'-- migrate:up\nSELECT 3;\n-- migrate:down\nSELECT 2;');
SELECT migrate.unregister('0020-undone');
SELECT count(*) FROM migrate.migration WHERE name = '0020-undone';
-- its runs stay in the history
SELECT migration, action FROM migrate.history WHERE migration = '0020-undone' ORDER BY id;

-- all of it is transactional
BEGIN;
SELECT migrate.register('0030-gone', 'SELECT 1');
ROLLBACK;
SELECT count(*) FROM migrate.migration WHERE name = '0030-gone';
BEGIN READ ONLY;
SELECT migrate.register('0030-gone', 'SELECT 1');
ROLLBACK;

DROP SCHEMA reg CASCADE;
DROP EXTENSION pgmigrate;
