# A session that runs thousands of migrations does not grow.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $rounds = $ENV{PGMIGRATE_ROUNDS} // 2000;
my $node = new_node('main', conf => [ 'log_statement = none', 'log_min_messages = panic' ]);
my $file = PostgreSQL::Test::Utils::tempdir() . '/rounds.sql';

# The memory of all contexts.  Of the caches only what is used: they grow by
# doubling, and the server itself loses a little for a table that is created and
# altered in a transaction that is rolled back, as plan() does.
my $measure = <<'SQL';
SELECT 'memory', sum(CASE name WHEN 'CacheMemoryContext' THEN used_bytes ELSE total_bytes END),
	sum(used_bytes) FILTER (WHERE name = 'CacheMemoryContext'), count(*) FROM pg_backend_memory_contexts;
SQL

sub rounds_of
{
	my ($from, $to) = @_;
	my $sql = '';

	foreach my $i ($from .. $to)
	{
		$sql .= <<"SQL";
SELECT migrate.register('m$i', E'-- migrate:check\\nSELECT true;\\n-- migrate:up\\nCREATE TABLE m (a int);\\nINSERT INTO m VALUES ($i);\\n-- migrate:down\\nDROP TABLE m;\\n-- migrate:verify\\nSELECT count(*) = 1 FROM m;');
SELECT migrate.apply('m$i');
SELECT migrate.rollback('m$i');
SELECT migrate.unregister('m$i');
SQL
		$sql .= <<"SQL" if $i % 4 == 0;
SELECT migrate.register('f$i', 'SELECT 1; SELEC 2');
SELECT migrate.register('f$i', E'-- migrate:up\\nCREATE TABLE f (a int); ALTER TABLE kept ADD b int DEFAULT 1/0;');
SELECT count(*) FROM migrate.plan('f$i');
SELECT migrate.apply('f$i');
SELECT migrate.unregister('f$i');
SELECT count(*) FROM migrate.status(), migrate.verify();
SELECT migrate.compensate('x', 'UPDATE kept SET a = 1');
SELECT migrate.compensate('x', 'SELECT missing');
SQL
	}
	return $sql;
}

$node->safe_psql('postgres', 'CREATE TABLE kept (a int)');
append_to_file($file, "SET client_min_messages = panic;\n"
	  . rounds_of(1, 200) . $measure . rounds_of(201, 200 + $rounds / 2) . $measure
	  . rounds_of(201 + $rounds / 2, 200 + $rounds) . $measure);
my $out = '';
IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $file ],
	'>', \$out, '2>', '/dev/null');
my @bytes = map { [ (split /\|/)[1, 2, 3] ] } grep { /^memory/ } split /\n/, $out;
is(scalar @bytes, 3, 'measured three times');
is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.history WHERE action = 'rollback')),
	200 + $rounds, 'all of it was run');
diag(sprintf 'memory after %4d rounds: %6d kB in %d contexts, %6d kB of it caches',
	$_->[0], $_->[1][0] / 1024, $_->[1][2], $_->[1][1] / 1024)
  foreach [ 200, $bytes[0] ], [ 200 + $rounds / 2, $bytes[1] ], [ 200 + $rounds, $bytes[2] ];
cmp_ok($bytes[2][0] - $bytes[0][0], '<', 2 * 1024 * 1024, 'the session does not grow');
cmp_ok($bytes[2][2] - $bytes[0][2], '<', 50, 'nor does the number of its memory contexts');

done_testing();
