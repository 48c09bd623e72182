--
-- Repeatable and seed migrations run again when their script has changed.
--
CREATE EXTENSION pgmigrate;
CREATE SCHEMA kind;
CREATE TABLE kind.log (id int GENERATED ALWAYS AS IDENTITY, what text);

SELECT migrate.register('view', E'-- migrate:repeatable\nCREATE OR REPLACE VIEW kind.v AS SELECT 1 AS one; INSERT INTO kind.log (what) VALUES (''view 1'')');
SELECT migrate.register('data', E'-- migrate:seed\nINSERT INTO kind.log (what) VALUES (''data 1'')');
SELECT migrate.register('table', E'INSERT INTO kind.log (what) VALUES (''table'')');
SELECT * FROM migrate.apply_all() WITH ORDINALITY ORDER BY ordinality;
SELECT what FROM kind.log ORDER BY id;
-- once, as long as nothing changes
SELECT migrate.apply('view'), migrate.apply('data');
SELECT * FROM migrate.apply_all();
SELECT migrate.register('view', E'-- a comment\n-- migrate:repeatable\nCREATE OR REPLACE VIEW kind.v AS SELECT 1 AS one; INSERT INTO kind.log (what) VALUES (''view 1'');\n');
SELECT name, state FROM migrate.status() WHERE name = 'view';
-- a change makes it pending; what was applied is still told
SELECT migrate.register('view', E'-- migrate:repeatable\nCREATE OR REPLACE VIEW kind.v AS SELECT 1 AS one, 2 AS two; INSERT INTO kind.log (what) VALUES (''view 2'')');
SELECT name, state, kind, problem FROM migrate.status() WITH ORDINALITY ORDER BY ordinality;
SELECT migrate.verify('view');
SELECT migrate.rollback('view');
SELECT * FROM migrate.apply_all();
SELECT * FROM kind.v;
SELECT migrate.register('data', E'-- migrate:seed\n-- migrate:up\nINSERT INTO kind.log (what) VALUES (''data 2'');\n-- migrate:down\nDELETE FROM kind.log WHERE what LIKE ''data%'';');
SELECT migrate.register('zz-table', E'INSERT INTO kind.log (what) VALUES (''zz-table'')');
SELECT * FROM migrate.apply_all() WITH ORDINALITY ORDER BY ordinality;
SELECT what FROM kind.log ORDER BY id;
SELECT migration, action FROM migrate.history ORDER BY id;
-- an applied one keeps its kind
SELECT migrate.register('view', 'CREATE OR REPLACE VIEW kind.v AS SELECT 1 AS one');
SELECT migrate.register('view', E'-- migrate:seed\nCREATE OR REPLACE VIEW kind.v AS SELECT 1 AS one');
-- a pending one does not
SELECT migrate.register('pending', 'SELECT 1'), migrate.register('pending', E'-- migrate:seed\nSELECT 1');
SELECT kind FROM migrate.status() WHERE name = 'pending';
-- rolled back, it is pending as it is
SELECT migrate.rollback('data');
SELECT what FROM kind.log ORDER BY id;
SELECT migrate.apply('data');

-- what requires one that changed is not in the way, and is not run again
SELECT migrate.register('view-user', E'-- migrate:repeatable\n-- migrate:requires view\n-- migrate:up\nINSERT INTO kind.log (what) VALUES (''user'')');
SELECT migrate.apply('view-user');
SELECT migrate.register('view', E'-- migrate:repeatable\nCREATE OR REPLACE VIEW kind.v AS SELECT 1 AS one, 2 AS two, 3 AS three');
SELECT name, state, waits_for FROM migrate.status() WHERE name LIKE 'view%' ORDER BY name;
SELECT * FROM migrate.apply_all() ORDER BY name;

-- one that changed can be unregistered while it is pending; its history stays
SELECT migrate.register('view-user', E'-- migrate:repeatable\nSELECT 1');
SELECT migrate.unregister('view-user');
SELECT count(*) FROM migrate.history WHERE migration = 'view-user';

SET client_min_messages = warning;
DROP SCHEMA kind CASCADE;
DROP EXTENSION pgmigrate;
