# The extension's own queries mean what they say.  An attacker shadows every
# function, operator and relation of pg_catalog in a schema that comes first on
# everybody's search_path, and names things so that they would break out of
# quotes; then everybody calls everything.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');

$node->safe_psql('postgres', q(
	CREATE ROLE eve LOGIN; CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE admin LOGIN;
	SELECT migrate.grant_to('eve', 'admin'), migrate.grant_to('admin', 'admin');
	CREATE SCHEMA eve AUTHORIZATION eve; GRANT ALL ON SCHEMA public, eve TO PUBLIC;));
$node->safe_psql('postgres', make_traps() . q(
	DO $do$
	DECLARE r record; made int := 0;
	BEGIN
		SET LOCAL check_function_bodies = off;
		FOR r IN SELECT oid, proname, pg_get_function_identity_arguments(oid) AS args,
				format_type(prorettype, NULL) AS result, proretset
			FROM pg_catalog.pg_proc
			WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind <> 'p'
		LOOP
			BEGIN
				EXECUTE format('CREATE FUNCTION eve.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', r.proname,
					(SELECT string_agg(format_type(t, NULL), ', ' ORDER BY n)
						FROM unnest((SELECT proargtypes::oid[] FROM pg_catalog.pg_proc WHERE oid = r.oid)) WITH ORDINALITY u (t, n)),
					CASE WHEN r.proretset THEN 'SETOF ' ELSE '' END, r.result,
					format('BEGIN PERFORM eve.steal(%L); RETURN %s; END', 'function ' || r.proname,
						CASE WHEN r.proretset THEN '' ELSE 'NULL' END));
				made := made + 1;
			EXCEPTION WHEN OTHERS THEN NULL;
			END;
		END LOOP;
		FOR r IN SELECT oprname, oprleft, oprright, oprresult FROM pg_catalog.pg_operator
			WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprleft <> 0
		LOOP
			BEGIN
				EXECUTE format('CREATE FUNCTION eve."op %s"(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', r.oprname,
					r.oprleft::regtype, r.oprright::regtype, r.oprresult::regtype,
					format('BEGIN PERFORM eve.steal(%L); RETURN NULL; END', 'operator ' || r.oprname));
				EXECUTE format('CREATE OPERATOR eve.%s (FUNCTION = eve."op %s", LEFTARG = %s, RIGHTARG = %s)', r.oprname,
					r.oprname, r.oprleft::regtype, r.oprright::regtype);
				made := made + 1;
			EXCEPTION WHEN OTHERS THEN NULL;
			END;
		END LOOP;
		FOR r IN SELECT relname FROM pg_catalog.pg_class
			WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
		LOOP
			EXECUTE format('CREATE VIEW eve.%I AS SELECT * FROM (SELECT 1 FROM pg_catalog.%I LIMIT 1) x WHERE eve.steal(%L)',
				r.relname, r.relname, 'relation ' || r.relname);
			EXECUTE format('GRANT SELECT ON eve.%I TO PUBLIC', r.relname);
			made := made + 1;
		END LOOP;
		FOR r IN SELECT typname FROM pg_catalog.pg_type
			WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0
		LOOP
			BEGIN
				EXECUTE format('CREATE DOMAIN eve.%I AS pg_catalog.text CHECK (eve.steal(%L))', r.typname, 'type ' || r.typname);
				made := made + 1;
			EXCEPTION WHEN OTHERS THEN NULL;
			END;
		END LOOP;
		RAISE LOG 'traps: %', made;
	END $do$;), extra_params => [ '-U', 'eve' ]);
my ($made) = slurp_file($node->logfile) =~ /LOG:  traps: (\d+)/;
cmp_ok($made, '>', 2500, "$made things of pg_catalog are shadowed");

