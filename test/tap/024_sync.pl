# Old and new versions of an application write the two sides of expansions at once,
# while they are filled: no row differs.  And what other tools get wrong there.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main', conf => [ 'autovacuum = off', 'fsync = off',
	q(shared_preload_libraries = 'pgmigrate'), 'pgmigrate.backfill_nice = 0',
	'pgmigrate.backfill_batch_rows = 20', 'pgmigrate.backfill_duty = 20',
	'deadlock_timeout = 100ms' ]);

# Runs a script of pgbench to its end; finish_bench() tells what went wrong.
sub start_bench
{
	my ($name, $clients, $transactions, $script) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";
	my %bench = (out => '', err => '');

	append_to_file($file, $script);
	$bench{run} = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-c', $clients, '-t', $transactions,
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

sub differences
{
	my ($table, $column) = @_;

	return $node->safe_psql('postgres',
		"SELECT count(*) FROM migrate.verify_expansion('$table', '$column', 1000000)");
}

# ---------------------------------------------------------------------------
# Old-style and new-style clients at once, during a fill.
# ---------------------------------------------------------------------------

# What loses something on the way (leading zeros, blanks) has to stay as written.
$node->safe_psql('postgres', q(
	CREATE TABLE plain (id int PRIMARY KEY, a text DEFAULT '0', b text, note int);
	INSERT INTO plain SELECT g, '00' || g, 'b' || g FROM generate_series(1, 4000) g;
	CREATE TABLE parts (id int, k int, a text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
	CREATE TABLE part0 PARTITION OF parts FOR VALUES IN (0);
	CREATE TABLE part1 (a text, gone int, k int NOT NULL, id int NOT NULL);
	ALTER TABLE part1 DROP gone;
	ALTER TABLE parts ATTACH PARTITION part1 FOR VALUES IN (1);
	INSERT INTO parts SELECT g, g % 2, '00' || g FROM generate_series(1, 4000) g;
	BEGIN;
	SELECT migrate.expand_type('plain', 'a', 'int');
	SELECT migrate.expand_rename('plain', 'b', 'c');
	SELECT migrate.expand_type('parts', 'a', 'bigint');
	COMMIT;));

my $old = start_bench('old', 2, 700, q(
	\set id random(1, 4300)
	\set n random(1, 100000)
	UPDATE plain SET a = '0' || :n WHERE id = :id;
	UPDATE plain SET b = 'old' || :n, note = :n WHERE id = (:id * 7) % 4300;
	INSERT INTO plain (id, b) VALUES (:id, 'o' || :n) ON CONFLICT (id) DO UPDATE SET b = excluded.b, a = plain.a || '1' WHERE length(plain.a) < 7;
	UPDATE parts SET a = '0' || :n WHERE id = :id;
	UPDATE parts SET k = 1 - k WHERE id = (:id * 3) % 4300;
	INSERT INTO parts (id, k, a) VALUES (:id, 0, :n) ON CONFLICT (id, k) DO UPDATE SET a = excluded.a;
));
my $new = start_bench('new', 2, 700, q(
	\set id random(1, 4300)
	\set n random(1, 100000)
	UPDATE plain SET a_new = :n WHERE id = :id;
	UPDATE plain SET c = 'new' || :n, note = :n WHERE id = (:id * 7) % 4300;
	INSERT INTO plain (id, a_new, c) VALUES (:id, :n, 'n' || :n) ON CONFLICT (id) DO UPDATE SET c = excluded.c, a_new = excluded.a_new;
	UPDATE plain SET a_new = NULL WHERE id = (:id * 11) % 4300;
	MERGE INTO plain p USING (SELECT (:id * 5) % 4300 AS id) s ON p.id = s.id
		WHEN MATCHED AND :n % 9 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET a_new = :n;
	UPDATE parts SET a_new = :n, k = 1 - k WHERE id = :id AND NOT EXISTS (SELECT FROM parts p WHERE p.id = parts.id AND p.k <> parts.k);
	DELETE FROM parts WHERE id = (:id * 13) % 4300;
));
is(finish_bench($old) =~ s/.*unique constraint.*|.*aborted.*|.*Run was.*|.*moved to another partition.*//gr =~ s/\s+//gr, '', 'no write of the old version fails');
is(finish_bench($new) =~ s/.*unique constraint.*|.*aborted.*|.*Run was.*|.*moved to another partition.*//gr =~ s/\s+//gr, '', 'nor of the new one');
is(ends_as($node, $node->safe_psql('postgres', "SELECT id FROM migrate.backfill_history WHERE name = '$_'"), 'done'), 'done', "$_ is filled")
  foreach qw(plain.a_new plain.c parts.a_new);

is(differences('plain', 'a_new'), 0, 'no row differs, one type and the other');
is(differences('plain', 'c'), 0, 'no row differs, one name and the other');
is(differences('parts', 'a_new'), 0, 'no row differs in partitions');
is($node->safe_psql('postgres', q(
	SELECT (SELECT count(*) FROM plain WHERE a::int IS DISTINCT FROM a_new OR b IS DISTINCT FROM c)
		+ (SELECT count(*) FROM parts WHERE a::bigint IS DISTINCT FROM a_new))), 0,
	'by a plain look at them, too');
cmp_ok($node->safe_psql('postgres', q(SELECT count(*) FROM plain WHERE a LIKE '00%' AND id = a::int)), '>', 0,
	'what was not written has its old value as it was');
is($node->safe_psql('postgres', q(SELECT string_agg(DISTINCT u.side, ' ' ORDER BY u.side) FROM migrate.sync_use u
	JOIN migrate.sync_pair p ON p.id = u.pair_id JOIN migrate.backfill_job j ON j.id = p.job_id WHERE u.at < j.finished_at)), 'new old',
	'both sides have been seen written before the fill was done');

# ---------------------------------------------------------------------------
# The direction is not a matter of the session's search_path.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE SCHEMA "public_02-add";
	CREATE TABLE direction (id int PRIMARY KEY, a text);
	INSERT INTO direction SELECT g, g FROM generate_series(1, 4) g;
	SELECT migrate.expand_type('direction', 'a', 'int');
	CALL migrate.wait('direction.a_new');
	SET search_path TO 'public_02-add';
	UPDATE public.direction SET a_new = 10 WHERE id = 1;
	SET search_path = "public_02-add", public;
	UPDATE direction SET a_new = 20 WHERE id = 2;
	UPDATE direction SET a = '30' WHERE id = 3;
	SET search_path = '';
	UPDATE public.direction SET a_new = 40 WHERE id = 4;));
is($node->safe_psql('postgres', 'SELECT string_agg(concat(a, a_new), chr(32) ORDER BY id) FROM direction'),
	'1010 2020 3030 4040', 'a value goes the way of what was written');

# ---------------------------------------------------------------------------
# No moment with the column and without the trigger.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', 'CREATE TABLE moment (id int PRIMARY KEY, a text)');
my $writer = $node->background_psql('postgres');
$writer->query_safe(q(BEGIN; INSERT INTO moment VALUES (1, '1')));
my $expand = start_sql($node, q(SELECT migrate.expand_type('moment', 'a', 'int') > 0));
ok($node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity
	WHERE query ~ 'expand_type' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid())), 'an expansion waits for a writer');
