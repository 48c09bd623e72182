--
-- What has no place in a migration is refused when it is registered, with its
-- line: psql commands, data for COPY, transaction control, and all but looking
-- in the parts that only look.
--
CREATE EXTENSION pgmigrate;

-- psql commands
SELECT migrate.register('bad', E'SELECT 1;\n\\i other.sql\n');
SELECT migrate.register('bad', E'SELECT 1 \\gset\n');
SELECT migrate.register('bad', E'-- migrate:up\nSELECT 1;\n-- migrate:down\n\\echo bye');
-- but not what only looks like one
SELECT migrate.register('backslashes', E'SELECT ''\n\\d'', $$\n\\d$$ -- \\d\n');

-- data
SELECT migrate.register('bad', E'CREATE TABLE t (a int);\nCOPY t FROM STDIN;\n1\n2\n\\.\n');
SELECT migrate.register('bad', E'copy t (a)\nfrom stdin with (format csv);\n"it''s";\n');
SELECT migrate.register('bad', E'COPY t TO STDOUT;');
SELECT migrate.register('bad', E'COPY (SELECT a FROM stdin) TO STDOUT;');
-- but not COPY with a file or program, nor a table that is called stdin
SELECT migrate.register('copy-file', E'COPY t FROM ''/dev/null''; COPY (SELECT a FROM stdin) TO PROGRAM ''true''; SELECT 1 FROM stdin');

-- transaction control
DO $do$
DECLARE
	command text;
	message text;
	hint text;
	context text;
BEGIN
	FOREACH command IN ARRAY ARRAY['BEGIN', 'START TRANSACTION', 'COMMIT', 'END', 'ROLLBACK', 'ABORT',
		'COMMIT AND CHAIN', 'SAVEPOINT a', 'RELEASE a', 'ROLLBACK TO a', 'PREPARE TRANSACTION $$a$$',
		'COMMIT PREPARED $$a$$', 'ROLLBACK PREPARED $$a$$'] LOOP
		BEGIN
			PERFORM migrate.register('bad', E'SELECT 1;\n\n' || command || E';\nSELECT 2;');
			RAISE INFO '%: not refused', command;
		EXCEPTION WHEN syntax_error THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT,
				context = PG_EXCEPTION_CONTEXT;
			RAISE INFO '% (%; %)', message, hint, split_part(context, E'\n', 1);
		END;
	END LOOP;
END
$do$;
SELECT migrate.register('bad', E'-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\nCOMMIT;');
-- inside a function body it is the function's matter
SELECT migrate.register('procedure', E'CREATE PROCEDURE p() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$');

-- parts that only look
SELECT migrate.register('bad', E'-- migrate:up\n-- migrate:verify\nSELECT 1;\nDELETE FROM t;');
SELECT migrate.register('bad', E'-- migrate:up\n-- migrate:check\nCREATE TABLE t (a int);');
SELECT migrate.register('bad', E'-- migrate:up\n-- migrate:check\nCALL p();');
SELECT migrate.register('looks', $$-- migrate:up
-- migrate:check
SET LOCAL work_mem = '1MB'; SHOW work_mem; SELECT true; VALUES (true); TABLE pg_class;
WITH x AS (SELECT true) SELECT * FROM x; EXPLAIN SELECT 1;
DO 'BEGIN END';
$$);

-- syntax errors in any part, with the line in the script
SELECT migrate.register('bad', E'-- migrate:up\nSELECT 1;\n-- migrate:down\n\nDROP TABEL t;');
SELECT migrate.register('bad', E'-- migrate:up\nSELECT 1;\n-- migrate:verify\nSELECT (1;');
SELECT migrate.register('bad', E'SELECT 1;\nSELECT ''open;\nSELECT 2;');
SELECT migrate.register('bad', E'SELECT 1;\n/* open;\nSELECT 2;');
SELECT migrate.register('bad', E'SELECT 1;\nSELECT $x$ open;\nSELECT 2;');
SELECT migrate.register('bad', E'SELECT 1;\nSELECT "open;\nSELECT 2;');
SELECT migrate.register('bad', E'SELECT 1;\nSELECT ""');
SELECT migrate.register('bad', E'SELECT 1;\nSELECT 1 FROM');
SELECT migrate.register('bad', E'SELECT U&''\\00zz''');
-- a statement ends where its part ends
SELECT migrate.register('bad', E'-- migrate:up\nSELECT (1\n-- migrate:down\n);');

SELECT name FROM migrate.migration ORDER BY name;
DROP EXTENSION pgmigrate;
