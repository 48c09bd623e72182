# A reader keeps two tables busy for ten seconds.  Meanwhile one gets a column
# by plain ALTER TABLE, the other by migrate.apply(): how long do other queries
# on each of them wait?

use strict;
use warnings FATAL => 'all';

use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $seconds = 10;
my $node = new_node('main',
	conf => [ 'log_lock_waits = on', "deadlock_timeout = '50ms'", 'log_statement = none' ]);
my $dir = PostgreSQL::Test::Utils::tempdir();
my @tables = ('plain', 'migrated');

$node->safe_psql('postgres', "CREATE TABLE $_ AS SELECT generate_series(1, 100) AS a") foreach @tables;
my %oid = map { $_ => $node->safe_psql('postgres', "SELECT '$_'::regclass::oid") } @tables;
my $ddl = 'ADD COLUMN b int';
register($node, '001_add_column', "ALTER TABLE migrated $ddl");

# 200 short queries a second on each table, by two clients.
sub begin_load
{
	my ($table) = @_;

	append_to_file("$dir/$table.sql", "SELECT count(*) FROM $table;\n");
	local $ENV{PGAPPNAME} = "load_$table";
	return IPC::Run::start([ 'pgbench', '-n', '-c', '2', '-T', $seconds, '-R', '200',
		'-f', "$dir/$table.sql", '-l', '--log-prefix', "$dir/$table",
		$node->connstr('postgres') ], '>', '/dev/null', '2>&1');
}

# Milliseconds of the longest query, and the number of queries.
sub longest
{
	my ($table) = @_;
	my @lines = map { split /\n/, slurp_file($_) } grep { !/\.sql$/ } glob "$dir/$table.*";
	my @ms = map { my @f = split; ($f[2] - $f[6]) / 1000 } @lines;

	return (max(@ms), scalar @ms);
}

sub count_waits
{
	my ($table) = @_;
	return scalar(() = slurp_file($node->logfile) =~
		/still waiting for AccessShareLock on relation $oid{$table} /g);
}

my $reader = start_sql($node, "SET application_name = 'reader'; BEGIN;"
	. join('', map { "SELECT count(*) FROM $_;" } @tables) . "SELECT pg_sleep($seconds); COMMIT;");
my $reading = q(SELECT count(*) = 1 FROM pg_stat_activity
	WHERE application_name = 'reader' AND wait_event = 'PgSleep');
ok($node->poll_query_until('postgres', $reading), 'the reader has begun');

my ($status, $out, $err) = $node->psql('postgres',
	q(SET pgmigrate.lock_retries = 2; SELECT migrate.apply('001_add_column')));
like($err, qr/could not obtain lock on relation "migrated"\nDETAIL:  Process \d+ of user "[^"]+".*pg_sleep/,
	'who gives up names who is in the way');

my @loads = map { begin_load($_) } @tables;
my $alter = start_sql($node, "SET application_name = 'alter'; ALTER TABLE plain $ddl;");
my $apply = start_sql($node, "SET application_name = 'apply'; SELECT migrate.apply('001_add_column');");

ok($node->poll_query_until('postgres', q(
	SELECT count(*) > 0 FROM pg_stat_activity w JOIN pg_stat_activity b ON b.pid = ANY (pg_blocking_pids(w.pid))
	WHERE w.application_name = 'load_plain' AND b.application_name = 'alter')),
	'a query stands in line behind plain ALTER TABLE');
like(sqlstate_of($node, "SET statement_timeout = '500ms'; SELECT count(*) FROM plain"),
	qr/57014/, 'so that it is not answered in half a second');

# Look at the other table as long as the reader is there.
my ($samples, $in_line, $logged) = (0, 0, 0);
for (;;)
{
	my $waiting = $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_locks WHERE relation = $oid{migrated} AND NOT granted");
	my $waits = count_waits('migrated');

	last if $node->safe_psql('postgres', $reading) ne 't';
	$samples++;
	$in_line += $waiting;
	$logged = $waits;
}
cmp_ok($samples, '>', 10, "looked $samples times");
is($in_line, 0, 'no query ever stands in line behind migrate.apply()');
is($logged, 0, 'nor does the server log one that waits');
cmp_ok(count_waits('plain'), '>', 0, 'but it does for plain ALTER TABLE');

finish_sql($reader);
($out) = finish_sql($apply);
is($out, 'applied', 'migrate.apply() is done after the reader');
finish_sql($alter);
$_->finish foreach @loads;

my %longest;
foreach my $table (@tables)
{
	($longest{$table}, my $queries) = longest($table);
	diag(sprintf '%-20s longest wait of %4d other queries: %8.1f ms',
		$table eq 'plain' ? 'plain ALTER TABLE' : 'migrate.apply()', $queries, $longest{$table});
}
cmp_ok($longest{plain}, '>', 1000 * $seconds / 2, 'plain ALTER TABLE: they wait for the reader');
cmp_ok($longest{migrated} * 5, '<', $longest{plain}, 'migrate.apply(): they do not');
is($node->safe_psql('postgres', q(SELECT tries > 1, lock_wait_ms > 1000 FROM migrate.history)),
	't|t', 'the history tells of the tries and the time lost');

done_testing();
