# What is committed survives a crash, what is not leaves nothing: neither
# objects, nor records, nor locks.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');

register($node, '001_kept', "-- migrate:up\nCREATE TABLE kept (a int);\n-- migrate:verify\nSELECT true;");
register($node, '002_undone', "-- migrate:up\nCREATE TABLE undone (a int);\n-- migrate:down\nDROP TABLE undone;");
register($node, '003_pending', 'CREATE TABLE pending (a int)');
$node->safe_psql('postgres', q(
	SELECT migrate.apply('001_kept'), migrate.apply('002_undone');
	SELECT migrate.rollback('002_undone');));
my $before = records($node);

$node->stop('immediate');
$node->start;
is(records($node), $before, 'records survive an immediate stop');
is($node->safe_psql('postgres', q(SELECT state FROM migrate.status())),
	"applied\nrolled_back\npending", 'states survive an immediate stop');
is($node->safe_psql('postgres', 'SELECT migrate.apply_all()'),
	"(002_undone,applied)\n(003_pending,applied)", 'work goes on after it');

# A run that was not committed when the server went down.
register($node, '004_open', 'CREATE TABLE open (a int)');
$before = records($node);
my $session = $node->background_psql('postgres');
is($session->query_safe(q(BEGIN; SELECT migrate.apply('004_open'))),
	'applied', 'apply in an open transaction');
$node->stop('immediate');
eval { $session->{run}->finish };
$node->start;
is($node->safe_psql('postgres', q(SELECT to_regclass('open') IS NULL)),
	't', 'the open run left no table');
is(records($node), $before, 'and no record');
is($node->safe_psql('postgres', q(SELECT migrate.apply('004_open'))),
	'applied', 'it can be applied afterwards');

# Runs whose backend is terminated, or cancelled, at work, while it waits for
# a table, and while it waits for another run.
register($node, '005_slow', 'CREATE TABLE slow (a int); SELECT pg_sleep(600);');
register($node, '006_wait', 'CREATE TABLE wait (a int); ALTER TABLE kept ADD b int;');
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN; SELECT * FROM kept');

sub interrupt
{
	my ($function, $name, $activity) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM migrate.run');
	my $victim = start_sql($node,
		"SET application_name = 'victim'; SET pgmigrate.lock_retries = 1000; SELECT migrate.apply('$name')");

	ok($node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'victim' AND $activity"),
		"$name: at work");
	$node->safe_psql('postgres',
		"SELECT $function(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
	my ($out, $err) = finish_sql($victim);
	like($err, $function =~ /terminate/ ? qr/57P01/ : qr/57014/, "$name: stopped by $function");
	ok($node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'victim'"), "$name: gone");
	is($node->safe_psql('postgres', q(SELECT to_regclass('slow'), to_regclass('wait'),
		(SELECT count(*) FROM migrate.run), (SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
		WHERE backend_type = 'client backend' AND mode NOT IN ('AccessShareLock', 'ExclusiveLock')))),
		"||$before|0", "$name: no object, no record, no lock");
	return;
}

# Terminated while a timer ticks fast, again and again: the server stays up.
my $terminated = 0;
foreach (1 .. 20)
{
	my $victim = start_sql($node, q(SET application_name = 'ticking'; SET pgmigrate.lock_timeout = 1; SELECT migrate.apply('005_slow')));

	$terminated += $node->poll_query_until('postgres', q(SELECT count(pg_terminate_backend(pid)) = 1 FROM pg_stat_activity
		WHERE application_name = 'ticking' AND wait_event = 'PgSleep'));
	finish_sql($victim);
}
is($terminated, 20, 'all of them were terminated');
unlike(slurp_file($node->logfile), qr/was terminated by signal/, 'no session crashes when it is terminated');

foreach my $function ('pg_terminate_backend', 'pg_cancel_backend')
{
	interrupt($function, '005_slow', "wait_event = 'PgSleep'");
	interrupt($function, '006_wait', "wait_event_type = 'Extension'");
	my $holder = start_sql($node, q(SET application_name = 'holder'; SELECT migrate.apply('005_slow')));
	ok($node->poll_query_until('postgres',
		q(SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep')), 'holder: at work');
	my $waiter = start_sql($node, q(SELECT migrate.register('007_x', 'SELECT 1')));
	ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted)),
		'waiter: waits');
	$node->safe_psql('postgres',
		q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'));
	finish_sql($holder);
	my ($out) = finish_sql($waiter);
	like($out, qr/^(registered|unchanged)$/, 'who waited for a killed run goes on');
}
$reader->query_safe('COMMIT');
$reader->quit;
is($node->safe_psql('postgres', q(SELECT migrate.apply('006_wait'))),
	'applied', 'the next run works');

done_testing();
