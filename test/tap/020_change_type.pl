# A column whose type changes step by step ends up as by ALTER TABLE, but for its
# place among the columns; what cannot be done so stays, and says why.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use NaiveStatements;
use PgMigrateTest;

my $node = new_node('main', conf => [ 'log_statement = none', 'autovacuum = off', 'fsync = off', 'timezone = Europe/Berlin',
	q(shared_preload_libraries = 'pgmigrate'), 'pgmigrate.backfill_courtesy = 100',
	'pgmigrate.backfill_nice = 0' ]);
my $only = $ENV{PGMIGRATE_CASE} // '';

make_fixtures($node, 'types');

# What a database is like.  Columns and their commas come in any order.
sub state_of
{
	my ($database) = @_;
	my ($dump, $err) = run_command([ 'pg_dump', '--schema-only', '-d', $node->connstr($database) ]);

	return join "\n", sort(map { s/,$//r } grep { !/^\\(un)?restrict / } split /\n/, $dump),
	  $node->safe_psql($database, q(
		CREATE TEMP VIEW tables AS SELECT 't'::regclass AS relid UNION SELECT relid FROM pg_partition_tree('t');
		SELECT 'index', indexrelid::regclass, indisvalid, indisclustered, indisreplident, inhparent::regclass FROM pg_index LEFT JOIN pg_inherits ON inhrelid = indexrelid
		WHERE indrelid IN (TABLE tables) OR indrelid = 'other'::regclass ORDER BY indexrelid::regclass::text;
		SELECT 'index column', attrelid::regclass, attnum, attname FROM pg_attribute WHERE attrelid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN (TABLE tables) OR indrelid = 'other'::regclass) ORDER BY attrelid::regclass::text, attnum;
		SELECT 'constraint', conrelid::regclass, conname, convalidated, coninhcount, conislocal, CASE WHEN contype IN ('c', 'n') THEN connoinherit END, conindid::regclass, conparentid <> 0, pg_get_constraintdef(oid)
		FROM pg_constraint WHERE conrelid IN (TABLE tables) OR conrelid = 'other'::regclass ORDER BY conrelid::regclass::text, conname;
		SELECT 'column', attrelid::regclass, attname, attinhcount, attislocal, atttypid::regtype, atttypmod, attnotnull, atthasdef, attidentity, attstorage, attcompression, attcollation::regcollation, attstattarget, attndims, attacl, array(SELECT o FROM unnest(attoptions) o WHERE o !~ '^pg_')
		FROM pg_attribute WHERE attrelid IN (TABLE tables) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid::regclass::text, attname;
		SELECT 'trigger', tgrelid::regclass, regexp_replace(tgname, '\d+', ''), tgenabled FROM pg_trigger WHERE tgrelid >= 16384 ORDER BY tgrelid::regclass::text, 3, tgtype;
		SELECT 'sequence', pg_get_serial_sequence('t', attname), attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname;
		SELECT 'row', to_jsonb(t) FROM t ORDER BY to_jsonb(t)::text;));
}

# Errors of psql for commands that it runs one by one; nothing if they succeed.
sub errors_of
{
	my ($database, @commands) = @_;
	my ($out, $err) = run_command([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), map { ('-c', $_) } @commands ]);

	return join "\n", $err =~ /^(?:psql:.*)?((?:ERROR|FATAL): .*(?:\nDETAIL: .*)?)/mg;
}

# The steps of a statement, as rows of kind, SQL and why.
sub steps_of
{
	my ($alter, $database) = @_;

	$node->safe_psql($database, q(SELECT migrate.unregister('m') WHERE EXISTS (SELECT FROM migrate.status() WHERE name = 'm')));
	register($node, 'm', $alter, $database);
	return map { [ map { pack 'H*', $_ } split /\|/, $_, -1 ] } split /\n/, $node->safe_psql($database, q(
		SELECT encode(convert_to(kind, 'UTF8'), 'hex'), encode(convert_to(sql, 'UTF8'), 'hex'), encode(convert_to(coalesce(why, ''), 'UTF8'), 'hex')
		FROM (SELECT DISTINCT step, kind, sql, why FROM migrate.steps('m')) s ORDER BY step));
}

