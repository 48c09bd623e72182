# Whose code a script is stays true while roles come, go and change; and a
# script that changes its role gains nothing by it.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');
my $super = $node->safe_psql('postgres', 'SELECT current_user');

$node->safe_psql('postgres', q(
	CREATE ROLE eve LOGIN; CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE operator LOGIN;
	CREATE ROLE team; CREATE ROLE member LOGIN IN ROLE team; GRANT team TO eve;
	SELECT migrate.grant_to(r, 'admin') FROM unnest('{eve,team}'::regrole[]) r;
	SELECT migrate.grant_to('operator', 'operator');
	CREATE SCHEMA eve AUTHORIZATION eve; GRANT ALL ON SCHEMA public, eve TO PUBLIC;));
$node->safe_psql('postgres', make_traps(), extra_params => [ '-U', 'eve' ]);

my $count = 0;

# Register SELECT eve.steal() as some role, then do something to that role, then
# let others apply it: each of them gets the SQLSTATE given, and goes back.
sub author_case
{
	my ($title, $author, $change, %expected) = @_;
	my $name = sprintf 'case_%02d', ++$count;

	$node->safe_psql('postgres', "SELECT migrate.register('$name', \$m\$SELECT eve.steal('$title')\$m\$)",
		extra_params => [ '-U', $author ]);
	$node->safe_psql('postgres', $change);
	foreach my $user (sort keys %expected)
	{
		is(sqlstate_of($node, "BEGIN; SELECT migrate.apply('$name'); ROLLBACK", $user),
			$expected{$user}, "$title: apply by $user");
		is(sqlstate_of($node, "SELECT migrate.plan('$name')", $user),
			'00000', "$title: plan by $user");
	}
	$node->safe_psql('postgres', "SELECT migrate.unregister('$name')");
	return;
}

$node->safe_psql('postgres', q(CREATE ROLE author LOGIN SUPERUSER));
author_case('superuser', 'author', 'SELECT 1', operator => '00000', boss => '00000');
author_case('lost superuser', 'author', 'ALTER ROLE author NOSUPERUSER', operator => '42501', boss => '42501');
$node->safe_psql('postgres', q(ALTER ROLE author SUPERUSER));
author_case('dropped', 'author', 'DROP ROLE author', operator => '42501', boss => '42501');
$node->safe_psql('postgres', q(CREATE ROLE author LOGIN SUPERUSER));
author_case('re-created with less', 'author', 'DROP ROLE author; CREATE ROLE author LOGIN',
	operator => '42501', boss => '42501');
$node->safe_psql('postgres', q(SELECT migrate.grant_to('author', 'admin')));
author_case('re-created with more', 'author', q(SELECT migrate.revoke_from('author'); DROP ROLE author;
	CREATE ROLE author LOGIN SUPERUSER), operator => '42501', boss => '42501');
author_case('renamed', 'author', 'ALTER ROLE author RENAME TO former', operator => '00000', boss => '00000');
$node->safe_psql('postgres', q(CREATE ROLE small LOGIN; SELECT migrate.grant_to('small', 'admin')));
author_case('a name of somebody else', 'small', 'ALTER ROLE small RENAME TO tiny; ALTER ROLE former RENAME TO small',
	operator => '42501', boss => '42501');

# Membership counts as it is when the script is run, and in one direction only.
$node->safe_psql('postgres', q(GRANT operator TO eve));
author_case('member of the caller', 'eve', 'SELECT 1', operator => '00000', boss => '42501');
author_case('member no longer', 'eve', 'REVOKE operator FROM eve', operator => '42501');
$node->safe_psql('postgres', q(GRANT eve TO operator));
author_case('the caller is a member of the author', 'eve', 'SELECT 1', operator => '42501');
$node->safe_psql('postgres', q(REVOKE eve FROM operator));
author_case('extension owner', $super, 'SELECT 1', operator => '00000', boss => '00000');
my @loot = grep { !/^(eve|$super|operator operator (superuser|renamed|member of the caller|extension owner)$|boss boss (superuser|renamed|extension owner)$)/ } loot($node);
is(join("\n", @loot), '', 'nothing else was run');

# A script of a shared role is applied by its members as that role only.
$node->safe_psql('postgres', q(SET ROLE team; SELECT migrate.register('shared', $m$SELECT eve.steal('shared')$m$)),
	extra_params => [ '-U', 'eve' ]);
