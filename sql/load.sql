--
-- load(): the files of a directory of the server, in order.
--
\getenv abs_srcdir PG_ABS_SRCDIR
\set dir :abs_srcdir '/test/load'
\set wrong :abs_srcdir '/test/load/wrong'
\set here :abs_srcdir '/test'
CREATE EXTENSION pgmigrate;
CREATE SCHEMA lo;

-- names as numbers; other files, hidden ones and folders do not count
SELECT * FROM migrate.load(:'dir') WITH ORDINALITY ORDER BY ordinality;
SELECT * FROM migrate.load(:'dir') WITH ORDINALITY ORDER BY ordinality;
SELECT name, kind, description, replace(source, :'dir', '') AS source,
	checksum = encode(sha256(pg_read_binary_file(source)), 'hex') AS of_the_file
FROM migrate.migration ORDER BY name COLLATE "C";
SELECT * FROM migrate.apply_all() WITH ORDINALITY ORDER BY ordinality;
SELECT * FROM lo.t ORDER BY id;
-- what is applied and unchanged stays; what is gone from the directory too
SELECT migrate.register('V11__elsewhere', 'SELECT 1');
SELECT * FROM migrate.load(:'dir') WITH ORDINALITY ORDER BY ordinality;
SELECT name FROM migrate.status() WHERE name = 'V11__elsewhere';

-- a file that is wrong stops all of them
SELECT migrate.load(:'wrong');
SELECT count(*) FROM migrate.status() WHERE name LIKE 'W%';
-- a directory without files is not an error
SELECT * FROM migrate.load(:'here');
SELECT migrate.load('relative/path');
SELECT migrate.load('/nonexistent/regress_migrate');
BEGIN READ ONLY;
SELECT migrate.load(:'dir');
ROLLBACK;

DROP SCHEMA lo CASCADE;
DROP EXTENSION pgmigrate;