# Her names.  All of it is hers, so the plan of a change looks at it as her.
my $nasty = q(x"; SELECT eve.steal('name'); --' %s %n $1 \\);
$node->safe_psql('postgres', sprintf(<<'SQL', map { s/"/""/gr } ($nasty) x 5), extra_params => [ '-U', 'eve' ]);
CREATE TABLE eve."%s" (a int, "%s" text, CONSTRAINT "%s" CHECK (eve.steal_immutable(1) OPERATOR(pg_catalog.=) 1));
CREATE INDEX "i %s" ON eve."%s" (a) WHERE eve.steal_immutable(a) OPERATOR(pg_catalog.>) 0;
SQL

# What everybody does: each call of the API on scripts of one's own.
my $quoted = $nasty =~ s/"/""/gr;
my $work = <<'SQL';
SELECT migrate.register('900_one', E'-- migrate:up\nCREATE TABLE public.one ();\n-- migrate:down\nDROP TABLE public.one;\n-- migrate:verify\nSELECT true;\n', 'a', 'b');
SELECT migrate.register('901_two', E'-- migrate:requires 900_one\n-- migrate:up\nCREATE TABLE public.two ();\n-- migrate:down\nDROP TABLE public.two;'::pg_catalog.bytea);
SELECT migrate.register('901_two', E'-- migrate:up\nCREATE TABLE public.two ();\n-- migrate:down\nDROP TABLE public.two;');
SELECT migrate.register('902_three', 'SELECT 1');
SELECT migrate.plan('900_one');
SELECT migrate.status();
SELECT migrate.apply('900_one');
SELECT migrate.apply_all();
SELECT migrate.verify();
SELECT migrate.verify('900_one');
SELECT migrate.rollback_to('900_one') WHERE false;
SELECT migrate.resolve('902_three', 'rolled_back', 'a note');
SELECT migrate.unregister('902_three');
SELECT migrate.rollback('901_two');
SELECT migrate.baseline('901_two');
SELECT migrate.compensate('a reason', 'SELECT 1');
SELECT id FROM migrate.history;
SELECT sql FROM migrate.history_statement;
SQL
my $plan = "SELECT migrate.register('903_plan', \$m\$ALTER TABLE eve.\"$quoted\" ADD \"c $quoted\" int, ALTER a TYPE bigint\$m\$);\n"
  . "SELECT migrate.plan('903_plan');\n";

my @path = ('eve, pg_catalog', 'pg_temp, eve, public, pg_catalog', 'public, eve', 'eve, migrate, pg_catalog');
my $temp = join '', map { "CREATE TEMP VIEW $_ AS SELECT 1 AS a WHERE eve.steal('temp $_');" }
  qw(pg_class pg_proc pg_roles pg_stat_activity migration run run_statement history unnest);
foreach my $user ('eve', 'admin', 'boss')
{
	foreach my $path (@path)
	{
		my ($status, $out, $err) = $node->psql('postgres',
			"BEGIN; $temp SET search_path = $path;\n$work ROLLBACK;", extra_params => [ '-U', $user ]);

		is($err, '', "$user calls everything with search_path $path");
		($status, $out, $err) = $node->psql('postgres',
			"BEGIN; SET search_path = $path;\n$plan ROLLBACK;", extra_params => [ '-U', $user ]);
		is($err, '', 'and plans a change of a table with a nasty name');
	}
}
is(join("\n", sort { $a cmp $b } grep { !/^eve/ } loot($node)), '', 'nobody ran her code');
my @by_eve = loot($node);
is(join("\n", grep { !/immutable/ } @by_eve), '', 'nor was it run as the owner of the extension or herself');

# Paths that are set for the role and for the database, roles of nasty names.
my @roles = ($nasty, "new\nline", q(%s%d%n), q(") . q('), 'Role');
foreach my $role (@roles)
{
	my ($identifier, $literal) = ('"' . $role =~ s/"/""/gr . '"', "'" . $role =~ s/'/''/gr . "'");

	$node->safe_psql('postgres', "CREATE ROLE $identifier LOGIN; ALTER ROLE $identifier SET search_path = eve, pg_catalog;"
		. "SELECT migrate.grant_to(pg_catalog.quote_ident($literal)::pg_catalog.regrole, r) FROM pg_catalog.unnest(ARRAY['monitor', 'operator', 'admin']) r;");
	my ($status, $out, $err) = $node->psql('postgres', "BEGIN; $work ROLLBACK;",
		extra_params => [ '-U', $role ]);
	is($err, '', 'role ' . $role =~ s/\n/ /r);
	$node->safe_psql('postgres', "SELECT migrate.revoke_from(pg_catalog.quote_ident($literal)::pg_catalog.regrole)");
	is($node->safe_psql('postgres', "SELECT pg_catalog.count(*) FROM pg_catalog.pg_shdepend WHERE refobjid = (SELECT oid FROM pg_catalog.pg_authid WHERE rolname = $literal)"),
		'0', 'and its rights are gone after revoke_from()');
}
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET search_path = eve, pg_catalog');
foreach my $user ('admin', 'boss')
{
	my ($status, $out, $err) = $node->psql('postgres', "BEGIN; $work ROLLBACK;", extra_params => [ '-U', $user ]);

	is($err, '', "$user, with the path of the database");
}
is(join("\n", grep { !/immutable/ } loot($node)), '', 'nobody ran her code');

# The traps work: an unqualified call with such a path is caught.
$node->safe_psql('postgres', q(SELECT lower('x'), 1 + 1 FROM pg_class), extra_params => [ '-U', 'boss' ]);
cmp_ok(scalar(grep { /^boss boss (function|operator|relation)/ } loot($node)), '>=', 3, 'the traps work');

done_testing();