is($node->safe_psql('postgres', 'SELECT count(*) FROM moment'), 0, 'nobody stands in line behind it');
$writer->query_safe(q(INSERT INTO moment VALUES (2, '2'); COMMIT));
is_deeply([ finish_sql($expand) ], [ 't', '' ], 'which goes on when the writer is done');
$writer->query_safe(q(INSERT INTO moment VALUES (3, '3')));
$writer->quit;
$node->safe_psql('postgres', q(CALL migrate.wait('moment.a_new')));
is($node->safe_psql('postgres', 'SELECT string_agg(a_new::text, chr(32) ORDER BY id) FROM moment'), '1 2 3',
	'rows from before, between and after have their values');

# ---------------------------------------------------------------------------
# A trigger that cannot be made is an error, and leaves nothing.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE TABLE taken (id int PRIMARY KEY, a text);
	CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER zzz_pgmigrate_sync BEFORE UPDATE ON taken FOR EACH ROW EXECUTE FUNCTION nothing();));
is(sqlstate_of($node, q(SELECT migrate.expand_type('taken', 'a', 'int'))), '42710', 'a trigger that cannot be made');
is($node->safe_psql('postgres', q(SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'taken'::regclass AND attnum > 0),
	(SELECT count(*) FROM migrate.sync_pair WHERE relid = 'taken'::regclass), (SELECT count(*) FROM migrate.backfill_job WHERE name ~ 'taken'))),
	'2|0|0', 'leaves no column, no pair and no backfill');

