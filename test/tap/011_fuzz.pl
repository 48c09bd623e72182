# Broken scripts, names and arguments: the server stays up, every error says
# what is wrong and where, and nothing is half registered.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $seed = $ENV{PGMIGRATE_FUZZ_SEED} // 20251120;
my $rounds = $ENV{PGMIGRATE_FUZZ_ROUNDS} // 500;
my $node = new_node('main', conf => [ 'log_statement = none', 'log_min_error_statement = panic' ]);
my $file = PostgreSQL::Test::Utils::tempdir() . '/cases';
my (@cases, @corpus);

diag("seed $seed, $rounds rounds");
srand($seed);

@corpus = (
	"CREATE TABLE a (b int DEFAULT 1, c text DEFAULT 'it''s');\nCREATE INDEX ON a (b);\n",
	"-- migrate:up\nCREATE TABLE a (b int);\nINSERT INTO a VALUES (1), (2);\n-- migrate:down\nDROP TABLE a;\n-- migrate:verify\nSELECT count(*) = 2 FROM a;\n",
	"-- migrate:description h\xc3\xa9llo \xe2\x82\xac\n-- migrate:requires one, two-2.x+y\n-- migrate:conflicts three\n-- migrate:check\nSELECT true;\n-- migrate:up mode:atomic transaction:true\nSELECT 1;\n",
	"-- migrate:repeatable\n-- migrate:up\nCREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS \$body\$\nBEGIN\n  -- migrate:down\n  RETURN a; /* \$\$ ; */\nEND;\n\$body\$;\n-- migrate:down\nDROP FUNCTION f(int);\n",
	"-- migrate:seed\nCREATE TABLE s (k int PRIMARY KEY, v text);\nINSERT INTO s VALUES (1, E'a\\nb\\\\'), (2, U&'\\00e9') ON CONFLICT DO NOTHING;\n",
	"/* one /* two */ -- three */ CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT g();",
	"-- migrate:up\r\nCREATE VIEW \"quoted \"\"view\"\"\" AS SELECT '\r\n' AS \"x;y\";\r\n-- migrate:down\r\nDROP VIEW \"quoted \"\"view\"\"\";\r\n",
	"DO \$\$BEGIN RAISE NOTICE '%', \$x\$;\$x\$; END\$\$; CREATE TYPE t AS ENUM ('a', 'b'); COMMENT ON TYPE t IS 'x''y';",
	"WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT sum(n), '\xf0\x9f\x90\x98' FROM r; SET work_mem = '1MB';",
	"CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10); ALTER TABLE p ADD c bigint; ALTER TABLE p ALTER b TYPE bigint;");
my @fragments = (
	"'", '"', '$$', '$a$', '/*', '*/', '--', "\n--", ';', ';;', '(', ')', '[', ']', "E'", "B'1", "X'g'", 'U&"', "U&'\\", '\\', "\\.\n",
	"\n\\i x\n", "\0", "\xff", "\xc3", "\xf0\x9f", "\xed\xa0\x80", "\xc0\x80", "\xe2\x80\xa8", "\xc2\xa0", "\xef\xbb\xbf", "\r", "\n", "\t", "\x0b", "\x1a", '%s%n', '$1', '$0', ':x',
	"\n-- migrate:up\n", "\n-- migrate:down\n", "\n-- migrate:verify\n", "\n-- migrate:check\n", "\n-- migrate:requires\n",
	"\n-- migrate:requires a,,b\n", "\n-- migrate:requires f\xc3\n", "\n-- migrate:conflicts a b\n", "\n-- migrate:\n", "\n--migrate:up\n", "\n-- migrate:UP\n",
	"\n-- migrate:up mode:x\n", "\n-- migrate:dwon\n", "\n-- migrate:seed\n", "\n-- migrate:repeatable x\n", "\n  -- migrate:down\n", "\n-- migrate:description\n",
	"\nCOMMIT;\n", "\nBEGIN;\n", "\nSAVEPOINT s;\n", "\nEND;\n", "\nCOPY a FROM STDIN;\n1\n\\.\n", 'COPY (SELECT 1) TO STDOUT;', "\nVACUUM;\n", 'CREATE INDEX CONCURRENTLY i ON a (b);',
	'SELECT migrate.apply_all();', 'DROP EXTENSION pgmigrate;', 'SET standard_conforming_strings = off;', '1e999999', '1' x 400, 'x' x 300);

