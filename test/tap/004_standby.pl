# A hot standby shows everything and changes nothing; promoted, it goes on.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $primary = new_node('primary', init => { allows_streaming => 1 });
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

register($primary, '001_applied', q(-- migrate:up
CREATE TABLE applied (a int);
-- migrate:down
DROP TABLE applied;
-- migrate:verify
SELECT count(*) = 0 FROM applied;
));
register($primary, '002_pending', 'CREATE TABLE pending (a int); ALTER TABLE applied ADD b int;');
$primary->safe_psql('postgres', q(SELECT migrate.apply('001_applied')));
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

is($standby->safe_psql('postgres', 'SELECT name, state FROM migrate.status()'),
	"001_applied|applied\n002_pending|pending", 'status() on a standby');
is($standby->safe_psql('postgres', 'SELECT migration, action FROM migrate.history'),
	'001_applied|apply', 'history on a standby');
is($standby->safe_psql('postgres', 'SELECT sql FROM migrate.history_statement WHERE number = 1 AND line = 2'),
	'CREATE TABLE applied (a int)', 'history_statement on a standby');
is($standby->safe_psql('postgres', 'SELECT migrate.verify()'),
	'(001_applied,t,)', 'verify() on a standby');
is($standby->safe_psql('postgres', q(SELECT migrate.verify('001_applied'))),
	'(001_applied,t,)', 'verify(name) on a standby');
is(records($standby), records($primary), 'the same records');

# plan() may have to say that it could not ask, but it says something.
is($standby->safe_psql('postgres', q(SELECT statement, kind, relation, lock FROM migrate.plan('002_pending'))),
	"1|CREATE TABLE||\n2|ALTER TABLE|public.applied|AccessExclusiveLock", 'plan() on a standby');

my %change = (
	'register(text)' => q(register('003_x', 'SELECT 1')),
	'register(bytea)' => q(register('003_x', 'SELECT 1'::bytea)),
	unregister => q(unregister('002_pending')),
	load => q(load('/tmp')),
	apply => q(apply('002_pending')),
	'apply of an applied one' => q(apply('001_applied')),
	apply_all => q(apply_all()),
	rollback => q(rollback('001_applied')),
	rollback_to => q(rollback_to('001_applied')),
	resolve => q(resolve('002_pending', 'applied', 'note')),
	baseline => q(baseline('002_pending')),
	compensate => q(compensate('reason', 'SELECT 1')),
	grant_to => q(grant_to('pg_monitor', 'monitor')),
	revoke_from => q(revoke_from('pg_monitor')),
);
foreach my $name (sort keys %change)
{
	my $sql = "SELECT migrate.$change{$name}";

	is(sqlstate_of($standby, $sql), '25006', "$name on a standby");
	is(sqlstate_of($primary, "BEGIN READ ONLY; $sql"),
		'25006', "$name in a read-only transaction");
}

$standby->promote;
is($standby->safe_psql('postgres', 'SELECT migrate.apply_all()'),
	'(002_pending,applied)', 'apply_all() after promotion');
is($standby->safe_psql('postgres', 'SELECT count(DISTINCT id), count(*) FROM migrate.history'),
	'2|2', 'its run has a number of its own');
is($standby->safe_psql('postgres', q(SELECT migrate.register('003_x', 'SELECT 1'))),
	'registered', 'register() after promotion');

done_testing();
