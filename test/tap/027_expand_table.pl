# A table is filled beside another one and takes its place, while clients write it
# in every way: no row differs, and no statement fails.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main', conf => [ 'autovacuum = off', 'fsync = off',
	q(shared_preload_libraries = 'pgmigrate'), 'pgmigrate.backfill_nice = 0',
	'pgmigrate.backfill_batch_rows = 20', 'pgmigrate.backfill_duty = 20',
	'pgmigrate.backfill_lanes = 2', 'deadlock_timeout = 100ms' ]);

# Runs a script of pgbench to its end; finish_bench() tells what went wrong.
sub start_bench
{
	my ($name, $clients, $transactions, $script, @options) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";
	my %bench = (out => '', err => '');

	append_to_file($file, $script);
	$bench{run} = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-c', $clients, '-t', $transactions,
			'--max-tries=100', '-f', $file, @options, $node->connstr('postgres') ],
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

# ---------------------------------------------------------------------------
# Writes of every kind, in all isolation levels, during the fill.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE TABLE events (id int PRIMARY KEY, day int NOT NULL, name text, size int);
	INSERT INTO events SELECT g, g % 10, 'n' || g, g FROM generate_series(1, 4000) g;
	CREATE TABLE events_new (size bigint, day int NOT NULL, id bigint NOT NULL, upper_name text, PRIMARY KEY (day, id)) PARTITION BY LIST (day);
	CREATE TABLE events_rest PARTITION OF events_new DEFAULT;
	CREATE TABLE events_even PARTITION OF events_new FOR VALUES IN (0, 2, 4, 6, 8);
	SELECT migrate.expand_table('events', 'events_new', '{"upper_name": "upper(name)"}');));

my $writes = q(
	\set id random(1, 4300)
	\set other random(1, 4300)
	\set n random(1, 100000)
	UPDATE events SET name = 'u' || :n WHERE id = :id;
	UPDATE events SET day = :n % 10 WHERE id BETWEEN :other AND :other + 3;
	DELETE FROM events WHERE id = (:id * 7) % 4300;
	INSERT INTO events VALUES (:id, :n % 10, 'i' || :n, :n) ON CONFLICT (id) DO UPDATE SET size = excluded.size, name = events.name || '.';
	INSERT INTO events SELECT g, :n % 10, 's' || :n, g FROM generate_series(:other, :other + 2) g ON CONFLICT DO NOTHING;
	UPDATE events SET id = -id WHERE id = (:id * 3) % 4300;
	UPDATE events SET id = -id WHERE id = -((:id * 11) % 4300) AND NOT EXISTS (SELECT FROM events e WHERE e.id = -events.id);
	MERGE INTO events e USING (SELECT (:id * 5) % 4300 AS id) s ON e.id = s.id
		WHEN MATCHED AND :n % 9 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET size = :n;
);
# rows of several statements in a transaction, some of them rolled back
my $transactions = q(
	\set id random(1, 4300)
	\set n random(1, 100000)
	BEGIN;
	DELETE FROM events WHERE id = :id;
	INSERT INTO events VALUES (:id, :n % 10, 'again' || :n, :n) ON CONFLICT DO NOTHING;
	SAVEPOINT s;
	UPDATE events SET day = day + 1, size = size + 1 WHERE id IN (:id, (:id * 13) % 4300);
	ROLLBACK TO s;
	UPDATE events SET name = name || '-' WHERE id = :id;
	DELETE FROM events WHERE id = (:id * 17) % 4300 AND :n % 3 = 0;
	END;
);
my @bench;
push @bench, start_bench('plain', 2, 500, $writes);
push @bench, start_bench('transactions', 1, 500, $transactions);
{
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=repeatable\\ read';
	push @bench, start_bench('repeatable', 1, 400, $transactions);
	push @bench, start_bench('single', 1, 400, $writes);
}
# what the same statements may give without any of this
my $expected = qr/.*could not serialize.*|.*deadlock.*|.*duplicate key.*"events_pkey".*|.*Run was aborted.*|.*client \d+ aborted.*/;
foreach my $bench (@bench)
{
	is(finish_bench($bench) =~ s/$expected//gr =~ s/\s+//gr, '', 'no write fails but for reasons of its own');
}
my $id = $node->safe_psql('postgres', q(SELECT id FROM migrate.backfill_history WHERE name = 'events>events_new'));
is(ends_as($node, $id, 'done'), 'done', 'filled');
cmp_ok($node->safe_psql('postgres', "SELECT rows FROM migrate.backfill_history WHERE id = $id"), '>', 100, 'by the backfill, too');
is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.verify_expansion('events', 1000000))), 0, 'no row differs');
is($node->safe_psql('postgres', q(SELECT count(*) FROM
	((SELECT id::bigint, day, upper(name), size::bigint FROM events EXCEPT SELECT id, day, upper_name, size FROM events_new)
	UNION ALL (SELECT id, day, upper_name, size FROM events_new EXCEPT SELECT id, day, upper(name), size FROM events)) d)), 0,
	'by a plain look at them, too');