sub make_databases
{
	my ($setup) = @_;

	foreach my $database ('naive', 'stepped')
	{
		$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $database WITH (FORCE)");
		$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE types");
		$node->safe_psql($database, $setup);
	}
}

# same(NAME, SETUP, ALTER [, MEANWHILE])
# The steps end as the statement: as a run of them, or one by one, with something
# written before the last one.
sub same
{
	my ($name, $setup, $alter, $meanwhile) = @_;
	my @wrong;

	return if $only ne '' && $name !~ /$only/;
	make_databases($setup);
	my $naive = errors_of('naive', $meanwhile ? $meanwhile : (), $alter);
	push @wrong, "the statement fails: $naive" if $naive ne '';

	my @steps = steps_of($alter, 'stepped');
	push @wrong, "it is not taken apart: $steps[0][2]" if @steps < 4;
	if (!$meanwhile)
	{
		my $error = errors_of('stepped', q(SELECT migrate.apply('m', 'online')), "CALL migrate.wait('m', '${PostgreSQL::Test::Utils::timeout_default}s')");

		push @wrong, "the run fails: $error" if $error ne '';
		@steps = ();
	}
	foreach my $step (@steps)
	{
		my ($kind, $sql) = @$step;
		my @commands = ($sql);

		push @commands, "CALL migrate.wait($1, '${PostgreSQL::Test::Utils::timeout_default}s')" if $sql =~ /^SELECT migrate\.backfill\(.* name => ('.*')\)$/;
		if ($meanwhile && $sql =~ /swap_column/)
		{
			unshift @commands, $meanwhile;
			$meanwhile = '';
		}
		my $error = errors_of('stepped', @commands);
		next if $error eq '';
		push @wrong, "$sql\nfails: $error";
		last;
	}
	if (!@wrong)
	{
		my %naive = map { $_ => 1 } split /\n/, state_of('naive');
		my %stepped = map { $_ => 1 } split /\n/, state_of('stepped');

		push @wrong, map({ "naive:   $_" } grep { !$stepped{$_} } sort keys %naive), map({ "stepped: $_" } grep { !$naive{$_} } sort keys %stepped);
	}
	is(join("\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ]), '', $name);
}

# stays(NAME, SETUP, ALTER, WHY)
# It is not taken apart, and says why.
sub stays
{
	my ($name, $setup, $alter, $why) = @_;

	return if $only ne '' && $name !~ /$only/;
	make_databases($setup);
	my @steps = steps_of($alter, 'stepped');
	is(scalar(@steps), 1, "$name: stays");
	like($steps[0][2], $why, "$name: says why");
}

same(@$_) foreach type_changes();

my $int = 'ALTER TABLE t ALTER COLUMN c TYPE int USING c::int';
my ($parts, $wider) = map { @$_[ 1, 2 ] } grep { $_->[0] eq 'partitions' } type_changes();

# a constraint that a partition has from its table gets the name of the table's
if ('partitions: names' =~ /$only/)
{
	make_databases($parts =~ s/CONSTRAINT t_id_not_null//r);
	register($node, 'm', $wider, 'stepped');
	is(errors_of('stepped', q(SELECT migrate.apply('m', 'online')), q(CALL migrate.wait('m', '180s'))), '', 'partitions: names of not null may differ');
	is($node->safe_psql('stepped', q(SELECT DISTINCT attnotnull, atttypid::regtype FROM pg_attribute JOIN pg_partition_tree('t') ON attrelid = relid WHERE attname = 'id')), 't|bigint', 'and it stays not null');
}

# what is in the way
stays('view', 'CREATE VIEW w AS SELECT c FROM t', $int, qr/view w .*uses the column/);
stays('trigger on the column', q(CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE UPDATE OF c ON t FOR EACH ROW EXECUTE FUNCTION f()), $int, qr/trigger tr .*uses the column/);
stays('policy', q(CREATE POLICY p ON t USING (c <> 'x')), $int, qr/policy p .*uses the column/);
stays('generated column', 'ALTER TABLE t ADD g text GENERATED ALWAYS AS (c || e) STORED', $int, qr/column g .*uses the column/);
stays('function', 'CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT max(c) FROM t; END', $int, qr/function f\(\) uses the column/);
stays('deferrable key', 'ALTER TABLE t ADD CONSTRAINT dk UNIQUE (k) DEFERRABLE', 'ALTER TABLE t ALTER k TYPE bigint', qr/"dk" is deferrable/);
stays('exclusion', 'ALTER TABLE t ADD CONSTRAINT ex EXCLUDE (k WITH =)', 'ALTER TABLE t ALTER k TYPE bigint', qr/"ex" cannot be built/);
stays('domain with a check', '', 'ALTER TABLE t ALTER c TYPE positive USING c::int', qr/domain/);
stays('volatile', '', 'ALTER TABLE t ALTER c TYPE int USING random() * 5', qr/volatile/);
stays('rows as values', 'CREATE TABLE holder (r t)', $int, qr/holder.* has rows of the table/);
stays('published', 'CREATE PUBLICATION p FOR TABLE t', $int, qr/published/);
stays('children', 'CREATE TABLE child () INHERITS (t)', $int, qr/inherit/);
stays('rules', 'CREATE RULE r AS ON DELETE TO t DO ALSO SELECT 1', $int, qr/rules/);
stays('what else is dropped', '', 'ALTER TABLE t DROP d, ALTER c TYPE int USING c::int', qr/drops something/);
stays('check that is not valid', 'ALTER TABLE t ADD CHECK (d < id) NOT VALID', $int, qr/check that is not valid/);
stays('default', q(ALTER TABLE t ALTER c SET DEFAULT now()::text), 'ALTER TABLE t ALTER c TYPE int USING 5', qr/default/);
stays('each from the other', '', 'ALTER TABLE t ALTER c TYPE int USING d, ALTER d TYPE bigint USING length(c)', qr/"[cd]", whose type changes/);
stays('name taken', 'ALTER TABLE t ADD c_pgmigrate int', $int, qr/"c_pgmigrate" already/);
stays('partition key', $parts, 'ALTER TABLE t ALTER k TYPE bigint', qr/"t_3" is partitioned by the column/);
stays('foreign key to a partitioned table', "$parts; ALTER TABLE t ADD UNIQUE (id, at, k); ALTER TABLE other ADD at date, ADD FOREIGN KEY (t_id, at, k) REFERENCES t (id, at, k)", $wider, qr/is one to a partitioned table/);
stays('foreign partition', "$parts; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far PARTITION OF t FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') SERVER s", $wider, qr/"far" is no table/);
stays('view of a partition', "$parts; CREATE VIEW w AS SELECT id FROM t_3_even", $wider, qr/view w .*uses the column/);
stays('view by key', 'CREATE VIEW w AS SELECT id, d FROM t GROUP BY id', 'ALTER TABLE t ALTER id TYPE bigint', qr/view w/);

# a run that fails, and is cancelled, leaves nothing
make_databases(q(CREATE INDEX ti ON t (c); UPDATE t SET c = 'none' WHERE id = 250; ALTER TABLE t ADD CHECK (c <> '') NO INHERIT));
is(state_of('naive'), state_of('stepped'), 'two databases are alike');
register($node, 'm', 'ALTER TABLE t ALTER d TYPE bigint; ALTER TABLE t ALTER c TYPE varchar(3)', 'stepped');
like(errors_of('stepped', q(SELECT migrate.apply('m', 'online')), q(CALL migrate.wait('m', '180s'))), qr/has failed/, 'a value does not fit');
$node->safe_psql('stepped', q(SELECT migrate.cancel('m')));
errors_of('stepped', q(CALL migrate.wait('m', '180s')));
is(errors_of('stepped', q(UPDATE t SET c = 'longer' WHERE id = 1; UPDATE t SET c = NULL WHERE id = 1)), '', 'rows can be written');
is(errors_of('naive', q(UPDATE t SET c = NULL WHERE id = 1), 'ALTER TABLE t ALTER d TYPE bigint'), '', 'the first statement by itself');
is(state_of('stepped'), state_of('naive'), 'a run that is cancelled leaves what it finished, and nothing else');

make_databases($parts . q(; ALTER TABLE t ADD PRIMARY KEY (at, k, c); CREATE INDEX ON t (c); INSERT INTO t (id, at, c, k) VALUES (1, '2025-03-02', 'x1', 1), (1, '2025-03-02', 'x2', 1)));
register($node, 'm', q(ALTER TABLE t ALTER c TYPE varchar(4) USING CASE WHEN c LIKE 'x%' THEN 'x' ELSE c END), 'stepped');
like(errors_of('stepped', q(SELECT migrate.apply('m', 'online')), q(CALL migrate.wait('m', '180s'))), qr/has failed/, 'the key of a partition fails');
is($node->safe_psql('stepped', q(SELECT count(*) > 0 FROM migrate.history_step WHERE sql ~ 'ATTACH PARTITION' AND state = 'done')), 't', 'some indexes are attached');
$node->safe_psql('stepped', q(SELECT migrate.cancel('m')));
errors_of('stepped', q(CALL migrate.wait('m', '180s')));
is(state_of('stepped'), state_of('naive'), 'a run on partitions that is cancelled leaves nothing');

# beside those who write, none of whom fails, and no value is lost
$node->safe_psql('postgres', q(
	CREATE SEQUENCE ids START 20001;
	CREATE TABLE busy (id int PRIMARY KEY, c text NOT NULL, d int);
	CREATE INDEX ON busy (c);
	INSERT INTO busy SELECT g, g, g FROM generate_series(1, 20000) g;));
register($node, 'busy', 'ALTER TABLE busy ALTER c TYPE int USING c::int; ALTER TABLE busy ALTER id TYPE bigint');
my $offset = -s $node->logfile;
my $load = start_load($node, 2,
	"\\set i random(1, 20000)\n\\set x random(1, 1000000)\nUPDATE busy SET c = ':x', d = :x WHERE id = :i;",
	"\\set x random(1, 1000000)\nINSERT INTO busy (id, c, d) VALUES (nextval('ids'), ':x', :x);",
	"\\set i random(1, 20000)\nDELETE FROM busy WHERE id = :i AND id % 10 = 0;");
poll(sub { return $node->safe_psql('postgres', q(SELECT last_value > 20050 FROM ids)) eq 't' });
is(errors_of('postgres', q(SELECT migrate.apply('busy', 'online')), q(CALL migrate.wait('busy', '180s'))), '', 'a run beside a load');
my $then = $node->safe_psql('postgres', 'SELECT last_value FROM ids');
poll(sub { return $node->safe_psql('postgres', "SELECT last_value > $then + 50 FROM ids") eq 't' });
stop_load($load);
is($node->safe_psql('postgres', q(SELECT pg_typeof(id), pg_typeof(c) FROM busy LIMIT 1)), 'bigint|integer', 'has changed both types');
is($node->safe_psql('postgres', 'SELECT count(*) FROM busy WHERE c <> d'), '0', 'no value is lost');
unlike(slurp_file($node->logfile, $offset), qr/STATEMENT:  (UPDATE|INSERT INTO|DELETE FROM) busy/, 'and nobody who writes has failed');

done_testing();