# ---------------------------------------------------------------------------
# Column and trigger come in one transaction, which nobody stands in line behind.
# ---------------------------------------------------------------------------
my $nothing = q(SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'whole'::regclass AND attnum > 0),
	(SELECT count(*) FROM pg_trigger WHERE tgrelid = 'whole'::regclass), (SELECT count(*) FROM migrate.sync_pair WHERE relid = 'whole'::regclass),
	(SELECT count(*) FROM migrate.backfill_job WHERE name ~ 'whole'));

$node->safe_psql('postgres', q(CREATE TABLE whole (id int PRIMARY KEY, a text); INSERT INTO whole SELECT g, g FROM generate_series(1, 100) g));
my $reader = hold($node, 'SELECT count(*) FROM whole');
is(sqlstate_of($node, q(SET pgmigrate.lock_timeout = '100ms'; SET pgmigrate.lock_retries = 2; SELECT migrate.expand_type('whole', 'a', 'int'))), '55P03',
	'an expansion that does not get its lock gives up');
is($node->safe_psql('postgres', $nothing), '2|0|0|0', 'and leaves no column, no trigger, no pair and no backfill');
my $waiting = start_sql($node, q(SET pgmigrate.lock_timeout = '100ms'; SET pgmigrate.lock_retries = 100000; SELECT migrate.expand_type('whole', 'a', 'int') > 0));
$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'expand_type' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid()));
is(sqlstate_of($node, q(SET lock_timeout = '2s'; UPDATE whole SET a = '7' WHERE id = 7)), '00000', 'nobody waits for one that waits');
$node->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'expand_type' AND pid <> pg_backend_pid()));
like((finish_sql($waiting))[1], qr/57P01/, 'one that is ended while it waits');
is($node->safe_psql('postgres', $nothing), '2|0|0|0', 'leaves nothing either');
release($reader);
is(sqlstate_of($node, q(SELECT migrate.expand_type('whole', 'a', 'int'))), '00000', 'nothing is in the way of the next one');
$node->safe_psql('postgres', q(CALL migrate.wait('whole.a_new')));

# ---------------------------------------------------------------------------
# An end that is broken off has done nothing, and can be had again.
# ---------------------------------------------------------------------------
$reader = hold($node, 'SELECT count(*) FROM whole');
$waiting = start_sql($node, q(SET pgmigrate.contract_quiet = 0; SET pgmigrate.lock_retries = 100000; SELECT migrate.contract('whole', 'a')));
$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'migrate.contract.' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid()));
$node->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'migrate.contract.' AND pid <> pg_backend_pid()));
like((finish_sql($waiting))[1], qr/57P01/, 'an end is broken off');
release($reader);
$node->safe_psql('postgres', q(UPDATE whole SET a = '11' WHERE id = 1; UPDATE whole SET a_new = 12 WHERE id = 2));
is($node->safe_psql('postgres', q(SELECT string_agg(concat(a, a_new), ' ' ORDER BY id) FROM whole WHERE id < 3)), '1111 1212', 'both sides are kept in step as before');
is(sqlstate_of($node, q(SET pgmigrate.contract_quiet = 0; SELECT migrate.contract('whole', 'a'))), '00000', 'it ends the next time');
is($node->safe_psql('postgres', q(SELECT (SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'whole'::regclass AND attnum > 0 AND NOT attisdropped),
	(SELECT count(*) FROM pg_trigger WHERE tgrelid = 'whole'::regclass))), 'id a_new|0', 'and leaves the new column and no trigger');

# ---------------------------------------------------------------------------
# The end: no write fails meanwhile, and a failure takes nothing away.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(CREATE VIEW depends AS SELECT b FROM plain));
is(sqlstate_of($node, q(SET pgmigrate.contract_quiet = 0; SELECT migrate.contract('plain', 'b'))), '2BP01', 'the old column is needed');
$node->safe_psql('postgres', q(DROP VIEW depends; UPDATE plain SET c = 'still' WHERE id = 17));
is($node->safe_psql('postgres', q(SELECT count(*) FROM plain WHERE id = 17 AND b IS DISTINCT FROM c)), 0, 'so all goes on as before');