is($node->safe_psql('postgres', q(SELECT (SELECT count(*) FROM events) = (SELECT count(*) FROM events_new))), 't', 'nor is any there twice');

# ---------------------------------------------------------------------------
# A transaction with a snapshot from before a row was copied.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE TABLE aged (id int PRIMARY KEY, a text);
	INSERT INTO aged SELECT g, g FROM generate_series(1, 3) g;
	CREATE TABLE aged2 (a text, id int PRIMARY KEY);));
my $aged = $node->background_psql('postgres');
$aged->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events');
$node->safe_psql('postgres', q(SELECT migrate.expand_table('aged', 'aged2')));
$node->safe_psql('postgres', q(CALL migrate.wait('aged>aged2')));
$aged->query_safe(q(DELETE FROM aged WHERE id = 1; UPDATE aged SET a = 'new' WHERE id = 2; INSERT INTO aged VALUES (4, '4'); COMMIT));
$aged->quit;
is($node->safe_psql('postgres', q(SELECT string_agg(concat(id, a), ' ' ORDER BY id) FROM aged2)), '2new 33 44', 'an old snapshot');

# ---------------------------------------------------------------------------
# A row that is deleted, or gets another key, while a batch waits for it.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE TABLE held (id int PRIMARY KEY, a text);
	INSERT INTO held SELECT g, g FROM generate_series(1, 5) g;
	CREATE TABLE held2 (a text, id int PRIMARY KEY);
	SELECT migrate.pause(migrate.expand_table('held', 'held2'));));
my $holder = $node->background_psql('postgres');
$holder->query_safe(q(BEGIN; DELETE FROM held WHERE id = 2; UPDATE held SET id = 30 WHERE id = 3; UPDATE held SET a = 'other' WHERE id = 4));
my $batch = start_sql($node, q(SELECT migrate.backfill_batch(id) FROM migrate.backfill_history WHERE name = 'held>held2'));
ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_locks WHERE NOT granted)), 'a batch waits for a row');
$holder->query_safe('COMMIT');
finish_sql($batch);
$holder->quit;
is($node->safe_psql('postgres', q(SELECT string_agg(concat(id, a), ' ' ORDER BY id) FROM held2)), '11 4other 55 303', 'and copies what is there then');

# ---------------------------------------------------------------------------
# Rows that were committed while the call waited for its lock.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE TABLE late (id int PRIMARY KEY);
	INSERT INTO late VALUES (1);
	CREATE TABLE late2 (id int PRIMARY KEY);));
my $writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; INSERT INTO late VALUES (2)');
my $expand = start_sql($node, q(BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM late; SELECT migrate.expand_table('late', 'late2') > 0; COMMIT));
ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
	WHERE query ~ 'expand_table' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid())), 'an expansion waits for a writer');
$writer->query_safe('COMMIT');
$writer->quit;
is_deeply([ finish_sql($expand) ], [ "1\nt", '' ], 'and goes on when it is done');
$node->safe_psql('postgres', q(CALL migrate.wait('late>late2')));
is($node->safe_psql('postgres', q(SELECT string_agg(id::text, ' ' ORDER BY id) FROM late2)), '1 2', 'with the row that it has written');

# ---------------------------------------------------------------------------
# A server that dies in the middle of it.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE TABLE killed (id int PRIMARY KEY, a text);
	INSERT INTO killed SELECT g, g FROM generate_series(1, 3000) g;
	CREATE TABLE killed2 (a text, id int PRIMARY KEY);
	SELECT migrate.pause(migrate.expand_table('killed', 'killed2'));));
