# A database that is dumped and restored has the same migrations, history and
# grants, and goes on numbering its runs where it was.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main');
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', q(
	CREATE ROLE admin; CREATE ROLE operator; CREATE ROLE monitor;
	SELECT migrate.grant_to('admin', 'admin'), migrate.grant_to('operator', 'operator'),
		migrate.grant_to('monitor', 'monitor');));
register($node, '001_applied', q(-- migrate:up
CREATE TABLE applied (a text DEFAULT E'tab\t', b text DEFAULT 'é "q" \\');
INSERT INTO applied VALUES (DEFAULT, DEFAULT);
-- migrate:down
DROP TABLE applied;
-- migrate:verify
SELECT count(*) = 1 FROM applied;
));
register($node, '002_undone', "-- migrate:up\nCREATE TABLE undone ();\n-- migrate:down\nDROP TABLE undone;");
register($node, '004_pending', "-- migrate:up\nCREATE TABLE pending ();\n-- migrate:requires 001_applied\n");
register($node, '003_resolved', 'CREATE TABLE resolved ()');
register($node, 'R__view', "-- migrate:repeatable\nCREATE OR REPLACE VIEW v AS SELECT 1 AS x;");
$node->safe_psql('postgres', q(
	SELECT migrate.register('005_bytes', 'SELECT 1'::bytea || '\x0d0a', 'a description', 'a file');
	SELECT migrate.apply('001_applied'), migrate.apply('002_undone');
	SELECT migrate.rollback('002_undone');
	SELECT migrate.resolve('003_resolved', 'applied', E'a note\nof two lines');
	SELECT migrate.apply('R__view');
	SELECT migrate.compensate('repair', 'UPDATE applied SET a = NULL');));

# Grants, comments and extension membership of all that is in the schema.
my $objects = q(
	SELECT p.oid::regprocedure, p.proacl, obj_description(p.oid) FROM pg_proc p
	WHERE p.pronamespace = 'migrate'::regnamespace ORDER BY 1;
	SELECT c.relname, c.relkind, c.relacl, obj_description(c.oid) FROM pg_class c
	WHERE c.relnamespace = 'migrate'::regnamespace ORDER BY 1;
	SELECT nspacl FROM pg_namespace WHERE nspname = 'migrate';
	SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
	WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgmigrate')
	ORDER BY 1;);
my $records = records($node);
my $catalogs = $node->safe_psql('postgres', $objects);
my $last = $node->safe_psql('postgres', 'SELECT max(id) FROM migrate.run');

sub check_copy
{
	my ($database, $how) = @_;

	is(records($node, $database), $records, "$how: records");
	is($node->safe_psql($database, $objects), $catalogs, "$how: objects and their grants");
	is($node->safe_psql($database, q(SELECT name FROM migrate.verify() WHERE passed)),
		'001_applied', "$how: verify");
	$node->safe_psql($database, q(SELECT migrate.apply('004_pending')));
	is($node->safe_psql($database, 'SELECT max(id) FROM migrate.run'),
		$last + 1, "$how: the next run gets a new id");
	my ($status, $out, $err) =
	  $node->psql($database, q(SELECT migrate.rollback('001_applied')));
	like($err, qr/because "004_pending" requires it/, "$how: requirements are known");
	return;
}

my %archive = (custom => [ 'custom' ], directory => [ 'directory', '--jobs=2' ], tar => [ 'tar' ]);
foreach my $format (sort keys %archive)
{
	my ($name, @jobs) = @{ $archive{$format} };

	$node->command_ok([ 'pg_dump', "--format=$name", '--file', "$dir/$format", @jobs,
		$node->connstr('postgres') ], "pg_dump --format=$name");
	$node->safe_psql('postgres', "CREATE DATABASE copy_$format TEMPLATE template0");
	$node->command_ok([ 'pg_restore', '--exit-on-error', @jobs,
		'--dbname', $node->connstr("copy_$format"), "$dir/$format" ],
		"pg_restore of $format");
	check_copy("copy_$format", $format);
}

$node->command_ok([ 'pg_dump', '--create', '--clean', '--if-exists',
	'--file', "$dir/plain.sql", $node->connstr('copy_tar') ], 'pg_dump of a copy, plain');
$records = records($node, 'copy_tar');
$last++;
$node->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql",
	'-d', $node->connstr('postgres') ], 'plain restore over the copy');
is(records($node, 'copy_tar'), $records, 'plain: records');
is($node->safe_psql('copy_tar', $objects), $catalogs, 'plain: objects and their grants');
is($node->safe_psql('copy_tar', q(SELECT migrate.compensate('after', 'SELECT 1'))),
	$last + 1, 'plain: the next run gets a new id');

# In another cluster roles are who bears their name.
my $other = new_node('other');
$other->safe_psql('postgres', q(CREATE DATABASE copy TEMPLATE template0;
	CREATE ROLE operator LOGIN; CREATE ROLE admin; CREATE ROLE monitor;));
$other->command_ok([ 'pg_restore', '--exit-on-error', '--dbname', $other->connstr('copy'), "$dir/custom" ],
	'pg_restore into another cluster');
is($other->safe_psql('copy', q(SELECT name FROM migrate.verify() WHERE passed)),
	'001_applied', 'another cluster: verify');
is($other->safe_psql('copy', q(SELECT migrate.apply('004_pending'))), 'applied', 'another cluster: apply');
is($other->safe_psql('copy', q(SELECT count(*) FROM migrate.plan('004_pending')), extra_params => [ '-U', 'operator' ]),
	'1', 'another cluster: grants');

# Without data there is the extension, and no records.
$node->command_ok([ 'pg_dump', '--schema-only', '--file', "$dir/schema.sql",
	$node->connstr('postgres') ], 'pg_dump --schema-only');
$node->safe_psql('postgres', 'CREATE DATABASE copy_schema TEMPLATE template0');
$node->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/schema.sql",
	'-d', $node->connstr('copy_schema') ], 'restore of the schema');
is(records($node, 'copy_schema'), '', 'schema only: no records');
is($node->safe_psql('copy_schema', q(
	SELECT migrate.register('001_applied', 'SELECT 1'); SELECT migrate.baseline('001_applied');)),
	"registered\n(001_applied,applied)", 'schema only: a baseline puts that right');

done_testing();
