# Is a run that failed in the caller's transaction recorded, and only that?
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PgMigrateTest;

my $node = PgMigrateTest::new_node('main',
	conf => [ 'pgmigrate.record_failures = on', 'max_worker_processes = 8' ]);
my $rows = q(SELECT migration, action, outcome, current_user = current_username, tries, sqlstate, error
	FROM migrate.history ORDER BY id);

sub fails
{
	my ($sql) = @_;
	my ($rc) = $node->psql('postgres', $sql, on_error_stop => 1);

	isnt($rc, 0, "fails: $sql");
	return;
}

sub records_are
{
	my ($count, $expected, $name) = @_;

	$node->poll_query_until('postgres', "SELECT count(*) >= $count FROM migrate.history");
	is($node->safe_psql('postgres', $rows), $expected, $name);
	return;
}

PgMigrateTest::register($node, '1', 'CREATE TABLE one (id int)');
PgMigrateTest::register($node, '2', 'SELECT 1; SELECT 1 / 0');
fails(q(SELECT migrate.apply('2')));
records_are(1, '2|apply|failed|t|1|22012|division by zero', 'a run that failed');

# nothing of the others of the call is recorded, nor what is refused beforehand
fails(q(SELECT migrate.apply_all()));
fails(q(SELECT migrate.apply('none')));
records_are(2, join("\n", ('2|apply|failed|t|1|22012|division by zero') x 2),
	'only the one that failed');

# one that the caller rolls back has not failed
$node->safe_psql('postgres', q(BEGIN; SELECT migrate.apply('1'); ROLLBACK));
$node->safe_psql('postgres', q(SELECT migrate.apply('1')));
is($node->safe_psql('postgres', 'SELECT count(*) FROM migrate.history'), 3, 'no row for a rollback');

# also where the caller goes on
$node->safe_psql('postgres', q(DO $$BEGIN
	PERFORM migrate.apply('2');
EXCEPTION WHEN division_by_zero THEN NULL;
END$$));
$node->poll_query_until('postgres', 'SELECT count(*) = 4 FROM migrate.history');
is( $node->safe_psql('postgres',
		q(SELECT outcome, pid > 0, application_name, checksum = (SELECT checksum FROM migrate.migration WHERE name = '2')
			FROM migrate.history ORDER BY id DESC LIMIT 1)),
	'failed|t|022_failures.pl|t',
	'by whom, and with which script');

# where no worker can be started the error is the same
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->restart;
my ($rc, $out, $err) = $node->psql('postgres', q(SELECT migrate.apply('2')));
like($err, qr/division by zero/, 'the error of the statement');
like(slurp_file($node->logfile), qr/a run that has failed is not recorded/, 'the log says so');

$node->stop;
done_testing();
