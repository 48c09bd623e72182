# A backfill of a random table gives what one plain UPDATE, or DELETE, gives of a
# copy: types, NULLs, keys, partitions, indexes, dropped columns, filters.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use List::Util qw(shuffle);
use Time::HiRes qw(time);
use PgMigrateTest;

my $seed = $ENV{PGMIGRATE_SEED} // time ^ $$;
my $count = $ENV{PGMIGRATE_TABLES} // amount(300, 40);
my $only = $ENV{PGMIGRATE_TABLE};
my @conf = ('log_statement = none', 'autovacuum = off');

# One server has no room for workers: there the backfills are run by finish().
my %node = (
	finish => new_node('finish', conf => [ @conf, 'max_worker_processes = 0', 'max_logical_replication_workers = 0' ]),
	worker => new_node('worker', conf => [ @conf, q(shared_preload_libraries = 'pgmigrate') ]));

diag("seed $seed, $count tables");

sub pick { return $_[ rand @_ ] }
sub chance { return rand() < $_[0] }
sub quoted { return '"' . $_[0] =~ s/"/""/gr . '"' }
sub literal { return "'" . $_[0] =~ s/'/''/gr . "'" }

$_->safe_psql('postgres', q(
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE DOMAIN positive AS int CHECK (VALUE >= 0);
	CREATE TABLE side (k int PRIMARY KEY, v int); INSERT INTO side SELECT i, i * 3 FROM generate_series(0, 9) i;
	CREATE FUNCTION moody(bigint) RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN $1 % 7; END';
	CREATE FUNCTION steady(bigint) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 % 7; END';
	CREATE FUNCTION h(g int, salt int) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT abs(hashint4(g * 31 + salt)::bigint)';
	CREATE SCHEMA "other schema";
	ALTER DATABASE postgres SET timezone = 'Europe/Berlin';)) foreach values %node;

# Columns: type, value of row g, what can be assigned.  {x} is the name of column
# x, H a random number of the row.
my %columns = (
	i => [ 'int', 'H % 1000 - 500', '{i} + 1', 'coalesce({i}, 0) + 1', 'length({t})', '7', 'NULL', 'DEFAULT', '({b} % 100)::int', '(SELECT max(v) FROM public.side)',
		'(SELECT s.v FROM public.side s WHERE s.k = abs({b}) % 10)', 'CASE WHEN {f} THEN 1 ELSE {i} END', 'public.moody({b})', 'public.steady({b})', '-{i}' ],
	b => [ 'bigint', 'H', '{b} * 2', '{i}', '{i}::bigint * 1000000007', '{b} + {i}', 'ascii({t})', '0' ],
	p => [ 'positive', 'H % 50', '{p} + 1', 'abs({i})', '3' ],
	m => [ 'numeric', '(H % 10000) / 100.0', '{m} * 1.10', '{i} * 1.50', '1.0', '1.00', '{i}', 'round({m}, 1)' ],
	m2 => [ 'numeric(12,2)', 'H % 100000 / 7.0', '{m}', '{i} / 3.0', '{m2} + 0.01' ],
	t => [ 'text', q('t' || H % 100), 'upper({u})', q({t} || 'x'), q({u} || '-' || coalesce({i}::text, '?')), 'repeat({u}, 30)', 'NULL', q(''), 'lower({t})', q({u} || ' ' || {b}), 'md5({b}::text)' ],
	u => [ 'text', q(repeat(chr(97 + (H % 26)::int), (H % 40)::int)), '{t}', 'upper({u})', q({v}), 'reverse({t})' ],
	v => [ 'varchar(30)', q('v' || H % 7), 'left({t}, 20)', q('same'), '{v}' ],
	c => [ 'char(8)', q('c' || H % 50), 'left({t}, 3)', q('abc'), '{v}' ],
	f => [ 'boolean', 'H % 2 = 0', 'NOT {f}', '{i} > 0', 'true', '{t} IS NULL' ],
	d => [ 'date', q(date '2024-02-28' + (H % 400)::int), '{d} + 1', q('2020-02-29'), q({d} - 7) ],
	z => [ 'timestamptz', q(timestamptz '2024-01-01 00:00+00' + (H % 9999) * interval '1 minute'), q({z} + interval '1 hour'), q('2024-06-01 12:00+02'), '{d}' ],
	j => [ 'jsonb', q(jsonb_build_object('a', H % 9, 'b', 'x')), q({j} || '{"k": 1}'), q('[1, 2]'), q({j} - 'a'), 'to_jsonb({i})' ],
	js => [ 'json', q(('{"a":  ' || H % 9 || '}')::json), q('{"b": 1.0}'), 'to_json({i})', '{j}::json' ],
	a => [ 'int[]', 'ARRAY[H % 5, NULL, H % 7]::int[]', '{a} || {i}', 'ARRAY[{i}, {i} + 1]', q('{}') ],
	e => [ 'float8', q(CASE H % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' ELSE H / 7.0 END::float8), '{e} / 3', '{i} * 0.1', '0', q('-0') ],
	y => [ 'bytea', q(decode(md5(H::text), 'hex')), q({y} || '\x00'), q('\xdeadbeef') ],
	n => [ 'interval', q((H % 100) * interval '1 hour'), q('1 day'), q('24 hours'), '{n} * 2' ],
	k => [ 'inet', q(('10.0.0.' || H % 256)::inet), '{k} + 1', q('::1') ],
	o => [ 'mood', q((ARRAY['sad', 'ok', 'happy'])[1 + H % 3]::mood), q('ok'), q(CASE WHEN {i} > 0 THEN 'sad'::mood ELSE {o} END) ],
	w => [ 'text', q(CASE WHEN H % 4 = 0 THEN (SELECT string_agg(md5(H::text || x), '') FROM generate_series(1, 120) x) ELSE 'short' END), q({w} || '!'), '{u}', 'left({w}, 2500)', 'repeat({w}, 2)' ],
	pt => [ 'point', 'point(H % 10, H % 3)', 'point({i}, 1)', '{pt} * point(2, 0)' ],
);
my @filters = ('{i} % 3 = 0', '{i} IS NULL', '{t} IS NULL', '{i} > 0', 'NOT {f}', q({t} LIKE 't1%'), '{i} IS NULL OR {b} % 2 = 0', '{u} IS NULL AND {b} > 1000',
	'EXISTS (SELECT FROM public.side s WHERE s.v = abs({i}) % 30)', '{b} IN (SELECT v FROM public.side) OR {i} < 100', 'false', 'true', '{m} > 50.0', q({u} < 'm' COLLATE "C"), '({i}, {b}) IS DISTINCT FROM (1, 2)',
	'{i} BETWEEN -100 AND 100 -- that is all', 'public.moody({b}) < 4', '{v} IS NOT NULL');

# Keys: columns, their definitions, values of row g.
my @keys = (
	[],
	[ [ 'id', 'int', 'g' ] ], [ [ 'id', 'int', '(g - 100) * 7' ] ], [ [ 'id', 'bigint GENERATED BY DEFAULT AS IDENTITY', 'g * 1000003::bigint' ] ], [ [ 'id', 'smallint', 'g' ] ],
	[ [ 'id', 'uuid', 'md5(g::text)::uuid' ] ], [ [ 'id', 'text', q('k' || md5(g::text)) ] ], [ [ 'id', 'text COLLATE "C"', q(CASE WHEN g % 2 = 0 THEN 'a ' ELSE 'B_' END || g) ] ],
	[ [ 'id', 'varchar(50)', q('it''s "' || g || E'"\\\\,{}') ] ], [ [ 'id', 'timestamptz', q(timestamptz '2024-03-30 00:00+00' + g * interval '7 minutes 0.000001 second') ] ], [ [ 'id', 'date', q(date '1999-12-01' + g) ] ],
	[ [ 'id', 'numeric', 'g / 7.0' ] ], [ [ 'id', 'float8', 'g / 7.0::float8' ] ], [ [ 'id', 'bytea', q(decode(md5(g::text), 'hex')) ] ], [ [ 'id', 'interval', q(g * interval '1.5 hours') ] ],
	[ [ 'id', 'char(12)', 'g' ] ], [ [ 'id', 'oid', 'g' ] ], [ [ 'id', 'inet', q('10.0.0.0'::inet + g) ] ], [ [ 'id', 'int[]', 'ARRAY[g % 10, g]' ] ], [ [ 'id', '"char"', 'chr(g % 100 + 20)' ], [ 'id2', 'int', 'g' ] ],
	[ [ 'id', 'int', 'g % 10' ], [ 'id2', 'int', 'g' ] ], [ [ 'id', 'text', q('g' || g % 5) ], [ 'id2', 'uuid', 'md5(g::text)::uuid' ] ], [ [ 'id', 'int', 'g % 3' ], [ 'id2', 'date', q(date '2024-01-01' + g % 50) ], [ 'id3', 'text', 'g::text' ] ],
);

# Writes the SQL that makes the table number $n and its copy, changes the copy,
# backfills the table and compares.
sub make_case
{
	my ($n) = @_;
	my %name = map { $_ => chance(0.1) ? pick('A b', "q'q", 'd"q', "\xc3\xa9t\xc3\xa9", 'select') . $_ : $_ } (sort keys %columns), 'id', 'id2', 'id3', 'gen', 'gone1', 'gone2';
	my $in = sub { return $_[0] =~ s/\{(\w+)\}/quoted($name{$1})/ger };
	my $table = (chance(0.2) ? '"other schema".' : '') . quoted(pick('t', 't', 'Tab', 'x y', "q'") . $n);
	my $copy = "copy$n";
	my @key = @{ pick(@keys) };
	my $rows = chance(0.1) ? int rand 4 : chance(0.1) ? 2000 + int rand 2000 : 20 + int rand 500;
	my %has = (i => 1, b => 1, t => 1, u => 1, v => 1, f => 1, m => 1, d => 1);
	$has{$_} = chance(0.35) foreach grep { !$has{$_} } sort keys %columns;
	$has{$_} = 1 foreach $has{js} ? 'j' : ();
	my @has = shuffle grep { $has{$_} } sort keys %has;
	my $kind = pick(('plain') x 7, @key ? ('hash', 'range') : (), 'list', 'inherit');
	my $key_kind = pick('PRIMARY KEY', 'PRIMARY KEY', 'UNIQUE');

	# the table
	my @defs = map { quoted($name{ $_->[0] }) . " $_->[1] NOT NULL" } @key;
	push @defs, map { quoted($name{$_}) . " $columns{$_}[0]" . ($_ eq 'i' ? ' DEFAULT 42' : '') } @has;
	push @defs, quoted($name{gen}) . ' bigint GENERATED ALWAYS AS (' . $in->('{b} + 1') . ') STORED' if $has{gen} = chance(0.25);
	@defs = shuffle @defs;
	unshift @defs, quoted($name{gone1}) . ' text' if my $gone1 = chance(0.3);
	push @defs, quoted($name{gone2}) . ' numeric DEFAULT 1' if my $gone2 = chance(0.3);
	my $by = @key ? $key[0][0] : 'b';
	push @defs, "$key_kind (" . join(', ', map { quoted($name{ $_->[0] }) } @key) . ')' if @key && $kind ne 'list' && $kind ne 'inherit';
	my $with = chance(0.4) ? ' WITH (fillfactor = ' . pick(30, 50, 70, 90, 100) . ')' : '';
	my $partition = { hash => 'HASH', range => 'RANGE', list => 'LIST' }->{$kind};
	my $part_by = $kind eq 'list' ? 'f' : $by;
	my @sql = ('CREATE ' . (chance(0.1) && $kind eq 'plain' ? 'UNLOGGED ' : '') . "TABLE $table (" . join(', ', @defs) . ')'
		  . ($partition ? " PARTITION BY $partition (" . quoted($name{$part_by}) . ')' : $with));
	if ($kind eq 'hash')
	{
		push @sql, "CREATE TABLE part${n}_$_ PARTITION OF $table FOR VALUES WITH (MODULUS 3, REMAINDER $_)$with" foreach 0 .. 2;
	}
	elsif ($kind eq 'range')
	{
		push @sql, "SELECT NULL", "CREATE TABLE part${n}_d PARTITION OF $table DEFAULT$with";
		push @sql, "CREATE TABLE part${n}_1 PARTITION OF $table FOR VALUES FROM (MINVALUE) TO (100)$with" if $key[0][1] =~ /^(big|small)?int\b(?!\[)/;
	}
	elsif ($kind eq 'list')
	{
		push @sql, "CREATE TABLE part${n}_t PARTITION OF $table FOR VALUES IN (true)$with", "CREATE TABLE part${n}_d PARTITION OF $table DEFAULT PARTITION BY LIST (" . quoted($name{f}) . ')',
			"CREATE TABLE part${n}_f PARTITION OF part${n}_d FOR VALUES IN (false)", "CREATE TABLE part${n}_n PARTITION OF part${n}_d FOR VALUES IN (NULL)";
		push @sql, map { "ALTER TABLE part${n}_$_ ADD $key_kind (" . join(', ', map { quoted($name{ $_->[0] }) } @key) . ')' } 't', 'f', 'n' if @key;
	}
	elsif ($kind eq 'inherit')
	{
		push @sql, "CREATE TABLE part${n}_c (extra int DEFAULT 5) INHERITS ($table)$with";
		push @sql, map { "ALTER TABLE $_ ADD $key_kind (" . join(', ', map { quoted($name{ $_->[0] }) } @key) . ')' } $table, "part${n}_c" if @key;
	}

	# its rows; columns that are dropped afterwards leave their place in old rows
	my $nulls = pick(0, 0.1, 0.3, 1);
	my @cols = ((map { $_->[0] } @key), @has);
	my @values = ((map { $_->[2] } @key), map {
		my $value = $columns{$_}[1] =~ s/\bH\b/'public.h(g, ' . int(rand 1000) . ')'/ger;
		$nulls == 0 ? $value : "CASE WHEN public.h(g, " . int(rand 1000) . ") % 100 >= " . int($nulls * (chance(0.5) ? 100 : 30)) . " THEN $value END";
	} @has);
	my $into = $kind eq 'inherit' ? [ $table, "part${n}_c" ] : [$table];
	foreach my $i (0 .. $#$into)
	{
		push @sql, "INSERT INTO $into->[$i] (" . join(', ', map { quoted($name{$_}) } @cols) . ') SELECT ' . join(', ', @values) . ' FROM generate_series(' . (1 + $i * $rows) . ', ' . ($i + 1) * $rows . ') g';
	}
	if (chance(0.5))
	{
		push @sql, "UPDATE $table SET " . $in->('{v}') . ' = ' . $in->(q('moved')) . ' WHERE ' . $in->('{b} % ' . pick(2, 5, 9)) . ' = 0', "DELETE FROM $table WHERE " . $in->('{b} % 11 = 0');
	}
	push @sql, "ALTER TABLE $table DROP COLUMN " . quoted($name{gone1}) if $gone1;
	push @sql, "ALTER TABLE $table DROP COLUMN " . quoted($name{gone2}) if $gone2;
	push @sql, "ALTER TABLE $table ADD COLUMN late int DEFAULT 9" if chance(0.2);

	# what is to be done
	my $delete = chance(0.12);
	my %taken = ($kind eq 'list' ? (f => 1) : (), !@key && ($kind eq 'hash' || $kind eq 'range') ? (b => 1) : ());
	my @targets = grep { !$taken{$_} } @has;
	my @set;
	foreach my $target (map { splice @targets, rand @targets, 1 } 1 .. pick(1, 1, 1, 2, 3))
	{
		my @menu = grep { my $e = $_; !grep { !$has{$_} } $e =~ /\{(\w+)\}/g } @{ $columns{$target} }[ 2 .. $#{ $columns{$target} } ];
		my $expr = pick(@menu);

		$expr = 'NULL' if chance(0.04);
		push @set, [ $target, $expr ];
	}
	my $set = @set > 1 && !(grep { $_->[1] eq 'DEFAULT' } @set) && chance(0.2)
	  ? '(' . join(', ', map { '{' . $_->[0] . '}' } @set) . ') = ROW(' . join(', ', map { $_->[1] } @set) . ')'
	  : join(', ', map { "{$_->[0]} = $_->[1]" } @set);
	my $filter = chance(0.45) ? undef : chance(0.3) ? "{$set[0][0]} IS NULL" : pick(@filters);
	$set = $in->($set);
	$filter = $in->($filter) if defined $filter;
	my $where = defined $filter ? " WHERE $filter\n" : '';

	# indexes on what is set, or on other columns
	foreach my $i (1 .. int rand 4)
	{
		my $column = chance(0.3) ? $set[0][0] : pick(@has);
		next if $column =~ /^(w|js|pt|y|u|t)$/;
		push @sql, "CREATE INDEX ON $table (" . quoted($name{$column}) . ')' . pick('', '', ' WHERE ' . $in->('{i} > 0'));
	}
	push @sql, pick("ANALYZE $table", "VACUUM ANALYZE $table", 'SELECT NULL');

	my $stored = join ', ', map { quoted($name{$_}) } @cols;
	push @sql, "CREATE TABLE $copy (LIKE $table INCLUDING DEFAULTS INCLUDING GENERATED)", "INSERT INTO $copy ($stored) SELECT $stored FROM $table";
	push @sql, ($delete ? "DELETE FROM $copy AS " : "UPDATE $copy AS ") . 't' . ($delete ? '' : " SET $set") . $where, '\set plain :ROW_COUNT';

	# how
	my $how = $n % 5 == 0 ? 'worker' : 'finish';
	my $strategy = pick('auto', 'auto', 'auto', 'pages', 'key');
	my $submit = sub {
		my ($strategy) = @_;
		my @arguments = (literal($table), $delete ? '"delete" => true' : '$a$' . $set . '$a$', defined $filter ? "filter => \$a\$$filter\$a\$" : (), "strategy => '$strategy'",
			chance(0.8) ? 'batch_rows => ' . pick(1, 3, 10, 50, 500) : (), chance(0.4) ? 'lanes => 2' : (), "name => 'b$n'", chance(0.1) ? 'vacuum_analyze => true' : ());
		return "SELECT migrate.backfill(" . join(', ', @arguments) . ') AS id \gset';
	};
	my $sql = "\\set SHOW_CONTEXT never\n\\echo case $n $how $kind $rows rows\n" . join('', map { /^\\/ ? "$_\n" : "$_;\n" } @sql) . "\\unset id\n" . $submit->($strategy) . "\n";
	$sql .= "\\if :{?id}\n\\else\n\\echo refused :LAST_ERROR_SQLSTATE\n" . $submit->('auto') . "\n\\endif\n" if $strategy ne 'auto';
	$sql .= "\\if :{?id}\n\\echo submitted\nCALL " . ($how eq 'finish' ? 'migrate.finish(:id)' : q(migrate.wait(:id, '60 s'))) . ";\n";
	$sql .= "SELECT 'compared', (SELECT count(*) FROM (SELECT x::text FROM $table x EXCEPT ALL SELECT x::text FROM $copy x) d), "
	  . "(SELECT count(*) FROM (SELECT x::text FROM $copy x EXCEPT ALL SELECT x::text FROM $table x) d), h.state, h.strategy, h.rows, :plain, h.strategy_reason, h.reason FROM migrate.backfill_history h WHERE h.id = :id;\n";
	$sql .= "\\else\n\\echo refused :LAST_ERROR_SQLSTATE\n\\endif\n";
	return ($how, $sql);
}

my (%total, @wrong, %refused);
my $start = time;
foreach my $n (1 .. $count)
{
	srand($seed + $n);
	next if defined $only && $only != $n;
	my ($how, $sql) = make_case($n);
	my ($status, $out, $err) = $node{$how}->psql('postgres', $sql, on_error_stop => 0);
	my $rest = $err =~ s/^.*(NOTICE|HINT|DETAIL|LINE \d+|QUERY|CONTEXT|WARNING):.*\n?//gmr;
	my ($result) = $out =~ /^compared\|(.*)/m;
	my $problem;

	print "# case $n: ", $result // 'none', "\n";
	if (!defined $result)
	{
		my ($sqlstate) = $out =~ /^refused (\w+)\n?\z/m;

		$problem = 'no result' unless defined $sqlstate && $sqlstate =~ /^(22023|0A000)$/ && $err =~ /cannot backfill/;
		$refused{$sqlstate // ''}++;
	}
	else
	{
		my ($missing, $extra, $state, $strategy, $rows, $plain, $why) = split /\|/, $result;

		$total{$strategy}++;
		$total{$how}++;
		$problem = "not the same: $missing rows too many, $extra missing" if $missing || $extra;
		$problem = "not done but $state" if $state ne 'done';
		$problem = "$rows rows changed by key, $plain by a plain statement" if $strategy eq 'key' && $rows != $plain;
		# "column IS NULL" is still true of a row whose new value is null
		$problem = "$rows rows changed, only $plain by a plain statement" if $rows > $plain && $why !~ /^the filter tells/;
	}
	$problem = 'an error' if !defined $problem && $rest =~ /ERROR/ && $out !~ /^refused/m;
	next unless defined $problem;
	push @wrong, "case $n: $problem";
	diag("case $n, PGMIGRATE_SEED=$seed PGMIGRATE_TABLE=$n: $problem\n" . substr($out, 0, 1000) . "\n" . substr($err, 0, 2000) . "\n" . ($sql =~ s/^(.{600}).+$/$1.../gmr));
	last if @wrong >= 20;
}
diag(sprintf '%d backfills (%s), %d refused (%s), in %.0f s', ($total{finish} // 0) + ($total{worker} // 0),
	join(', ', map { "$_: $total{$_}" } sort keys %total), $count - ($total{finish} // 0) - ($total{worker} // 0),
	join(', ', map { "$_: $refused{$_}" } sort keys %refused), time - $start);
is_deeply(\@wrong, [], 'the backfills give what a plain UPDATE or DELETE gives');
SKIP:
{
	last if defined $only;
	cmp_ok($total{$_} // 0, '>=', $count / 10, "enough of them by $_") foreach 'pages', 'key', 'finish', 'worker';
	cmp_ok(($total{finish} // 0) + ($total{worker} // 0), '>=', $count * 0.75, 'most of them are not refused');
}
foreach my $how (sort keys %node)
{
	unlike(slurp_file($node{$how}->logfile), qr/TRAP|PANIC|ERROR:  XX000|terminated by signal/, "$how: nothing crashed");
	nothing_left($node{$how}) unless @wrong;
}

done_testing();
