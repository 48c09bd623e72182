# Old and new versions of an application write the two sides of expansions at once
# while they are filled, a million rows in all: no row differs at the end, and each
# has what was written to it last, from whichever side.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

# how many rows are written while they are filled, and in how many rounds at least
my $writes = $ENV{PGMIGRATE_WRITES} // amount(1_000_000, 20_000);
my $rounds = $ENV{PGMIGRATE_ROUNDS} // amount(5, 1);
my $rows = $ENV{PGMIGRATE_ROWS} // amount(40_000, 4_000);

# how often a client runs its script before it is seen how far the fills are
my $turn = 100;

my $node = new_node('main', conf => [ 'autovacuum = off', 'fsync = off', 'shared_buffers = 256MB',
	q(shared_preload_libraries = 'pgmigrate'), 'max_worker_processes = 16', 'pgmigrate.backfill_nice = 0',
	'pgmigrate.backfill_max_workers = 4', 'pgmigrate.backfill_courtesy = 100',
	'pgmigrate.backfill_batch_rows = 20', 'pgmigrate.backfill_duty = 1',
	'deadlock_timeout = 20ms', 'log_statement = none' ]);
my $dir = PostgreSQL::Test::Utils::tempdir();

# Rows for COPY: the id is the next one.
append_to_file("$dir/old.copy", join '', map { "0$_\tcopied old$_\t$_\t$_\n" } 1 .. 10);
append_to_file("$dir/new.copy", join '', map { "$_\tcopied new$_\t$_\t$_\n" } 1 .. 10);

