# Nobody can make somebody else's call run their code: every way to run a
# script, by every kind of victim, on scripts that a plain user registered.
# That user's functions write down whom they ran as, also in the server log,
# which no rollback undoes.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');

$node->safe_psql('postgres', q(
	CREATE ROLE eve LOGIN; CREATE ROLE operator LOGIN; CREATE ROLE admin LOGIN; CREATE ROLE boss LOGIN SUPERUSER;
	SELECT migrate.grant_to('eve', 'admin'), migrate.grant_to('admin', 'admin'),
		migrate.grant_to('operator', 'operator');
	GRANT USAGE ON SCHEMA migrate TO PUBLIC;
	CREATE SCHEMA eve AUTHORIZATION eve; GRANT ALL ON SCHEMA public, eve TO PUBLIC;));
$node->safe_psql('postgres', make_traps(), extra_params => [ '-U', 'eve' ]);

my @attacks = (
	"SELECT eve.steal('select')",
	"DO \$\$BEGIN PERFORM eve.steal('do'); END\$\$",
	"EXPLAIN ANALYZE SELECT eve.steal('explain')",
	"SET search_path = eve; SELECT steal('search_path')",
	"SET default_tablespace = ''; SELECT set_config('search_path', 'eve', false), eve.steal('set_config')",
	"WITH w AS MATERIALIZED (SELECT eve.steal('with')) SELECT true FROM w",
	# These are for the parts that change something.
	"CREATE TABLE eve.ctas AS SELECT eve.steal('ctas')",
	"INSERT INTO eve.trapped VALUES (1)",
	"UPDATE eve.filled SET a = a + 1",
	"CALL eve.run()",
	"DO \$\$BEGIN EXECUTE 'PREPARE p AS SELECT eve.steal(''prepare'')'; EXECUTE 'EXECUTE p'; EXECUTE 'DEALLOCATE p'; END\$\$",
	"ALTER TABLE eve.filled ADD COLUMN b boolean DEFAULT eve.steal('default')",
	"ALTER TABLE eve.filled ADD CHECK (eve.steal_immutable(1) = 1)",
	"ALTER TABLE eve.filled ALTER a TYPE bigint USING eve.steal_immutable(a)",
	"CREATE INDEX ON eve.filled (eve.steal_immutable(a))",
	"CREATE MATERIALIZED VIEW eve.mv AS SELECT eve.steal('matview')",
	"DO \$\$DECLARE r record; BEGIN FOR r IN SELECT eve.steal('cursor') LOOP END LOOP; END\$\$",
	"CREATE FUNCTION eve.late() RETURNS boolean BEGIN ATOMIC SELECT eve.steal('body'); END; SELECT eve.late()",
	"SELECT eve.steal('nested'), migrate.status()",
	"CREATE OPERATOR eve.+ (FUNCTION = eve.steal_sum, LEFTARG = int, RIGHTARG = int);"
	  . "SELECT 1 OPERATOR(eve.+) 1; DROP OPERATOR eve.+ (int, int)");
my (@pending, @applied, $scripts);
foreach my $i (0 .. $#attacks)
{
	my $looks = $i < 6;
	my $name = sprintf '%03d', 100 + $i;

	$scripts .= "SELECT migrate.register('${name}_applied', \$m\$-- migrate:up\nSELECT 1;\n-- migrate:down\n$attacks[$i];\n"
	  . "-- migrate:verify\n" . ($looks ? $attacks[$i] : 'SELECT eve.steal(1::text)') . ";\n\$m\$);\n"
	  . "SELECT migrate.apply('${name}_applied');\n";
	push @applied, "${name}_applied";
}
foreach my $i (0 .. $#attacks)
{
	my $name = sprintf '%03d', 200 + $i;

	$scripts .= "SELECT migrate.register('${name}_pending', \$m\$"
	  . ($i < 6 ? "-- migrate:check\n$attacks[$i];\n" : '') . "-- migrate:up\n$attacks[$i];\n\$m\$);\n";
	push @pending, "${name}_pending";
}
$node->safe_psql('postgres', $scripts, extra_params => [ '-U', 'eve' ]);
is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.status() WHERE state = 'applied')),
	scalar @attacks, 'the attacker can run her own');
cmp_ok(scalar(grep { /^eve/ } loot($node)), '>=', scalar @attacks, 'and they do what they are meant to');

# What runs something is refused, what does not is none of her business.
sub calls_on
{
	my ($applied, $pending) = @_;

	return (
		[ "apply('$pending')", '42501' ],
		[ "apply('$pending', 'atomic')", '42501' ],
		[ "apply('900_innocent')", '42501', "SELECT migrate.register('900_innocent', E'-- migrate:requires $pending\\nSELECT 1')" ],
		[ 'apply_all()', '42501' ],
		[ "apply_all('$pending')", '42501' ],
		[ "rollback('$applied')", '42501' ],
		[ "rollback_to('100_applied')", '42501' ],
		[ "verify('$applied')", '' ],
		[ 'verify()', '' ],
		[ "plan('$pending')", '' ],
		[ "plan('$applied')", '' ],
		[ 'status()', '' ],
		[ "resolve('$pending', 'applied', 'note')", '' ],
		[ "resolve('$applied', 'rolled_back', 'note')", '' ],
		[ "baseline('$pending')", '' ]);
}

foreach my $victim ('operator', 'admin', 'boss')
{
	my ($sql, @functions, @expected) = ('');

	foreach my $i (0 .. $#attacks)
	{
		foreach my $call (calls_on($applied[$i], $pending[$i]))
		{
			my ($function, $sqlstate, $before) = @$call;

			next if $victim eq 'operator' && ($before || $function =~ /^(resolve|baseline)/);
			$sql .= "BEGIN; " . ($before // '') . ";\n\\warn >" . @functions . "\nSELECT migrate.$function;\n\\warn <\nROLLBACK;\n";
			push @functions, $function;
			push @expected, "$function $sqlstate";
		}
	}
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql",
		on_error_stop => 0, extra_params => [ '-U', $victim ]);
	my @got;
	push @got, "$functions[$1] " . ($2 =~ /ERROR:  (\w+)/ ? $1 : '') while $err =~ /^>(.*?)\n(.*?)^</gms;
	is_deeply(\@got, \@expected, "$victim: " . @expected . ' calls');
	is(join("\n", grep { !/^eve/ } loot($node)), '', "$victim: nothing was run as somebody else");
}

is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.verify() WHERE passed)),
	'0', 'what was not run has not passed');

# The trap would have closed: a superuser who calls it is seen.
$node->safe_psql('postgres', q(SELECT eve.steal('control')), extra_params => [ '-U', 'boss' ]);
is(join("\n", grep { !/^eve/ } loot($node)), "boss boss control\nboss boss control", 'the trap works');

done_testing();
