# Behind a pgbouncer that pools transactions: nothing depends on the session,
# nothing is applied twice, and nothing sticks to a server connection.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');
my $user = $node->safe_psql('postgres', 'SELECT current_user');
my $dir = PostgreSQL::Test::Utils::tempdir_short();

append_to_file("$dir/users", qq("$user" ""\n));
append_to_file("$dir/pgbouncer.ini", sprintf <<'INI', $node->host, $node->port, $dir, $dir);
[databases]
postgres = host=%s port=%d
[pgbouncer]
unix_socket_dir = %s
listen_port = 6432
auth_type = trust
auth_file = %s/users
pool_mode = transaction
default_pool_size = 3
INI

my $log = '';
my $pooler = IPC::Run::start([ 'pgbouncer', "$dir/pgbouncer.ini" ], '>', \$log, '2>&1');
END
{
	my $status = $?;

	$pooler->kill_kill if $pooler;
	$? = $status;
}
$pooler->pump until $log =~ /process up|ERROR|FATAL/ || !$pooler->pumpable;
like($log, qr/process up/, 'pgbouncer runs') or BAIL_OUT($log);

my $pooled = "host=$dir port=6432 dbname=postgres user=$user";
sub client { return $node->background_psql('postgres', extra_params => [ '-d', $pooled ]) }

sub waiting
{
	return $node->poll_query_until('postgres',
		"SELECT count(*) = $_[0] FROM pg_locks WHERE NOT granted");
}

# Ask for something, and get the answer later.
sub ask
{
	my ($client, $sql) = @_;
	$client->query_until(qr/asked/, "\\echo asked\n$sql;\n");
	return;
}

sub answer
{
	my ($client) = @_;
	my $result = $client->query('');
	$client->{stderr} = '';
	return $result;
}

register($node, "00${_}_shared", "-- migrate:up\nCREATE TABLE shared_$_ (a int);\nSET work_mem = '77MB';\nSET search_path = pg_catalog;\n-- migrate:down\nDROP TABLE shared_$_;")
  foreach 1 .. 9;

my ($one, $two) = (client(), client());
is($one->query_safe(q(BEGIN; SELECT migrate.apply('001_shared'))), 'applied', 'one applies');
ask($two, q(SELECT migrate.apply('001_shared')));
ok(waiting(1), 'two waits');
$one->query_safe('COMMIT');
is(answer($two), 'unchanged', 'two gets "unchanged"');

$one->query_safe(q(BEGIN; SELECT migrate.apply('002_shared')));
$two->query_safe('BEGIN; SELECT 1');
ask($two, q(SELECT migrate.apply('002_shared')));
ok(waiting(1), 'two waits inside a transaction of its own');
$one->query_safe('ROLLBACK');
is(answer($two), 'applied', 'one was rolled back, two applies');
ask($one, q(SELECT migrate.apply('003_shared')));
ok(waiting(1), 'one waits for the open transaction of two');
$two->query_safe('COMMIT');
is(answer($one), 'applied', 'then it applies another one');

# A client that goes away in the middle of its transaction.
is($one->query_safe(q(BEGIN; SELECT migrate.apply('004_shared'))), 'applied', 'one applies');
ask($two, q(SELECT migrate.apply('004_shared')));
ok(waiting(1), 'two waits');
$one->quit;
is(answer($two), 'applied', 'one is gone, two applies');

# A savepoint that is rolled back, and an error inside.
$one = client();
$one->query_safe(q(BEGIN; SAVEPOINT s; SELECT migrate.apply('005_shared'); ROLLBACK TO s; COMMIT));
is(answer($one), '', 'rolled back to a savepoint');
is($two->query_safe(q(SELECT state FROM migrate.status() WHERE name = '005_shared')),
	'pending', 'it is pending');

# Many at once, over three server connections.
my $work = join '',
  map { "SELECT migrate.apply('00${_}_shared');\nBEGIN; SELECT migrate.apply_all(); COMMIT;\n" } 5 .. 9;
my @clients = map { start_sql($node, $work, $pooled) } 1 .. 6;
my $errors = '';
my $applied = 0;
foreach my $client (@clients)
{
	my ($out, $err) = finish_sql($client);

	$errors .= join "\n", grep { /ERROR|FATAL/ } split /\n/, $err;
	$applied += () = $out =~ /applied/g;
}
is($errors, '', 'six clients: no error');
cmp_ok($applied, '>=', 1, 'six clients: applied');
is($node->safe_psql('postgres', q(SELECT count(*), count(DISTINCT migration) FROM migrate.history
	WHERE action = 'apply')), '9|9', 'each migration was applied once');

# The server connections of the pool are as they were.
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
	WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())),
	'0', 'no lock sticks');
my @three = map { client() } 1 .. 3;
$_->query_safe('BEGIN; SELECT 1') foreach @three;
my %pids = map { $_->query_safe('SELECT pg_backend_pid()') => 1 } @three;
is(scalar keys %pids, 3, 'three server connections');
is($_->query_safe(q(SELECT current_setting('work_mem') || current_setting('search_path')
	|| current_setting('lock_timeout') || current_user)),
	qq(4MB"\$user", public0$user), 'no setting sticks') foreach @three;
$_->query_safe('COMMIT'), $_->quit foreach @three;
$_->quit foreach $one, $two;

done_testing();
