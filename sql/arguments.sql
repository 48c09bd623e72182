--
-- Arguments: a NULL, an empty string, or an unknown word gets an error that
-- names it; and which names a migration can have.
--
CREATE EXTENSION pgmigrate;

-- NULL and empty, for every argument of every function
SELECT migrate.register(NULL, 'SELECT 1');
SELECT migrate.register('', 'SELECT 1');
SELECT migrate.register('a', NULL::text);
SELECT migrate.register('a', ''::text);
SELECT migrate.register('a', E' \n');
SELECT migrate.register('a', 'SELECT 1', '');
SELECT migrate.register('a', 'SELECT 1', source => '');
SELECT migrate.register(NULL, '\x20'::bytea);
SELECT migrate.register('', '\x20'::bytea);
SELECT migrate.register('a', NULL::bytea);
SELECT migrate.register('a', '\x'::bytea);
SELECT migrate.register('a', '\x20'::bytea, '');
SELECT migrate.unregister(NULL);
SELECT migrate.unregister('');
SELECT migrate.load(NULL);
SELECT migrate.load('');
SELECT migrate.apply(NULL);
SELECT migrate.apply('');
SELECT migrate.apply('a', NULL);
SELECT migrate.apply('a', '');
SELECT * FROM migrate.apply_all('');
SELECT migrate.rollback(NULL);
SELECT migrate.rollback('');
SELECT migrate.rollback_to(NULL);
SELECT migrate.rollback_to('');
SELECT migrate.verify(NULL);
SELECT migrate.verify('');
SELECT migrate.resolve(NULL, 'applied', 'n');
SELECT migrate.resolve('', 'applied', 'n');
SELECT migrate.resolve('a', NULL, 'n');
SELECT migrate.resolve('a', '', 'n');
SELECT migrate.resolve('a', 'applied', NULL);
SELECT migrate.baseline(NULL);
SELECT migrate.baseline('');
SELECT migrate.compensate(NULL, 'SELECT 1');
SELECT migrate.compensate('', 'SELECT 1');
SELECT migrate.compensate('r', NULL);
SELECT migrate.compensate('r', '');
SELECT migrate.plan(NULL);
SELECT migrate.plan('');
SELECT migrate.grant_to(NULL, 'admin');
SELECT migrate.grant_to('pg_monitor', NULL);
SELECT migrate.grant_to('pg_monitor', '');
SELECT migrate.revoke_from(NULL);

-- words
SELECT migrate.register('a', 'SELECT 1');
SELECT migrate.apply('a', 'offline');
SELECT migrate.apply('a', mode => 'AUTO');

SELECT migrate.resolve('a', 'failed', 'n');
SELECT migrate.grant_to('pg_monitor', 'owner');
SELECT migrate.grant_to('-', 'admin');
SELECT migrate.grant_to('regress_migrate_nobody', 'admin');
SELECT migrate.grant_to('public', 'monitor');
SELECT migrate.revoke_from('-');
SELECT migrate.plan('b');
SELECT migrate.unregister('b');

-- names
SELECT migrate.register(n, 'SELECT 1') FROM unnest('{a,Z9,_x,0,2025-09-25-wallet-add-holds,V1.2.3__x,a+b}'::text[]) n;
SELECT migrate.register(' a', 'SELECT 1');
SELECT migrate.register('a b', 'SELECT 1');
SELECT migrate.register('a/b', 'SELECT 1');
SELECT migrate.register('-a', 'SELECT 1');
SELECT migrate.register('.a', 'SELECT 1');
SELECT migrate.register('a,b', 'SELECT 1');
SELECT migrate.register('a"b', 'SELECT 1');
SELECT migrate.register(E'a\nb', 'SELECT 1');
SELECT migrate.register(E'a\\b', 'SELECT 1');
SELECT migrate.register('a;DROP TABLE x', 'SELECT 1');
SELECT migrate.register(repeat('n', 200), 'SELECT 1');
SELECT migrate.register(repeat('n', 201), 'SELECT 1');
SELECT length(name) FROM migrate.status() WHERE name LIKE 'nnn%';
-- names are case-sensitive
SELECT migrate.apply('z9');

-- more than once in one statement, with other things around it
SELECT migrate.register(n, s) FROM (VALUES ('x', 'SELECT 1'), ('x', 'SELECT 2'), ('x', NULL)) v(n, s);
SELECT count(*) FROM migrate.status() WHERE name = 'x';

DROP EXTENSION pgmigrate;
