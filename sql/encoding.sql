--
-- Characters of more than one byte: in names, in what is stored, in error
-- positions; and databases of other encodings.
--
\set main :DBNAME
CREATE DATABASE regress_migrate_utf8 TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE regress_migrate_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE regress_migrate_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_migrate_utf8
SET client_encoding = 'UTF8';
CREATE EXTENSION pgmigrate;
SET pgmigrate.out_of_order = allow;
CREATE TABLE "größe" ("straße" text);

-- the bytes of the file count, the text is the same
SELECT migrate.register('2025-01-größe', convert_to(E'-- Größe: 10 €\nSELECT ''日本'';\n', 'UTF8'));
SELECT checksum = encode(sha256(convert_to(E'-- Größe: 10 €\nSELECT ''日本'';\n', 'UTF8')), 'hex') AS of_the_bytes, script
FROM migrate.migration;
SELECT migrate.register('2025-01-größe', E'-- Größe: 10 €\nSELECT ''日本'';\n'::text);
SELECT migrate.apply('2025-01-größe');
SELECT sql FROM migrate.history_statement;
-- also when the client speaks something else
SET client_encoding = 'LATIN1';
SELECT migrate.register('2025-01-gr' || chr(246) || chr(223) || 'e', '\x2d2d204772c3b6c39f653a20313020e282ac0a53454c4543542027e697a5e69cac273b0a'::bytea);
SET client_encoding = 'UTF8';

-- positions are in characters, behind any number of them
SELECT migrate.register('2', E'/* äöü€日本𝄞 */ SELECT ''€𝄞'', nope FROM "größe";');
SELECT migrate.apply('2');
SELECT migrate.register('3', E'SELECT ''ä'';\n-- migrate:größe\n');
SELECT migrate.register('3', E'SELECT ''€€€''; SELEKT 1;');
SELECT migrate.register('3', E'-- migrate:up\nSELECT ''€'';\n-- migrate:down\n/* € */ SELECT ''𝄞'' FROM FROM;');
SELECT migrate.register('3', E'-- migrate:requires ä, ö ü\nSELECT 1');
SELECT migrate.register('3', E'-- migrate:requires ä€, ö\n-- migrate:description für später: €\nSELECT ''ä'' AS "€"');
SELECT requires, description FROM migrate.migration WHERE name = '3';
SELECT migrate.register('a€ b', 'SELECT 1');
SELECT migrate.register(repeat('€', 67), 'SELECT 1');
SELECT migrate.register(repeat('€', 66), 'SELECT 1');
SELECT migrate.unregister(repeat('€', 66));
-- a plan cuts between characters
SELECT sql, length(sql) FROM migrate.plan('3');
SELECT migrate.register('4', 'SELECT ''' || repeat('€', 100) || '''');
SELECT sql FROM migrate.plan('4');
SELECT migrate.register('5', 'SELECT ''' || repeat('x', n) || repeat('𝄞', 30) || '''') FROM generate_series(0, 3) n;

\c regress_migrate_latin1
SET client_encoding = 'UTF8';
CREATE EXTENSION pgmigrate;
-- a file is UTF-8 here too; what the database cannot hold is refused
SELECT migrate.register('1', '\x2d2d204772c3b6c39f650a53454c4543542027c3a4272c206e6f70653b'::bytea);
SELECT script, length(script), checksum = encode(sha256('\x2d2d204772c3b6c39f650a53454c4543542027c3a4272c206e6f70653b'), 'hex') AS of_the_bytes FROM migrate.migration;
SELECT migrate.apply('1');
SELECT migrate.register('2', '\x53454c4543542027e282ac273b'::bytea);
SELECT migrate.register('3', '\x53454c4543542027e4273b'::bytea);

\c regress_migrate_ascii
SET client_encoding = 'SQL_ASCII';
CREATE EXTENSION pgmigrate;
-- bytes are bytes
SELECT migrate.register('1', '\x53454c4543542027e282ac273b'::bytea);
SELECT length(script), octet_length(script) FROM migrate.migration;
SELECT migrate.apply('1');
SELECT migrate.register('2', '\x53454c4543542027e4273b'::bytea);

\c :"main"
DROP DATABASE regress_migrate_utf8;
DROP DATABASE regress_migrate_latin1;
DROP DATABASE regress_migrate_ascii;
