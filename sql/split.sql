--
-- Statements are split by the server's parser, and numbered and placed as the
-- person who wrote the script sees them.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA split;
SET pgmigrate.out_of_order = allow;

-- semicolons that end no statement
SELECT migrate.register('dollars', $script$
CREATE TABLE split.log (n int, t text);
INSERT INTO split.log VALUES (1, 'a;b'), (2, E'c\';d'), (3, $$e;f$$), (4, $x$g;$$;h$x$);
CREATE FUNCTION split.f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	/* ; /* ; */ */
	EXECUTE $q$SELECT 1;$q$; -- ;
	RETURN 2;
END;
$$;
DO $$ BEGIN INSERT INTO split.log VALUES (5, 'do; done'); END $$;
/* a comment; /* with; another; */ in; it */ INSERT INTO split.log /* ; */ VALUES (6, ';') -- ;
;;; ;
INSERT INTO split.log SELECT 7, "x;y" FROM (SELECT 'z' AS "x;y") s
$script$);
SELECT migrate.apply('dollars');
SELECT number, line, command, rows, split_part(sql, E'\n', 1) AS sql
FROM migrate.history_statement WHERE migration = 'dollars' ORDER BY number;
SELECT * FROM split.log ORDER BY n;
SELECT split.f();

-- SQL-standard bodies, nested CASE ... END included
SELECT migrate.register('atomic', $script$
CREATE FUNCTION split.g(x int) RETURNS text LANGUAGE sql BEGIN ATOMIC
	SELECT 1;
	SELECT CASE WHEN x > 0 THEN 'plus;' ELSE 'minus;' END;
END;
CREATE PROCEDURE split.p() BEGIN ATOMIC INSERT INTO split.log VALUES (8, ';'); END; SELECT 3
$script$);
SELECT statement, line, sql FROM migrate.plan('atomic');
SELECT migrate.apply('atomic');
SELECT split.g(1);

-- rules with several actions are one statement
SELECT migrate.register('rule', $script$CREATE RULE r AS ON DELETE TO split.log DO INSTEAD
(
	SELECT 1;
	UPDATE split.log SET t = ';' WHERE n = OLD.n;
); SELECT 2; CREATE SCHEMA split_inner CREATE TABLE t (a int) CREATE VIEW v AS SELECT a FROM t;
DROP SCHEMA split_inner CASCADE$script$);
SELECT statement, line, kind FROM migrate.plan('rule');
SELECT migrate.apply('rule');

-- parts need no semicolon at their end, and know nothing of each other
SELECT migrate.register('open', $script$-- migrate:up
INSERT INTO split.log VALUES (20, 'up')
-- migrate:down
UPDATE split.log SET t = 'down' WHERE n = 20
-- migrate:check
SELECT count(*) > 0 FROM split.log
-- migrate:verify
SELECT t = 'up' FROM split.log WHERE n = 20
$script$);
SELECT migrate.apply('open');
SELECT passed FROM migrate.verify('open');
SELECT migrate.rollback('open');
SELECT action, part, number, line, sql FROM migrate.history_statement WHERE migration = 'open'
ORDER BY run_id, line;
SELECT t FROM split.log WHERE n = 20;

-- strings are read as they were when the script was registered
SET escape_string_warning = off;
SET standard_conforming_strings = off;
SELECT migrate.register('escapes', $script$INSERT INTO split.log VALUES (30, 'it\'s; one'), (31, 'a\\b')$script$);
SELECT migrate.register('escapes-marker', $script$-- migrate:up
INSERT INTO split.log VALUES (32, 'x\'
-- migrate:down
;')$script$);
SET standard_conforming_strings = on;
SELECT statement, sql FROM migrate.plan('escapes');
SELECT migrate.apply('escapes'), migrate.apply('escapes-marker');
SHOW standard_conforming_strings;
SELECT migrate.register('backslash', $script$INSERT INTO split.log VALUES (33, 'C:\'), (34, 'a\\b')$script$);
SET standard_conforming_strings = off;
SELECT migrate.apply('backslash');
SHOW standard_conforming_strings;
SET standard_conforming_strings = on;
SELECT * FROM split.log WHERE n >= 30 ORDER BY n;
-- the same text, read otherwise, is another script
SELECT migrate.register('escapes-twice', $script$SELECT 'a\\b'$script$);
SET standard_conforming_strings = off;
SELECT migrate.register('escapes-twice', $script$SELECT 'a\\b'$script$);
SET standard_conforming_strings = on;
SELECT migrate.register('escapes-twice', $script$SELECT 'a\\b'$script$);
RESET escape_string_warning;

-- the line of a statement is that of its first word, not of what is before it
SELECT migrate.register('lines', E'\n\n-- comment\n/* more\n*/ SELECT 1; SELECT\n2;\r\n\r\n SELECT 3;\n\n\n');
SELECT statement, line, sql FROM migrate.plan('lines');

DROP SCHEMA split CASCADE;
DROP EXTENSION pgmigrate;
