# DROP EXTENSION takes all of it along, and CREATE EXTENSION after it works in
# the same session, whatever that session had cached.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');

# Every object of the database, and every lock.
my $traces = q(
	SELECT 'pg_namespace', nspname, nspacl::text FROM pg_namespace
	UNION ALL SELECT 'pg_class', oid::regclass::text, relacl::text FROM pg_class
		WHERE relnamespace <> 'pg_toast'::regnamespace
	UNION ALL SELECT 'pg_type', format_type(oid, NULL), typacl::text FROM pg_type
		WHERE typnamespace <> 'pg_toast'::regnamespace
	UNION ALL SELECT 'pg_proc', oid::regprocedure::text, proacl::text FROM pg_proc
	UNION ALL SELECT 'pg_constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
	UNION ALL SELECT 'pg_extension', extname, extconfig::text FROM pg_extension
	UNION ALL SELECT 'pg_default_acl', defaclnamespace::text, defaclacl::text FROM pg_default_acl
	UNION ALL SELECT 'pg_init_privs', pg_describe_object(classoid, objoid, objsubid), initprivs::text
		FROM pg_init_privs
	UNION ALL SELECT 'pg_shdepend', classid::regclass::text, refobjid::regrole::text FROM pg_shdepend
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND refclassid = 'pg_authid'::regclass
	UNION ALL SELECT 'pg_description', pg_describe_object(classoid, objoid, objsubid), description
		FROM pg_description
	UNION ALL SELECT 'pg_event_trigger', evtname, NULL FROM pg_event_trigger
	UNION ALL SELECT 'pg_roles', rolname, NULL FROM pg_roles
	UNION ALL SELECT 'pg_db_role_setting', setconfig::text, NULL FROM pg_db_role_setting
	UNION ALL SELECT 'pg_locks', locktype, mode FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
	ORDER BY 1, 2, 3;);

my $work = q(
	SELECT migrate.register('001_one', E'-- migrate:up\nCREATE TABLE one (a int);\n-- migrate:down\nDROP TABLE one;\n-- migrate:verify\nSELECT true;');
	SELECT migrate.register('002_two', 'CREATE VIEW two AS SELECT 1 AS a');
	SELECT count(*) FROM migrate.plan('001_one');
	SELECT migrate.apply_all();
	SELECT migrate.verify();
	SELECT migrate.rollback('001_one');
	SELECT migrate.resolve('002_two', 'rolled_back', 'a note');
	SELECT migrate.unregister('002_two');
	SELECT migrate.compensate('repair', 'SELECT 1');
	SELECT name, state FROM migrate.status();
	SELECT id, migration, action, outcome FROM migrate.history ORDER BY id;
	SELECT run_id, sql FROM migrate.history_statement ORDER BY run_id, part, number;
	DROP VIEW two;
);

$node->safe_psql('postgres', 'CREATE DATABASE other; CREATE ROLE worker');
my $before = $node->safe_psql('other', $traces);
my $session = $node->background_psql('other');
$session->query_safe('CREATE EXTENSION pgmigrate');
$session->query_safe(q(SELECT migrate.grant_to('worker', 'admin')));
my $first = $session->query_safe($work);
$session->query_safe('DROP EXTENSION pgmigrate');
is($node->safe_psql('other', $traces), $before, 'nothing is left behind');

foreach my $round (1 .. 3)
{
	$session->query_safe('CREATE EXTENSION pgmigrate');
	is($session->query_safe($work), $first, "created again in one session, round $round");
	$session->query_safe('DROP EXTENSION pgmigrate');
}
is($node->safe_psql('other', $traces), $before, 'still nothing');

# Created by one session, used by another that knew the one before.
my $other = $node->background_psql('other');
$session->query_safe('CREATE EXTENSION pgmigrate');
is($other->query_safe($work), $first, 'another session uses it');
$session->query_safe('DROP EXTENSION pgmigrate; CREATE EXTENSION pgmigrate');
is($other->query_safe($work), $first, 'and uses the next one');
$session->query_safe('DROP EXTENSION pgmigrate');
$other->quit;

# Inside one transaction, and one that is rolled back.
is($session->query_safe("BEGIN; CREATE EXTENSION pgmigrate; $work DROP EXTENSION pgmigrate; COMMIT"),
	$first, 'created, used and dropped in one transaction');
$session->query_safe("BEGIN; CREATE EXTENSION pgmigrate; $work ROLLBACK");
is($node->safe_psql('other', $traces), $before, 'a creation that is rolled back leaves nothing');
$session->query_safe('CREATE EXTENSION pgmigrate');
$session->query_safe("BEGIN; DROP EXTENSION pgmigrate; ROLLBACK");
is($session->query_safe($work), $first, 'a drop that is rolled back does no harm');
$session->quit;

# A schema that is there already is not adopted.
$node->safe_psql('postgres', 'CREATE DATABASE squatted; CREATE ROLE squatter');
$node->safe_psql('squatted', 'CREATE SCHEMA migrate AUTHORIZATION squatter');
my ($status, $out, $err) = $node->psql('squatted', 'CREATE EXTENSION pgmigrate');
like($err, qr/schema "migrate" already exists/, 'a schema that somebody squatted');

# A drop waits for a run, and a run for a drop.
$node->safe_psql('postgres', q(SELECT migrate.register('001_one', 'CREATE TABLE one ()')));
$session = $node->background_psql('postgres');
$session->query_safe(q(BEGIN; SELECT migrate.apply('001_one')));
my $drop = start_sql($node, 'DROP EXTENSION pgmigrate');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_locks WHERE NOT granted'),
	'DROP EXTENSION waits for a run');
my $late = start_sql($node, q(SELECT migrate.apply('001_one')));
ok($node->poll_query_until('postgres', 'SELECT count(*) = 2 FROM pg_locks WHERE NOT granted'),
	'and another run waits for it');
$session->query_safe('COMMIT');
$session->quit;
(undef, $err) = finish_sql($drop);
is($err, '', 'it is dropped after the run');
(undef, $err) = finish_sql($late);
like($err, qr/ERROR:  (42704|3F000|42883)/, 'who comes too late gets a clear error');
note($err);

done_testing();
