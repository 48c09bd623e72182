# A command that commits by itself is stopped in the middle: its worker is ended,
# the server is, or somebody pauses, cancels or undoes the run.  What it has left
# half done goes, and the run comes to one end or the other.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use PgMigrateTest;

my $node = new_node('main', conf => [ q(shared_preload_libraries = 'pgmigrate'), 'restart_after_crash = on',
		'autovacuum = off', 'max_worker_processes = 16', 'pgmigrate.online_threshold = 0',
		'pgmigrate.backfill_courtesy = 100', 'log_statement = none' ]);
my $only = $ENV{PGMIGRATE_CASES} // '';
my $share = $ENV{PGMIGRATE_SHARE} // ($only ne '' ? 100 : amount(100, 20));
my $seed = $ENV{PGMIGRATE_SEED} // time ^ $$;

srand($seed);
diag("seed $seed, $share % of the cases");

$node->safe_psql('postgres', 'CREATE DATABASE fixture');
$node->safe_psql('fixture', q(
	CREATE EXTENSION pgmigrate;
	CREATE TABLE t (a int PRIMARY KEY, b text, n int NOT NULL DEFAULT 0);
	INSERT INTO t SELECT g, repeat('x', g % 100) || g FROM generate_series(1, 6000) g;
	CREATE INDEX tb ON t (b);
	CREATE TABLE part (id int, at date) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (100) TO (200);
	INSERT INTO part SELECT g, date '2025-01-01' + g FROM generate_series(0, 199) g;
	CREATE INDEX part_at ON part (at);
	ANALYZE;));

# Each: the script, what holds it up, and how it is seen that it is there.
my $waits = q(SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase = '%s');
my $writer = 'INSERT INTO t VALUES (-1)';
my $reader = 'SELECT count(*) FROM t';
my $snapshot = 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1';
my @cases = (
	[ 'create, writers', 'CREATE INDEX CONCURRENTLY fresh ON t (b, a)', $writer, sprintf $waits, 'waiting for writers before build' ],
	[ 'create, snapshots', 'CREATE INDEX CONCURRENTLY fresh ON t (b, a)', $snapshot, sprintf $waits, 'waiting for old snapshots' ],
	[ 'create unnamed', 'CREATE INDEX CONCURRENTLY ON t (b, a)', $writer, sprintf $waits, 'waiting for writers before build' ],
	[ 'create, composed', 'CREATE UNIQUE INDEX ON t (b, a)', $writer, sprintf $waits, 'waiting for writers before build' ],
	[ 'create, partitions', 'CREATE INDEX ON part (id, at)', 'INSERT INTO part_2 VALUES (150)', sprintf $waits, 'waiting for writers before build' ],
	[ 'key', 'ALTER TABLE t ADD CONSTRAINT fresh UNIQUE (b)', $writer, sprintf $waits, 'waiting for writers before build' ],
	[ 'reindex, writers', 'REINDEX INDEX CONCURRENTLY tb', $writer, sprintf $waits, 'waiting for writers before build' ],
	[ 'reindex, snapshots', 'REINDEX INDEX CONCURRENTLY tb', $snapshot, sprintf $waits, 'waiting for old snapshots' ],
	[ 'reindex, readers', 'REINDEX INDEX CONCURRENTLY tb', $reader, sprintf $waits, 'waiting for readers before marking dead' ],
	[ 'reindex table with TOAST', 'REINDEX TABLE CONCURRENTLY t', $writer, sprintf $waits, 'waiting for writers before build' ],
	[ 'reindex partitioned table', 'REINDEX TABLE CONCURRENTLY part', $snapshot, sprintf $waits, 'waiting for old snapshots' ],
	[ 'reindex schema', 'REINDEX SCHEMA CONCURRENTLY public', $writer, sprintf $waits, 'waiting for writers before build' ],
	[ 'drop', 'DROP INDEX CONCURRENTLY tb', $reader, q(SELECT count(*) FROM pg_index WHERE indexrelid = 'tb'::regclass AND NOT indisvalid) ],
	[ 'drop, composed', 'DROP INDEX tb', $reader, q(SELECT count(*) FROM pg_index WHERE indexrelid = 'tb'::regclass AND NOT indisvalid) ],
	[ 'detach', 'ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY', 'SELECT count(*) FROM part', 'SELECT count(*) FROM pg_inherits WHERE inhdetachpending' ],
	[ 'detach, composed', 'ALTER TABLE part DETACH PARTITION part_1', 'SELECT count(*) FROM part', 'SELECT count(*) FROM pg_inherits WHERE inhdetachpending' ],
	[ 'backfill', 'UPDATE t SET n = n + 1', 'SELECT FROM t WHERE a = 3000 FOR UPDATE', q(SELECT count(*) FROM migrate.run_progress r JOIN migrate.backfill_history b ON b.id = r.job_id WHERE b.state = 'running') ],
);
my %ways = (
	terminated => sub { my ($pid) = @_; $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)") },
	crashed => sub { my ($pid) = @_; kill 'KILL', $pid; poll(sub { !kill 0, $pid }) },
	restarted => sub { $node->stop('immediate'); $node->start },
	paused => sub { my ($pid, $database) = @_; $node->safe_psql($database, q(SELECT migrate.pause('m'))) },
	cancelled => sub { my ($pid, $database) = @_; $node->safe_psql($database, q(SELECT migrate.cancel('m'))) },
	undone => sub { my ($pid, $database) = @_; $node->safe_psql($database, q(SELECT migrate.rollback('m'))) },
);

