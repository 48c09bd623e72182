--
-- Marker comments: which there are, where they count, and what is refused at
-- registration, with its line.
--
CREATE EXTENSION pgmigrate;

-- every marker at once, the ones for the whole script wherever they stand
SELECT migrate.register('all', $$
-- migrate:description holds for orders
-- migrate:requires base, other-base
-- migrate:conflicts rival
-- migrate:up mode:atomic
SELECT 'up';
-- migrate:check
SELECT 'check';
-- migrate:down
SELECT 'down';
-- migrate:repeatable
-- migrate:verify
SELECT 'verify';
$$);
SELECT kind, requires, conflicts, description, transactional FROM migrate.migration WHERE name = 'all';
-- no marker: all of it is up; a marker for the whole script makes no part
SELECT migrate.register('plain', 'SELECT 1; SELECT 2');
SELECT migrate.register('plain-seed', E'-- migrate:seed\nSELECT 1; SELECT 2;');
SELECT name, kind FROM migrate.migration WHERE name LIKE 'plain%' ORDER BY name;
-- a file of dbmate, unchanged
SELECT migrate.register('20250925101500_dbmate', $$-- migrate:up
create table users (
  id integer,
  name varchar(255)
);

-- migrate:down
drop table users;
$$);
SELECT migrate.register('dbmate-options', E'-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down');
SELECT migrate.register('spaces', E'--migrate:up   mode:auto  \n\tSELECT 1;\n--  \t migrate:down\nSELECT 2;');
-- an empty up part has to be marked
SELECT migrate.register('empty', E'-- migrate:up\n-- migrate:down\nDROP TABLE t;');
SELECT migrate.register('empty-comment', E'-- nothing to see\n');
SELECT migrate.register('empty-down', E'-- migrate:down\nDROP TABLE t;');
SELECT name, transactional FROM migrate.migration ORDER BY name;

-- these are no markers: in strings, dollar quotes, block comments and names
SELECT migrate.register('not-markers', $script$
SELECT '
-- migrate:down
', E'
-- migrate:oops
', $$
-- migrate:verify
$$ AS "
-- migrate:up
"; /* 
-- migrate:down
/* nested
-- migrate:check */
-- migrate:seed */
SELECT 1; -- no migrate:down either
SELECT 2 -- (migrate:check)
;
-- migrated: not ours, and migrate is a word like another
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC
	SELECT 1;
	SELECT '
-- migrate:repeatable
'::text;
	SELECT 2;
END;
$script$);
SELECT statement, line, sql FROM migrate.plan('not-markers');

-- misspelt and unknown
SELECT migrate.register('bad', E'SELECT 1;\n-- migrate:donw\nDROP TABLE t;');
SELECT migrate.register('bad', E'-- migrate:\nSELECT 1;');
SELECT migrate.register('bad', E'-- migrate:up:\nSELECT 1;');
SELECT migrate.register('bad', E'-- migrate:UP\nSELECT 1;');
-- not on a line of their own
SELECT migrate.register('bad', E'SELECT 1;\n  -- migrate:down\nDROP TABLE t;');
SELECT migrate.register('bad', E'SELECT 1; -- migrate:down\nDROP TABLE t;');
SELECT migrate.register('bad', E'-- Migrate:Up\nSELECT 1;');
-- repeated and contradicting
SELECT migrate.register('bad', E'-- migrate:up\nSELECT 1;\n-- migrate:down\n-- migrate:up\n');
SELECT migrate.register('bad', E'-- migrate:up\nSELECT 1;\n-- migrate:seed\n-- migrate:repeatable\n');
SELECT migrate.register('bad', E'-- migrate:requires a\n-- migrate:requires b\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:requires a, b, a\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:requires a\n-- migrate:conflicts b, a\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:up mode:atomic mode:online\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:up mode:atomic transaction:false\nSELECT 1');
-- what a marker takes
SELECT migrate.register('bad', E'-- migrate:up mode:fast\nSELECT 1;');
SELECT migrate.register('bad', E'-- migrate:up\nSELECT 1;\n-- migrate:down now\n');
SELECT migrate.register('bad', E'-- migrate:requires\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:requires a,\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:requires a b\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:requires bad\nSELECT 1');
SELECT migrate.register('bad', E'-- migrate:description\nSELECT 1');
-- a statement before the first part
SELECT migrate.register('bad', E'-- what for?\n\nSET x.y = 1;\n-- migrate:up\nSELECT 1;');
SELECT count(*) AS bad FROM migrate.migration WHERE name = 'bad';

DROP EXTENSION pgmigrate;