is(sqlstate_of($node, q(SELECT migrate.apply('shared')), 'member'), '42501', 'shared: as oneself');
is(sqlstate_of($node, q(SET ROLE team; SELECT migrate.apply('shared')), 'member'), '00000', 'shared: as the role');
is($node->safe_psql('postgres', q(SELECT session_username, current_username, state FROM migrate.history JOIN migrate.migration m ON m.name = migration WHERE migration = 'shared')),
	'member|team|applied', 'shared: the history says who');

# Scripts that change their role.  Applied by their author they get what the
# author may do; by somebody who only became the author, no more than that.
my @escapes = (
	'RESET ROLE', 'SET ROLE NONE', "SET ROLE $super", 'SET LOCAL ROLE boss',
	'SET SESSION AUTHORIZATION boss', 'SET SESSION AUTHORIZATION DEFAULT', 'RESET SESSION AUTHORIZATION',
	"SELECT set_config('role', 'boss', false)", "SELECT set_config('session_authorization', '$super', true)",
	"SELECT set_config('role', 'none', false)", 'RESET ALL', 'DISCARD ALL',
	'DO $$BEGIN RESET ROLE; END$$', "DO \$\$BEGIN EXECUTE 'SET SESSION AUTHORIZATION DEFAULT'; END\$\$",
	'ALTER ROLE eve SUPERUSER', 'INSERT INTO eve.trapped VALUES (1); SET CONSTRAINTS ALL DEFERRED',
	"DO \$\$BEGIN EXECUTE 'PREPARE escape AS SELECT eve.steal(''prepared'')'; END\$\$", "DO \$\$BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT eve.steal(''held'')'; END\$\$",
	'CREATE TABLE pg_temp.pg_class (a int)', 'SET search_path = eve');
my ($register, $number) = ('', 0);
foreach my $escape (@escapes)
{
	$number++;
	$register .= sprintf "SELECT migrate.register('escape_%02d', \$m\$%s;\nSELECT eve.steal('escape %s')\$m\$);\n",
		$number, $escape, $escape =~ s/'/''/gr;
	$register .= sprintf "SELECT migrate.register('undo_%02d', \$m\$-- migrate:up\n-- migrate:down\n%s;\nSELECT eve.steal('undo %s')\$m\$);\n",
		$number, $escape, $escape =~ s/'/''/gr;
}
$node->safe_psql('postgres', $register, extra_params => [ '-U', 'eve' ]);
foreach my $become ('', 'SET ROLE eve;', 'SET SESSION AUTHORIZATION eve;', 'BEGIN; SET LOCAL ROLE eve;')
{
	my $sql = '';

	foreach my $i (map { sprintf '%02d', $_ } 1 .. $number)
	{
		foreach my $call ("apply('escape_$i')", "apply('undo_$i'); SELECT migrate.rollback('undo_$i')")
		{
			# whatever it left in the session is used by whom it belongs to
			$sql .= "$become SELECT migrate.$call; COMMIT;"
			  . 'RESET ROLE; RESET SESSION AUTHORIZATION; EXECUTE escape; FETCH ALL FROM c;'
			  . "ROLLBACK; DEALLOCATE ALL; CLOSE ALL; RESET ALL;\n";
		}
		$sql .= "SELECT migrate.resolve(m || '_$i', 'rolled_back', 'again') FROM unnest('{escape,undo}'::text[]) m;\n";
	}
	$node->psql('postgres', $sql, on_error_stop => 0,
		extra_params => [ '-U', $become ? 'boss' : 'eve' ]);
}
my %stolen;
$stolen{$_}++ foreach grep { /^\S+ \S+ (escape|undo|prepared|held|trigger)/ } loot($node);
is(join("\n", sort grep { !/^eve/ } keys %stolen), '', 'no script got out of its role');
cmp_ok(scalar(grep { /^eve boss (escape|undo)/ } keys %stolen), '>', 0, 'though some ran as the role the caller became');
is($node->safe_psql('postgres', q(SELECT rolsuper FROM pg_roles WHERE rolname = 'eve')), 'f', 'eve is who she was');
is($node->safe_psql('postgres', q(SELECT DISTINCT current_username FROM migrate.history WHERE migration ~ '^(escape|undo)' AND action <> 'resolve')),
	'eve', 'the history names the role that called');

done_testing();