# Returns what is wrong, nothing if all is well.
sub stop_in_the_middle
{
	my ($case, $way) = @_;
	my ($name, $script, $sql, $reached) = @$case;
	my ($held, $ended, @wrong);

	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $_ WITH (FORCE)"), $node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE fixture")
	  foreach 'naive', 'online';
	$node->safe_psql('naive', $script);
	register($node, 'm', "-- migrate:up mode:online\n$script", 'online');
	$held = hold($node, $sql, 'online');
	$node->safe_psql('online', q(SELECT migrate.apply('m')));
	defined poll(sub { (try_sql($node, $reached, 'online') // 0) > 0 }, 20) or push @wrong, "it does not come to where it is held up";
	eval { $ways{$way}->((run_row($node, 'm', 'online'))[4], 'online'); 1 } or push @wrong, "it cannot be: $@" unless @wrong;
	# a run that is stopped has no process: then nobody waits for the session
	if ($way eq 'paused')
	{
		defined poll(sub { my @row = run_row($node, 'm', 'online'); $row[0] eq 'paused' && $row[4] eq '' }, 20)
		  or push @wrong, 'it is not paused: ' . join ' ', run_row($node, 'm', 'online');
		release($held);
		try_sql($node, q(SELECT migrate.resume('m')), 'online');
	}
	else
	{
		usleep(200_000);
		poll(sub { defined try_sql($node, 'SELECT 1') });
		release($held);
	}
	$ended = run_ends($node, 'm', 'online', 30) // '';
	push @wrong, "ended as $ended" if $ended ne ($way =~ /^(cancelled|undone)$/ ? 'cancelled' : 'succeeded');
	push @wrong, no_remains($node, 'online');
	# rows that are changed stay so
	if (join('', @wrong) eq '' && "$name, $way" ne 'backfill, cancelled')
	{
		my $naive = differs($node, 'naive', 'online');

		# what is stopped on purpose is done or not; what was on its way to go is back
		push @wrong, differs($node, 'fixture', 'online') if $ended eq 'cancelled' && ($naive ne '' || $name =~ /^(drop|detach)/);
		push @wrong, $naive if $ended ne 'cancelled';
	}
	return join "\n", grep { $_ ne '' } @wrong;
}

foreach my $case (@cases)
{
	foreach my $way ('terminated', 'crashed', 'paused', 'cancelled', 'undone')
	{
		# nothing undoes a change of rows
		next if $way eq 'undone' && $case->[0] !~ /^(create|key|drop|detach)/;
		next if "$case->[0], $way" !~ /(?:$only)/ || rand 100 >= $share;
		is(stop_in_the_middle($case, $way), '', "$case->[0]: $way");
	}
}

# What another session works on at that moment is none of its business.
if ('another reindex' =~ /(?:$only)/)
{
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS online WITH (FORCE)');
	$node->safe_psql('postgres', 'CREATE DATABASE online TEMPLATE fixture');
	$node->safe_psql('online', 'CREATE TABLE x (a int); CREATE INDEX xa ON x (a)');
	my @held = (hold($node, $writer, 'online'), hold($node, 'INSERT INTO x VALUES (1)', 'online'));
	my $other = start_sql($node, 'REINDEX INDEX CONCURRENTLY xa', $node->connstr('online'));
	my $pid;

	register($node, 'm', 'REINDEX INDEX CONCURRENTLY tb', 'online');
	$node->safe_psql('online', q(SELECT migrate.apply('m')));
	poll(sub { try_sql($node, q(SELECT count(*) FROM pg_class WHERE relname IN ('xa_ccnew', 'tb_ccnew')), 'online') eq '2' });
	$pid = (run_row($node, 'm', 'online'))[4];
	$node->safe_psql('online', "SELECT pg_terminate_backend($pid)");
	# it has to come to the other session's index while that is built
	release($held[0]);
	poll(sub { my @row = run_row($node, 'm', 'online'); @row == 0 || ($row[4] ne '' && $row[4] ne $pid) }, 20);
	run_ends($node, 'm', 'online', 5);
	release($held[1]);
	is((finish_sql($other))[1], '', 'the REINDEX of another session is not disturbed');
	is(run_ends($node, 'm', 'online', 20), 'succeeded', 'nor does it disturb the run');
	is(no_remains($node, 'online'), '', 'nothing is left of both');
}

# The server with all that is in it.
foreach my $case (grep { $_->[0] =~ /^(create, snapshots|reindex, readers|drop|detach|backfill)$/ && "$_->[0], restarted" =~ /(?:$only)/ } @cases)
{
	next if rand 100 >= $share;
	is(stop_in_the_middle($case, 'restarted'), '', "$case->[0]: server restarted");
}

# A command that always ends its worker ends with the run being suspended.
$node->safe_psql('postgres', q(
	CREATE FUNCTION die(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM pg_stat_activity WHERE pid = pg_backend_pid() AND backend_type = 'pgmigrate run') THEN
			PERFORM pg_terminate_backend(pg_backend_pid());
			PERFORM pg_sleep(60);
		END IF;
		RETURN a;
	END $$;
	CREATE TABLE t AS SELECT 1 AS a;
	SET pgmigrate.out_of_order = allow;
	SELECT migrate.register('1-in-a-transaction', E'-- migrate:up mode:online\nSELECT 1; SELECT die(1)');
	SELECT migrate.register('2-by-itself', 'CREATE INDEX CONCURRENTLY deadly ON t (die(a))');
	SELECT migrate.register('3-at-once', 'VACUUM t')));
foreach my $name ('1-in-a-transaction', '2-by-itself')
{
	next if $name !~ /(?:$only)/;
	$node->safe_psql('postgres', "SELECT migrate.apply('$name')");
	is(run_ends($node, $name, 'postgres', 20), 'suspended: its worker ended 3 times without getting on', "$name: suspended");
	$node->safe_psql('postgres', 'CREATE OR REPLACE FUNCTION die(a int) RETURNS int IMMUTABLE LANGUAGE sql AS $$SELECT 1$$') if $name =~ /^2/;
	is($node->safe_psql('postgres', "SELECT migrate.cancel('$name')"), 'cancelled', "$name: cancelled");
	is(run_ends($node, $name, 'postgres', 20), 'cancelled', "$name: ends");
}
is(no_remains($node, 'postgres'), '', 'nothing is left behind');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