my $busy = start_bench('busy', 3, 600, q(
	\set id random(1, 4300)
	UPDATE plain SET c = 'busy' || :id, a_new = :id WHERE id = :id;
	INSERT INTO plain (id, c, a_new) VALUES (:id, 'b', 1) ON CONFLICT DO NOTHING;
));
is(sqlstate_of($node, q(SET pgmigrate.contract_quiet = 0; SELECT migrate.contract('plain', 'b'))), '00000', 'the old column goes under load');
is(sqlstate_of($node, q(SET pgmigrate.contract_quiet = 0; SELECT migrate.contract('plain', 'a'))), '00000', 'and the other, with the trigger');
is(finish_bench($busy), '', 'no write fails while they go');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_trigger WHERE tgrelid = 'plain'::regclass)), 0, 'nothing is left');

# ---------------------------------------------------------------------------
# A foreign key of the old column is not checked once more, nor copied.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(
	CREATE TABLE referenced (id int PRIMARY KEY);
	INSERT INTO referenced SELECT g FROM generate_series(1, 100) g;
	CREATE TABLE referencing (id int PRIMARY KEY, r int REFERENCES referenced);
	INSERT INTO referencing SELECT g, g FROM generate_series(1, 100) g;
	SELECT migrate.expand_rename('referencing', 'r', 'ref');));
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'referencing'::regclass)), 1,
	'the foreign key is where it was');
$node->safe_psql('postgres', q(CREATE TABLE checked (id int PRIMARY KEY, r int REFERENCES referenced); INSERT INTO checked SELECT g, g FROM generate_series(1, 100) g));
register($node, 'foreign-key', "-- migrate:up\nALTER TABLE checked ALTER r TYPE bigint;");
is($node->safe_psql('postgres', q(SELECT count(*) FILTER (WHERE sql ~ 'FOREIGN KEY'), count(*) FILTER (WHERE sql ~ 'FOREIGN KEY' AND sql !~ 'NOT VALID'),
	count(*) FILTER (WHERE sql ~ 'VALIDATE CONSTRAINT') FROM (SELECT DISTINCT statement, step, sql FROM migrate.steps('foreign-key')) s)), '1|0|1',
	'one of a column that changes its type is not checked under the lock that makes it');

# ---------------------------------------------------------------------------
# Dump and restore bring trigger and pairs along.
# ---------------------------------------------------------------------------
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

$node->safe_psql('postgres', 'CREATE DATABASE copy');
command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('copy') ], 'restore');
$node->safe_psql('copy', q(UPDATE direction SET a = '77' WHERE id = 1; UPDATE direction SET a_new = 88 WHERE id = 2;
	INSERT INTO parts (id, k, a) VALUES (9999, 1, '5')));
is($node->safe_psql('copy', q(SELECT string_agg(concat(a, a_new), chr(32) ORDER BY id) FROM direction WHERE id < 3)), '7777 8888',
	'both ways in the restored database');
is($node->safe_psql('copy', 'SELECT relation, target FROM migrate.expansion ORDER BY id'),
	$node->safe_psql('postgres', 'SELECT relation, target FROM migrate.expansion ORDER BY id'), 'which shows its pairs');
is($node->safe_psql('copy', 'SELECT a_new FROM part1 WHERE id = 9999'), 5, 'and in a partition');
is($node->safe_psql('copy', q(SELECT migrate.sync_end('direction', 'a_new'))), 't', 'and it ends there');

# ---------------------------------------------------------------------------
# A transaction with an old snapshot knows a pair that is younger.
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q(CREATE TABLE young (id int PRIMARY KEY, a text); INSERT INTO young VALUES (1, '1')));
my $aged = $node->background_psql('postgres');
$aged->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM direction');
$node->safe_psql('postgres', q(SELECT migrate.expand_type('young', 'a', 'int')));
$aged->query_safe(q(INSERT INTO young (id, a) VALUES (2, '2'); COMMIT));
$aged->quit;
$node->safe_psql('postgres', q(CALL migrate.wait('young.a_new')));
is($node->safe_psql('postgres', 'SELECT string_agg(a_new::text, chr(32) ORDER BY id) FROM young'), '1 2', 'an old snapshot');

$node->stop;
done_testing();
