# A worker that does a hundred thousand batches does not grow.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use PgMigrateTest;

my $batches = $ENV{PGMIGRATE_BATCHES} // amount(100_000, 15_000);
my $node = new_node('main', conf => [ q(shared_preload_libraries = 'pgmigrate'), 'log_statement = none', 'autovacuum = off',
	'pgmigrate.backfill_max_workers = 2', 'pgmigrate.backfill_courtesy = 100', 'max_wal_size = 4GB' ]);

# Most by key, the rest by pages, where rows are moved about and some are put
# aside; both at the same time, each with tiny batches.
my %share = (counted => int $batches * 0.7, filled => int $batches * 0.3);
my %job;
$node->safe_psql('postgres', qq(
	CREATE TABLE counted (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
	INSERT INTO counted SELECT i FROM generate_series(1, $share{counted}) i;
	CREATE TABLE filled (id int PRIMARY KEY, t text, u text, pad text DEFAULT repeat('x', 40));
	INSERT INTO filled SELECT i, CASE WHEN i IN (500, 900) THEN 'x' ELSE (i % 1000)::text END FROM generate_series(1, $share{filled} * 3) i;
	CREATE INDEX ON filled (pad);
	VACUUM ANALYZE;));
$job{counted} = backfill($node, q('counted', 'n = n + 1', batch_rows => 1));
$job{filled} = backfill($node, q('filled', 'u = repeat((t::int)::text, 3)', batch_rows => 3, max_bad_rows => 1000));

# Anonymous memory of the worker of a job, in kB, and how many batches it did.
sub look
{
	my ($table) = @_;
	my ($batches, $pid, $state) = split /\|/, $node->safe_psql('postgres', "SELECT batches, pid, state FROM migrate.progress WHERE id = $job{$table}");
	my ($anon) = $pid ? (eval { slurp_file("/proc/$pid/status") } // '') =~ /^RssAnon:\s+(\d+) kB/m : ();

	return ($batches, $anon, $state);
}

my (%first, %last, %most);
my $start = time;
my %open = map { $_ => 1 } keys %job;
my $in_time = poll(sub {
	foreach my $table (keys %open)
	{
		my ($done, $anon, $state) = look($table);

		delete $open{$table} if $state =~ /^(done|failed|suspended)$/;
		next unless defined $anon;
		$first{$table} //= [ $done, $anon ] if $done >= $share{$table} / 20;
		$last{$table} = [ $done, $anon ];
		$most{$table} = $anon if defined $first{$table} && $anon > ($most{$table} // 0);
	}
	return !%open;
}, 300);
ok(defined $in_time, 'the backfills end');
foreach my $table (sort keys %job)
{
	my $rows = $node->safe_psql('postgres', "SELECT state, batches, retries FROM migrate.backfill_history WHERE id = $job{$table}");

	like($rows, qr/^done\|/, "$table: done");
	cmp_ok((split /\|/, $rows)[1], '>=', $share{$table} * 0.95, "$table: enough batches");
	diag(sprintf '%s: %d kB after %d batches, %d kB after %d, %d kB at most', $table, reverse(@{ $first{$table} }), reverse(@{ $last{$table} }), $most{$table});
	cmp_ok($most{$table} - $first{$table}[1], '<', 5 * 1024, "$table: the worker grows by less than 5 MB");
}
diag(sprintf '%d batches in %.0f s', $batches, time - $start);
is($node->safe_psql('postgres', 'SELECT count(*) FROM counted WHERE n <> 1'), '0', 'counted: each row once');
is($node->safe_psql('postgres', q(SELECT count(*) FROM filled WHERE (u IS NULL) <> (t = 'x'))), '0', 'filled: all rows but those that were put aside');
is($node->safe_psql('postgres', q(SELECT (SELECT count(*) FROM filled WHERE u IS NULL) = (SELECT count(*) FROM migrate.backfill_error))), 't', 'filled: these were');
nothing_left($node);

done_testing();