sub case_of { push @cases, [@_]; return }
sub pick { return $_[ rand @_ ] }
sub at { return int rand(1 + length $_[0]) }

# One script that is made of a good one and is broken, perhaps.
my @mutations = (
	sub { my $s = shift; substr($s, at($s), 1, chr rand 256); return $s },
	sub { my $s = shift; substr($s, at($s), 0, pick(@fragments)); return $s },
	sub { my $s = shift; my $p = at($s); substr($s, $p, at(substr $s, $p), ''); return $s },
	sub { my $s = shift; my $p = at($s); my $l = at(substr $s, $p); substr($s, at($s), 0, substr $s, $p, $l); return $s },
	sub { my $s = shift; return substr($s, 0, at($s)) . pick(@corpus) },
	sub { my $s = shift; my @l = split /(?<=\n)/, $s; my $l = splice @l, rand(@l), 1; splice @l, rand(1 + @l), 0, $l; return join '', @l },
	sub { my $s = shift; $s =~ s/(migrate:\w+)/my $m = $1; substr($m, at($m), pick(0, 1, 2), pick('', 'x', ' ', ':', 'D')); $m/e; return $s },
	sub { my $s = shift; $s =~ s/;/pick('', ';;', ',', "';", '";', '*\/;')/ge if rand() < 0.5; return uc $s },
	sub { my $s = shift; substr($s, at($s), 0, pick(@fragments)) foreach 1 .. 4; return $s });
foreach (1 .. $rounds)
{
	foreach my $how (1 .. 5)
	{
		my $script = pick(@corpus);

		$script = pick(@mutations)->($script) foreach 0 .. rand 3;
		case_of('bytes', undef, $script);
	}
	case_of('bytes', undef, join '', map { chr rand 256 } 0 .. rand 200) if rand() < 0.3;
}
foreach my $script (@corpus[ 1, 2, 3 ])
{
	case_of('bytes', undef, substr $script, 0, $_) foreach 0 .. length $script;
}

# Scripts that are big or deep.
case_of('bytes', undef, $_) foreach (
	'SELECT ' . 'x' x 1_000_000, "-- migrate:up\n-- " . 'x' x 1_000_000 . "\nSELEC 1;", "SELECT '" . 'y' x 1_000_000,
	"-- migrate:requires " . 'z' x 1_000_000, '-- migrate:description ' . 'd' x 1_000_000 . "\nSELECT 1",
	'/* ' x 100_000, '/* ' x 50_000 . '*/ ' x 50_000 . ' SELECT 1', 'SELECT ' . '(' x 100_000, 'SELECT ' . '(' x 3_000 . '1' . ')' x 3_000,
	'SELECT ' . '-' x 1 . '+ ' x 20_000 . '1', ';' x 100_000, "\n" x 100_000 . 'SELEC', 'SELECT 1;' x 5_000, "SELECT '" . "''" x 100_000 . "'",
	'-- migrate:requires ' . join(',', map { "r$_" } 1 .. 5_000) . "\nSELECT 1", "\n-- migrate:up" x 1_000);

