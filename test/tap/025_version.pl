# Old and new versions of an application, each in its schema of views, write the same
# tables at once, while expansions are filled, through to their end.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main', conf => [ 'autovacuum = off', 'fsync = off',
	q(shared_preload_libraries = 'pgmigrate'), 'pgmigrate.backfill_nice = 0',
	'pgmigrate.backfill_batch_rows = 20', 'pgmigrate.backfill_duty = 20',
	'pgmigrate.contract_quiet = 0' ]);

# Runs a script of pgbench with that search_path; finish_bench() tells what went wrong.
sub start_bench
{
	my ($name, $path, $clients, $limit, $script) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";
	my %bench = (out => '', err => '');

	append_to_file($file, $script);
	local $ENV{PGOPTIONS} = "-c search_path=$path";
	$bench{run} = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-c', $clients, @$limit,
			'--max-tries=100', '-f', $file, $node->connstr('postgres') ],
		'<', \undef, '>', \$bench{out}, '2>', \$bench{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%bench;
}

sub finish_bench
{
	my ($bench) = @_;

	$bench->{run}->finish;
	return join "\n", grep { /error|abort|fail/i && !/number of failed transactions: 0 / }
	  split /\n/, "$bench->{out}\n$bench->{err}";
}

$node->safe_psql('postgres', q(
	CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL DEFAULT '-', age text DEFAULT '0', note int);
	INSERT INTO users SELECT g, 'n' || g, '00' || g FROM generate_series(1, 4000) g;
	CREATE TABLE events (id int, k int, what text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
	CREATE TABLE events0 PARTITION OF events FOR VALUES IN (0);
	CREATE TABLE events1 PARTITION OF events FOR VALUES IN (1);
	INSERT INTO events SELECT g, g % 2, g FROM generate_series(1, 4000) g;
	BEGIN;
	SELECT migrate.expand_rename('users', 'name', 'display_name');
	SELECT migrate.expand_type('users', 'age', 'int');
	SELECT migrate.expand_type('events', 'what', 'bigint');
	SELECT migrate.expand_version('v1', shape => 'old');
	SELECT migrate.expand_version('v2');
	COMMIT;));

my $old = start_bench('old', 'v1', 2, [ '-t', 600 ], q(
	\set id random(1, 4300)
	\set n random(1, 100000)
	UPDATE users SET age = '0' || :n WHERE id = :id;
	UPDATE users SET name = 'old' || :n, note = :n WHERE id = (:id * 7) % 4300;
	INSERT INTO users (id, name) VALUES (:id, 'o' || :n) ON CONFLICT (id) DO UPDATE SET name = excluded.name;
	UPDATE events SET what = '0' || :n WHERE id = :id;
	SELECT name, age FROM users WHERE id = :id;
	DELETE FROM events WHERE id = (:id * 13) % 4300;
));
my $new = start_bench('new', 'v2', 2, [ '-t', 600 ], q(
	\set id random(1, 4300)
	\set n random(1, 100000)
	UPDATE users SET age = :n WHERE id = :id;
	UPDATE users SET display_name = 'new' || :n, note = :n WHERE id = (:id * 7) % 4300;
	INSERT INTO users (id, display_name, age) VALUES (:id, 'n' || :n, :n) ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, age = excluded.age;
	INSERT INTO events (id, k, what) VALUES (:id, :n % 2, :n) ON CONFLICT DO NOTHING;
	UPDATE events SET what = :n WHERE id = (:id * 3) % 4300;
	DELETE FROM users WHERE id = (:id * 17) % 4300;
));
is(finish_bench($old), '', 'no statement of the old version fails');
is(finish_bench($new), '', 'nor of the new one');
is(ends_as($node, $node->safe_psql('postgres', "SELECT id FROM migrate.backfill_history WHERE name = '$_'"), 'done'), 'done', "$_ is filled")
  foreach qw(users.display_name users.age_new events.what_new);
is($node->safe_psql('postgres', "SELECT count(*) FROM migrate.verify_expansion($_, 1000000)"), 0, "no row differs: $_")
  foreach q('users', 'display_name'), q('users', 'age_new'), q('events', 'what_new');
is($node->safe_psql('postgres', q(SELECT (SELECT count(*) FROM v1.users o FULL JOIN v2.users n USING (id)
		WHERE o.name IS DISTINCT FROM n.display_name OR o.age::int IS DISTINCT FROM n.age)
	+ (SELECT count(*) FROM v1.events o FULL JOIN v2.events n USING (id, k) WHERE o.what::bigint IS DISTINCT FROM n.what))),
	0, 'both versions show the same, by a plain look at them');
is($node->safe_psql('postgres', 'SELECT count(*) FROM migrate.version WHERE written_at IS NOT NULL'), 2,
	'both versions have been seen written');

# ---------------------------------------------------------------------------
# The old columns go, and with them the old version, while the new one works on.
# ---------------------------------------------------------------------------
my $busy = start_bench('busy', 'v2', 3, [ '-T', 10 ], q(
	\set id random(1, 4300)
	UPDATE users SET display_name = 'busy' || :id, age = :id WHERE id = :id;
	INSERT INTO users (id, display_name) VALUES (:id, 'b') ON CONFLICT DO NOTHING;
	SELECT what FROM events WHERE id = :id;
));
is(sqlstate_of($node, "SELECT migrate.contract($_, rename => true)"), '00000', "contract $_ under load")
  foreach q('users', 'age'), q('events', 'what');
is(sqlstate_of($node, q(SELECT migrate.contract('users', 'name'))), '00000', 'and the last one');
is(finish_bench($busy), '', 'no statement of the new version fails while they go');
is($node->safe_psql('postgres', 'SELECT string_agg(name, chr(32)) FROM migrate.version'), 'v2', 'the old version is gone');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_namespace WHERE nspname = 'v1')), 0, 'with its schema');
is($node->safe_psql('postgres', q(INSERT INTO v2.users (id) VALUES (9999) RETURNING display_name, age)), '-|0', 'defaults went over');
is($node->safe_psql('postgres', q(SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute
	WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped)), 'age display_name id note', 'the table has its new shape');

# ---------------------------------------------------------------------------
# Dump and restore bring versions along.
# ---------------------------------------------------------------------------
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

$node->safe_psql('postgres', q(
	CREATE TABLE later (id int PRIMARY KEY, a text);
	SELECT migrate.expand_type('later', 'a', 'int');
	SELECT migrate.expand_version('v3');
	CREATE DATABASE copy;));
command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('copy') ], 'restore');
is($node->safe_psql('copy', q(INSERT INTO v3.later VALUES (1, 5); SELECT a || ' ' || (written_by = session_user) FROM later, migrate.version WHERE name = 'v3')),
	'5 true', 'a version of the restored database, and its use');
is($node->safe_psql('copy', q(SELECT migrate.drop_version('v3'); SELECT count(*) FROM pg_namespace WHERE nspname = 'v3')), "\n0", 'and its end');

$node->stop;
done_testing();