# "value" and "name_value" are what the pairs (a, a_new) and (b, c) were given last,
# whoever wrote.  What loses something on the way (leading zeros) stays as written.
# Ids up to "rows" are drawn at random, those above are given out once.
my $fixture = qq(
	CREATE SEQUENCE ids START @{[ 2 * $rows ]};
	CREATE TABLE plain (id int PRIMARY KEY DEFAULT nextval('ids'), a text DEFAULT '0', b text, value int, name_value int) WITH (fillfactor = 70);
	INSERT INTO plain SELECT g, '00' || g, 'b' || g, g, g FROM generate_series(1, $rows) g;
	CREATE TABLE parts (id int, k int, value int, a text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
	CREATE TABLE part0 PARTITION OF parts FOR VALUES IN (0);
	CREATE TABLE part1 (a text, gone int, value int, k int NOT NULL, id int NOT NULL);
	ALTER TABLE part1 DROP gone;
	ALTER TABLE parts ATTACH PARTITION part1 FOR VALUES IN (1);
	CREATE TABLE part2 PARTITION OF parts FOR VALUES IN (2);
	INSERT INTO parts SELECT g, g % 3, g, '00' || g FROM generate_series(1, $rows) g;
	CREATE TABLE split (id int PRIMARY KEY DEFAULT nextval('ids'), name text) WITH (fillfactor = 70);
	INSERT INTO split SELECT g, 'first' || g || ' last' || g FROM generate_series(1, $rows) g;
	ANALYZE;
	SELECT migrate.expand_type('plain', 'a', 'int');
	SELECT migrate.expand_rename('plain', 'b', 'c');
	SELECT migrate.expand_type('parts', 'a', 'bigint');
	BEGIN;
	ALTER TABLE split ADD first text, ADD last text;
	SELECT migrate.sync_begin('split', '{name}', 'first', 'split_part(name, '' '', 1)', 'concat_ws('' '', first, last)');
	SELECT migrate.sync_begin('split', '{name}', 'last', 'split_part(name, '' '', 2)', 'concat_ws('' '', first, last)');
	SELECT migrate.backfill('split', \$\$first = split_part(name, ' ', 1), last = split_part(name, ' ', 2)\$\$,
		'first IS NULL AND last IS NULL', name => 'split');
	COMMIT;
);

my $draw = qq(
	\\set id random(1, $rows)
	\\set other random(1, $rows)
	\\set third random(0, @{[ int($rows / 3) - 1 ]}) * 3
	\\set n random(1, 100000)
);
my %scripts = (
	# the old version knows a, b and name
	old => $draw . qq(
		UPDATE plain SET a = '0' || :n, value = :n WHERE id = :id;
		UPDATE plain SET b = 'old' || :n, name_value = :n WHERE id = :other;
		INSERT INTO plain (id, a, b, value, name_value) VALUES (:id, :n, 'o' || :n, :n, :n)
			ON CONFLICT (id) DO UPDATE SET b = excluded.b, name_value = excluded.name_value;
		UPDATE plain SET a = '00' || :n, value = :n WHERE id BETWEEN :other AND :other + 9;
		UPDATE parts SET a = '0' || :n, value = :n WHERE id = :id;
		UPDATE parts SET k = 1 - k WHERE id = :other AND k < 2;
		UPDATE parts SET k = 1 - k, a = :n, value = :n WHERE id = :id AND k < 2;
		INSERT INTO parts (id, k, a, value) VALUES (:third + 2, 2, '0' || :n, :n)
			ON CONFLICT (id, k) DO UPDATE SET a = excluded.a, value = excluded.value;
		MERGE INTO plain p USING (VALUES (:id, 1), (nextval('ids'), 2)) s (id, kind) ON p.id = s.id
			WHEN MATCHED AND :n % 5 = 0 THEN DELETE
			WHEN MATCHED THEN UPDATE SET a = :n, value = :n
			WHEN NOT MATCHED AND s.kind = 2 THEN INSERT (id, a, b, value, name_value) VALUES (s.id, '0' || :n, 'm' || :n, :n, :n);
		UPDATE split SET name = 'f' || :n || ' l' || :n WHERE id = :id;
		INSERT INTO split (name) SELECT 'a' || g || ' b' || :n FROM generate_series(1, 5) g;
		DELETE FROM split WHERE id = :other;
		COPY plain (a, b, value, name_value) FROM '$dir/old.copy';
		DELETE FROM plain WHERE id BETWEEN :other AND :other + 3;
	),
	# the new one knows a_new, c, first and last
	new => $draw . qq(
		UPDATE plain SET a_new = :n, value = :n WHERE id = :id;
		UPDATE plain SET c = 'new' || :n, name_value = :n WHERE id = :other;
		INSERT INTO plain (id, a_new, c, value, name_value) VALUES (:id, :n, 'n' || :n, :n, :n)
			ON CONFLICT (id) DO UPDATE SET a_new = excluded.a_new, c = excluded.c, value = excluded.value, name_value = excluded.name_value;
		UPDATE plain SET a_new = NULL, value = NULL WHERE id = :other;
		UPDATE plain SET a_new = :n, value = :n, c = 'many' || :n, name_value = :n WHERE id BETWEEN :other AND :other + 9;
		UPDATE plain SET a = '000' || :n, a_new = :n, value = :n WHERE id = :id;
		UPDATE parts SET a_new = :n, value = :n WHERE id = :id;
		UPDATE parts SET k = 1 - k, a_new = :n, value = :n WHERE id = :other AND k < 2;
		INSERT INTO parts (id, k, a_new, value) VALUES (:third + 2, 2, :n, :n)
			ON CONFLICT (id, k) DO UPDATE SET a_new = excluded.a_new, value = excluded.value;
		MERGE INTO parts p USING (SELECT id, k FROM parts WHERE id = :other AND k = 2) s ON p.id = s.id AND p.k = 2
			WHEN MATCHED AND :n % 5 = 0 THEN DELETE
			WHEN MATCHED THEN UPDATE SET a_new = :n, value = :n;
		MERGE INTO plain p USING (VALUES (:id, 1), (nextval('ids'), 2)) s (id, kind) ON p.id = s.id
			WHEN MATCHED THEN UPDATE SET a_new = :n, value = :n
			WHEN NOT MATCHED AND s.kind = 2 THEN INSERT (id, a_new, c, value, name_value) VALUES (s.id, :n, 'm' || :n, :n, :n);
		UPDATE split SET first = 'F' || :n WHERE id = :id;
		UPDATE split SET last = 'L' || :n WHERE id = :other;
		INSERT INTO split (first, last) SELECT 'A' || g, 'B' || :n FROM generate_series(1, 5) g;
		COPY plain (a_new, c, value, name_value) FROM '$dir/new.copy';
		DELETE FROM parts WHERE id = :id AND k < 2 AND :n % 7 = 0;
	));

foreach my $name (sort keys %scripts)
{
	append_to_file("$dir/$name.sql", $scripts{$name});
}

# Clients of one version, for a while; finish_clients() tells what went wrong.
sub start_clients
{
	my ($name, $mode) = @_;
	my %bench = (out => '', err => '');

	$bench{run} = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-c', 2, '-t', $turn, '-M', $mode, '--max-tries=1000',
			'-f', "$dir/$name.sql", $node->connstr('work') ],
		'<', \undef, '>', \$bench{out}, '2>', \$bench{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%bench;
}

sub finish_clients
{
	my ($bench) = @_;

	$bench->{run}->finish;
	return grep { /error|abort|fail/i && !/number of failed transactions: 0 / }
	  split /\n/, "$bench->{out}\n$bench->{err}";
}

# The fills that have not ended, and the rows that others than they have written.
sub state_of_fills
{
	my $ended = $node->safe_psql('work', q(SELECT string_agg(concat_ws(': ', name, state, reason, error), '; ')
		FROM migrate.backfill_history WHERE state NOT IN ('queued', 'running', 'done')));

	die "a fill does not go on: $ended" if $ended ne '';
	return split /\|/, $node->safe_psql('work', q(
		SELECT (SELECT count(*) FROM migrate.backfill_history WHERE state <> 'done'),
			(SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname = 'public')
			- (SELECT sum(rows) FROM migrate.backfill_history)));
}

# Writes until that many rows are written, while the fills go on very slowly, and
# then until they have ended, as fast as they can.  Returns the rows that were written
# before the last of them ended, but for those of the last turn.
sub write_during_fills
{
	my ($enough) = @_;
	my ($open, $now);
	my $before = (state_of_fills())[1];
	my $during = 0;
	my $hurried = 0;
	my @wrong;

	for (;;)
	{
		my @clients = (start_clients('old', 'simple'), start_clients('new', 'simple'),
			start_clients('old', 'prepared'), start_clients('new', 'prepared'));

		push @wrong, map { finish_clients($_) } @clients;
		($open, $now) = state_of_fills();
		$during = $now - $before if $open > 0;
		last if $open == 0 || @wrong > 0;
		if ($during >= $enough && !$hurried++)
		{
			$node->safe_psql('work', q(SELECT migrate.alter_backfill(id, duty => 100, batch_rows => 500)
				FROM migrate.backfill_history WHERE state <> 'done'));
		}
	}
	is(join("\n", @wrong[0 .. ($#wrong > 9 ? 9 : $#wrong)]), '', 'no write fails');
	return $during;
}

my %queries = (
	'by the extension' => q(SELECT count(*) FROM (
		SELECT migrate.verify_expansion('plain', 'a_new', 1000000) UNION ALL SELECT migrate.verify_expansion('plain', 'c', 1000000)
		UNION ALL SELECT migrate.verify_expansion('parts', 'a_new', 1000000) UNION ALL SELECT migrate.verify_expansion('split', 'first', 1000000)
		UNION ALL SELECT migrate.verify_expansion('split', 'last', 1000000)) d),
	'by plain SQL' => q(SELECT (SELECT count(*) FROM plain WHERE a::int IS DISTINCT FROM a_new OR b IS DISTINCT FROM c)
		+ (SELECT count(*) FROM parts WHERE a::bigint IS DISTINCT FROM a_new)
		+ (SELECT count(*) FROM split WHERE name IS DISTINCT FROM concat_ws(' ', first, last))),
	'and every row has what was written last' => q(SELECT
		(SELECT count(*) FROM plain WHERE a_new IS DISTINCT FROM value OR substring(c FROM '[0-9]+$')::int IS DISTINCT FROM name_value)
		+ (SELECT count(*) FROM parts WHERE a_new IS DISTINCT FROM value)
		+ (SELECT count(*) FROM split WHERE first !~* '^(first|f|a)[0-9]+$' OR last !~* '^(last|l|b)[0-9]+$' OR first IS NULL OR last IS NULL)));
my $total = 0;

for (my $round = 1; ($total < $writes || $round <= $rounds) && $round <= 3 * $rounds; $round++)
{
	$node->safe_psql('postgres', $_) foreach 'DROP DATABASE IF EXISTS work WITH (FORCE)', 'CREATE DATABASE work';
	$node->safe_psql('work', "CREATE EXTENSION pgmigrate; $fixture");
	$total += write_during_fills($writes / $rounds);
	is($node->safe_psql('work', $queries{$_}), 0, "round $round: no row differs, $_") foreach sort keys %queries;
	cmp_ok($node->safe_psql('work', q(SELECT count(*) FROM plain WHERE a LIKE '00%' AND id = a::int)), '>', 0,
		'what was not written has its old value as it was');
	last if !Test::More->builder->is_passing;
}
note("$total rows written while they were filled");
cmp_ok($total, '>=', $writes, 'as many rows were written');

$node->stop;
done_testing();