# Names, through all that takes one.
my @names = (
	(map { 'n' x $_ } 1, 63, 64, 128, 199 .. 202, 255, 256, 300, 10_000), (map { "\xc3\xa9" x $_ } 99, 100, 101),
	'', ' ', '.', '..', '/', '../x', 'a/b', "a\nb", "a\tb", "a'b", 'a"b', "a\\b", 'a b', ' a', 'a ', '-a', '+a', 'a,b', 'a;b', 'a%sb', '$a$', "a\x01", "a\x7f",
	"\xd0\xb0bc", "\xef\xbc\xa1", "a\xe2\x80\x8bb", "\xe2\x80\xaeabc", "a\xcc\x81", "\xf0\x9f\x90\x98", "\xef\xbb\xbfa", "a\xc2\xa0b", "2025\xe2\x80\x9110", "NULL", 'null', '0', '00', '9' x 200, 'one', 'a\0b');
push @names, join '', map { pick('a' .. 'z', 0 .. 9, qw(- . + _), ' ', "'", '"', '\\', '/', "\xc3\xa9", "\n", ',') } 0 .. rand 80 foreach 1 .. 150;
foreach my $name (@names)
{
	case_of($_, $name, pick(@corpus)) foreach ('bytes', 'text', pick('unregister', 'apply', 'apply_all', 'rollback', 'rollback_to',
		'verify', 'plan', 'resolve', 'baseline'));
	case_of('bytes', undef, "-- migrate:requires $name\nSELECT 1;") if rand() < 0.5;
}
my @values = (undef, '', ' ', 'auto', 'online', 'APPLIED', 'applied', "applied\n", 'one', 'admin', 'x' x 10_000, "\xc3\xa9'\"\\");
foreach my $call (qw(text bytes unregister apply apply_all rollback rollback_to verify plan resolve baseline compensate load grant_to))
{
	foreach my $first (@values)
	{
		case_of($call, $first // '=NULL', $_ // '=NULL') foreach @values;
	}
}
case_of('compensate', 'a reason', pick(@mutations)->(pick(@corpus))) foreach 1 .. 150;

sub hex_field { return defined $_[0] ? $_[0] eq '=NULL' ? '\\N' : '\\\\x' . unpack 'H*', $_[0] : '\\N' }
append_to_file($file, join '', map { my $i = $_ + 1; my ($call, $name, $script) = @{ $cases[$_] };
	join("\t", $i, $call, hex_field($name // sprintf 'f%05d', $i), hex_field($script)) . "\n" } 0 .. $#cases);

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE fuzz (id int PRIMARY KEY, call text, a bytea, b bytea);
CREATE TABLE result (id int, step text, sqlstate text, message text, context text);
CREATE FUNCTION one_call(c fuzz) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
	CASE c.call
	WHEN 'bytes' THEN PERFORM migrate.register(convert_from(c.a, 'UTF8'), c.b);
	WHEN 'text' THEN PERFORM migrate.register(convert_from(c.a, 'UTF8'), convert_from(c.b, 'UTF8'));
	WHEN 'apply' THEN PERFORM migrate.apply(convert_from(c.a, 'UTF8'), CASE WHEN length(c.b) < 9 THEN convert_from(c.b, 'UTF8') ELSE 'auto' END);
	WHEN 'resolve' THEN PERFORM migrate.resolve(convert_from(c.a, 'UTF8'), convert_from(c.b, 'UTF8'), 'note');
	WHEN 'compensate' THEN PERFORM migrate.compensate(convert_from(c.a, 'UTF8'), convert_from(c.b, 'UTF8'));
	WHEN 'grant_to' THEN PERFORM migrate.grant_to(current_user::regrole, convert_from(c.b, 'UTF8'));
	ELSE EXECUTE format('SELECT migrate.%I($1)', c.call) USING convert_from(c.a, 'UTF8');
	END CASE;
END $f$;
CREATE FUNCTION attempt(c fuzz, step text, call text, keep boolean) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE r result; before bigint; after bigint;
BEGIN
	r.id := c.id; r.step := attempt.step; r.sqlstate := '00000';
	SELECT count(*) INTO before FROM migrate.migration;
	BEGIN
		PERFORM set_config('standard_conforming_strings', CASE WHEN c.id % 7 = 0 THEN 'off' ELSE 'on' END, true);
		IF step = 'call' THEN PERFORM one_call(c); ELSE EXECUTE call USING convert_from(c.a, 'UTF8'); END IF;
		IF NOT keep THEN RAISE EXCEPTION USING ERRCODE = 'UNDO1'; END IF;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS r.sqlstate = RETURNED_SQLSTATE, r.message = MESSAGE_TEXT, r.context = PG_EXCEPTION_CONTEXT;
		IF r.sqlstate = 'UNDO1' THEN r.sqlstate := '00000'; END IF;
	END;
	SELECT count(*) INTO after FROM migrate.migration;
	IF r.sqlstate <> '00000' AND before <> after THEN r.sqlstate := 'HALF!'; END IF;
	INSERT INTO result VALUES (r.*);
END $f$;
SQL
my @psql = ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'));
my ($out, $err);
my $run = "SET client_min_messages = error; SET pgmigrate.out_of_order = 'allow'; SET pgmigrate.lock_retries = 0;";
IPC::Run::run([ @psql, '-c', "\\copy fuzz FROM '$file'",
	'-c', "$run SELECT attempt(f, 'call', NULL, f.call IN ('text', 'bytes', 'unregister')) FROM fuzz f ORDER BY id",
	'-c', "$run SELECT attempt(f, s, format('SELECT migrate.%s(\$1)', s), false) FROM fuzz f JOIN result r USING (id), unnest('{plan,apply}'::text[]) s
		WHERE r.step = 'call' AND r.sqlstate = '00000' AND f.call IN ('text', 'bytes') ORDER BY id, s DESC" ],
	'>', '/dev/null', '2>', \$err);
is($err, '', 'the server stays up');

my $cases = @cases;
is($node->safe_psql('postgres', q(SELECT count(*) FROM result WHERE step = 'call')), $cases, "$cases calls");
note($node->safe_psql('postgres', q(SELECT step, sqlstate, count(*) FROM result GROUP BY 1, 2 ORDER BY 1, 3 DESC)));
is($node->safe_psql('postgres', q(SELECT r.id, step, sqlstate, left(message, 200), left(context, 200) FROM result r
	WHERE sqlstate IN ('XX000', 'XX001', 'XX002', 'HALF!') OR sqlstate ~ '^58' AND step <> 'call' ORDER BY 1)), '', 'no internal error, nothing half registered');
is($node->safe_psql('postgres', q(SELECT r.id, step, f.call, sqlstate, left(message, 200), left(context, 200) FROM result r JOIN fuzz f USING (id)
	WHERE sqlstate <> '00000'
		-- the server itself does not say where this is
		AND message !~ '^unrecognized partitioning strategy'
		AND coalesce(context, '') !~ '(script of|statement [0-9]+|compensation).*, line [0-9]+'
		AND message !~ 'line [0-9]+|at position [0-9]+|argument "|migration "|(migration|file) name|rights "|mode "|outcome "|byte sequence for encoding|directory|relative path|online runs'
	ORDER BY 1 LIMIT 20)), '', 'every error says where');
is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.migration m JOIN fuzz f ON m.name = 'f' || lpad(f.id::text, 5, '0')
	WHERE f.call = 'bytes' AND checksum <> encode(sha256(f.b), 'hex'))), '0', 'what is registered is what was given');
cmp_ok($node->safe_psql('postgres', q(SELECT count(*) FROM result WHERE step = 'apply')), '>', $rounds / 10, 'some of it could be registered');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_class WHERE relname IN ('a', 's', 'p', 'p1'))), '0', 'what was applied is undone');
is($node->safe_psql('postgres', q(SELECT migrate.register('good', E'-- migrate:up\nCREATE TABLE good ();\n-- migrate:down\nDROP TABLE good;');
	SET pgmigrate.out_of_order = 'allow'; SELECT migrate.apply('good'); SELECT migrate.rollback('good');)),
	"registered\napplied\nrolled_back", 'a good one works as ever');

done_testing();