my $keeper = hold($node, q(UPDATE killed SET a = 'held' WHERE id = 2500));
$node->safe_psql('postgres', q(SELECT migrate.resume(id) FROM migrate.backfill_history WHERE name = 'killed>killed2'));
ok($node->poll_query_until('postgres', q(SELECT count(*) > 100 FROM killed2)), 'some rows are copied');
$node->safe_psql('postgres', q(UPDATE killed SET a = 'new' WHERE id % 3 = 0 AND id <> 2500; DELETE FROM killed WHERE id % 7 = 0));
is($node->safe_psql('postgres', q(SELECT fill FROM migrate.table_expansion WHERE relation = 'public.killed')), 'running', 'but not all of them');
$node->stop('immediate');
release($keeper);
$node->start;
$node->safe_psql('postgres', q(UPDATE killed SET a = 'newer' WHERE id % 5 = 0; DELETE FROM killed WHERE id % 11 = 0; INSERT INTO killed VALUES (7, 'again')));
is(ends_as($node, $node->safe_psql('postgres', q(SELECT id FROM migrate.backfill_history WHERE name = 'killed>killed2')), 'done'), 'done', 'it goes on');
is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.verify_expansion('killed'))), 0, 'no row differs');
is($node->safe_psql('postgres', q(SELECT (SELECT count(*) FROM killed) = (SELECT count(*) FROM killed2))), 't', 'nor is any missing');

# ---------------------------------------------------------------------------
# Dump and restore bring triggers and pair along.
# ---------------------------------------------------------------------------
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

$node->safe_psql('postgres', 'CREATE DATABASE copy');
command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('copy') ], 'restore');
$node->safe_psql('copy', q(UPDATE aged SET a = 'copied' WHERE id = 3; DELETE FROM aged WHERE id = 4; TRUNCATE late));
is($node->safe_psql('copy', q(SELECT string_agg(concat(id, a), ' ' ORDER BY id) FROM aged2)), '2new 3copied', 'writes are carried over there');
is($node->safe_psql('copy', q(SELECT count(*) FROM late2)), 0, 'also by TRUNCATE');
is($node->safe_psql('copy', q(SELECT count(*) FROM migrate.verify_expansion('aged'))), 0, 'no row differs');
$node->safe_psql('copy', q(SELECT migrate.contract('aged')));
is($node->safe_psql('copy', q(SELECT attname FROM pg_attribute WHERE attrelid = 'aged'::regclass AND attnum = 1)), 'a', 'and the table takes its place');
$node->safe_psql('copy', q(SELECT migrate.abandon('late'); INSERT INTO late VALUES (7)));
is($node->safe_psql('copy', q(SELECT count(*) FROM late2)), 0, 'or does not');

# ---------------------------------------------------------------------------
# The swap, under load.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE VIEW seen AS SELECT day, count(*) FROM events GROUP BY day;
	CREATE TABLE visits (id bigserial PRIMARY KEY, event_day int, event_id int, at text);
	ALTER TABLE events_new RENAME upper_name TO name;));
is(sqlstate_of($node, q(UPDATE events SET name = 'x' WHERE id = (SELECT min(id) FROM events))), '42703', 'a column that is carried over is renamed');
$node->safe_psql('postgres', q(ALTER TABLE events_new RENAME name TO upper_name));
$node->safe_psql('postgres', q(
	SELECT migrate.abandon('events');
	TRUNCATE events_new;
	ALTER TABLE events_new RENAME upper_name TO name;
	SELECT migrate.expand_table('events', 'events_new');
	CALL migrate.wait('events>events_new (2)');));
my @busy;
push @busy, start_bench("busy$_", 2, 700, q(
	\set id random(1, 4300)
	UPDATE events SET name = 'busy' || :id, size = :id WHERE id = :id;
	SELECT count(*) FROM events WHERE id BETWEEN :id AND :id + 20;
	SELECT * FROM seen WHERE day = :id % 10;
	INSERT INTO events (id, day, name) VALUES (:id + 10000, 1, 'b') ON CONFLICT DO NOTHING;
	DELETE FROM events WHERE id = :id + 10000;
), '-M', $_) foreach qw(simple prepared);
is(sqlstate_of($node, q(SET pgmigrate.lock_retries = 1000; SELECT migrate.contract('events'))), '00000', 'the table is replaced under load');
is(finish_bench($_), '', 'no statement fails meanwhile') foreach @busy;
is($node->safe_psql('postgres', q(SELECT relkind FROM pg_class WHERE oid = 'events'::regclass)), 'p', 'it is partitioned now');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('events'::regclass, 'events_old'::regclass))), 0, 'no trigger is left');
is($node->safe_psql('postgres', q(SELECT sum(count) = (SELECT count(*) FROM events) FROM seen)), 't', 'views read the new one');

$node->stop;
done_testing();
