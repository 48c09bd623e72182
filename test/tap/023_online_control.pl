# Online runs beside others: they wait for locks without being waited for, can be
# stopped and taken up at any time, have no rights but those of their role, and do
# not begin by themselves where a dump has brought them.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $node = new_node('main', conf => [ q(shared_preload_libraries = 'pgmigrate'), 'autovacuum = off',
		'max_worker_processes = 16', 'pgmigrate.online_threshold = 0', 'pgmigrate.backfill_courtesy = 100',
		'pgmigrate.out_of_order = allow', 'log_statement = none' ]);

# Registers a script and has it begin; as a user if one is given.
sub begin
{
	my ($name, $script, $user) = @_;

	$node->safe_psql('postgres', "SELECT migrate.register('$name', \$pgm\$-- migrate:up mode:online\n$script\$pgm\$); SELECT migrate.apply('$name')",
		extra_params => [ '-U', $user // 'postgres' ]);
	return;
}

# The reason that a run gives for waiting, when there is one.
sub reason_of
{
	my ($name) = @_;
	my $reason = '';

	# it may be that no worker has begun yet
	poll(sub { $reason = (run_row($node, $name))[5] // ''; $reason ne '' && $reason ne 'waits for a worker' }, 20);
	return $reason;
}

# What a reader, or a writer, has to say that comes then; nothing if it does not
# have to wait.
sub others_of
{
	my ($table, $writes) = @_;
	my $sql = $writes ? "DELETE FROM $table WHERE false" : "SELECT count(*) FROM $table";
	my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = '5s'; $sql");

	return $err;
}

$node->safe_psql('postgres', q(
	CREATE TABLE t (a int PRIMARY KEY, b text, n int DEFAULT 0);
	INSERT INTO t SELECT g, 'b' || g FROM generate_series(1, 6000) g;
	CREATE INDEX tb ON t (b);
	CREATE TABLE other (a int REFERENCES t);
	CREATE TABLE part (id int) PARTITION BY RANGE (id); CREATE INDEX ON part (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (100) TO (200);
	ANALYZE;));

# A step that cannot have its lock does not queue for it.
foreach my $case (
	[ 'column', 'ALTER TABLE t ADD COLUMN c int', 't' ], [ 'check', 'ALTER TABLE t ADD CHECK (a > 0)', 't' ],
	[ 'not-null', 'ALTER TABLE t ALTER b SET NOT NULL', 't' ], [ 'key', 'CREATE UNIQUE INDEX k ON t (b); ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX k', 't' ],
	[ 'foreign-key', 'ALTER TABLE other DROP CONSTRAINT other_a_fkey', 't' ], [ 'trigger', 'DO $$ BEGIN ALTER TABLE t DISABLE TRIGGER ALL; END $$', 't', 'writer' ],
	[ 'truncate', 'TRUNCATE other', 'other' ], [ 'in-code', 'DO $$ BEGIN ALTER TABLE other ADD COLUMN d int; END $$', 'other' ],
	[ 'partition', 'CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM (300) TO (400)', 'part' ],
	[ 'reindex', 'REINDEX TABLE part', 'part_2', 'writer' ], [ 'drop-partition', 'DROP TABLE part_2', 'part_2' ],
	[ 'detach', 'ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY', 'part_1' ], [ 'rename', 'ALTER TABLE other RENAME TO others', 'other' ])
{
	my ($name, $script, $table, $writer) = @$case;
	my $held = hold($node, $writer ? "DELETE FROM $table WHERE false" : "SELECT count(*) FROM $table");
	my $pid = $node->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'));

	begin($name, $script);
	# that one waits for who is at work, and not in line
	like(reason_of($name), qr/^tries again: .*[Pp]rocess $pid of user "postgres"/, "$name: says who is in the way") unless $name eq 'reindex';
	is(others_of($table, $writer), '', "$name: others do not wait behind it");
	release($held);
	is(run_ends($node, $name, 'postgres', 20), 'succeeded', "$name: goes on when the lock is free");
}

# Pause, resume, cancel and retry, wherever the run is.
sub control
{
	my ($call, $name) = @_;

	return sqlstate_of($node, "SELECT migrate.$call('$name')");
}

my $held = hold($node, 'SELECT count(*) FROM t');
begin('paused', 'ALTER TABLE t ADD COLUMN e int');
reason_of('paused');
is(control('pause', 'paused'), '00000', 'a run that waits for a lock can be paused');
ok(defined poll(sub { my @row = run_row($node, 'paused'); $row[0] eq 'paused' && $row[4] eq '' }, 20), 'its worker ends');
is(control('pause', 'paused'), '00000', 'and paused again');
is(control('retry', 'paused'), '55000', 'but not tried again');
is(control('resume', 'paused'), '00000', 'it can be resumed');
ok(defined poll(sub { ((run_row($node, 'paused'))[5] // '') =~ /^tries again/ }, 20), 'it waits again');
is(control('cancel', 'paused'), '00000', 'it can be cancelled');
is(run_ends($node, 'paused', 'postgres', 20), 'cancelled', 'that is its end');
is(control('resume', 'paused'), '55000', 'then it cannot be resumed');
release($held);
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'e')), '0', 'and has done nothing');

# what it has waited for is not what it waits for
$held = hold($node, 'SELECT count(*) FROM t');
begin('gets-on', 'ALTER TABLE t ADD COLUMN f int; SELECT pg_sleep(600)');
like(reason_of('gets-on'), qr/^tries again/, 'a run that waits says so');
release($held);
ok(defined poll(sub { try_sql($node, q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep')) eq '1' }, 20), 'the next statement runs');
is((run_row($node, 'gets-on'))[5], '', 'and then it does not wait any more');
is(control('cancel', 'gets-on'), '00000', 'it can be cancelled');
is(run_ends($node, 'gets-on', 'postgres', 20), 'cancelled', 'and is');

# in the middle of a statement
foreach my $call ('pause', 'cancel', 'rollback')
{
	begin("busy-$call", 'CREATE TABLE made (a int); SELECT pg_sleep(600)');
	ok(defined poll(sub { try_sql($node, q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep')) eq '1' }, 20), "$call: in the middle of a statement");
	is(control($call, "busy-$call"), '00000', "$call: possible");
	is(run_ends($node, "busy-$call", 'postgres', 20), $call eq 'pause' ? 'paused: paused by postgres' : 'cancelled', "$call: stops it");
	control('resume', "busy-$call") if $call eq 'pause';
	poll(sub { try_sql($node, q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep')) eq '1' }, 20) if $call eq 'pause';
	# as it stands, whatever came before
	foreach (1 .. 5)
	{
		control('cancel', "busy-$call");
		last if run_ends($node, "busy-$call", 'postgres', 5) eq 'cancelled';
		control('resume', "busy-$call");
	}
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS made');
}

# undone where it was done
$node->safe_psql('postgres', 'CREATE SCHEMA here; CREATE SCHEMA there; CREATE TABLE there.same (a int, b int); CREATE INDEX same_idx ON there.same (a)');
begin('elsewhere', 'SET search_path = here; CREATE TABLE same (a int); CREATE TABLE more (a int); ALTER TABLE more ADD COLUMN b int; CREATE VIEW v AS SELECT 1 AS one; SET search_path = there; SELECT 1 / 0');
like(run_ends($node, 'elsewhere'), qr/^failed/, 'a run fails');
$node->safe_psql('postgres', q(CREATE TABLE there.more (a int, b int); CREATE VIEW there.v AS SELECT 2 AS two; SELECT migrate.rollback('elsewhere')));
is(run_ends($node, 'elsewhere'), 'cancelled', 'and is undone');
is($node->safe_psql('postgres', q(SELECT string_agg(oid::regclass::text, ' ' ORDER BY oid::regclass::text) FROM pg_class WHERE relnamespace IN ('here'::regnamespace, 'there'::regnamespace))),
	'there.more there.same there.same_idx there.v', 'what it has made goes, and nothing of that name elsewhere');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('there.more') AND attnum > 0 AND NOT attisdropped)), '2', 'nor a column');

# what has no rows of its own comes back: an index that was dropped
my $index = q(SELECT pg_get_indexdef(oid) || relname FROM pg_class WHERE relname IN ('te', 'te2') ORDER BY relname);
$node->safe_psql('postgres', q(CREATE UNIQUE INDEX te ON t (lower(b) DESC, a) INCLUDE (n) WITH (fillfactor = 70) WHERE a > 0; CREATE INDEX te2 ON t (n); ANALYZE t));
my $before = $node->safe_psql('postgres', $index);
begin('index-back', 'DROP INDEX te, te2; SELECT 1 / 0');
like(run_ends($node, 'index-back'), qr/^failed: division by zero/, 'index: a run fails');
is($node->safe_psql('postgres', $index), '', 'index: which has dropped it');
is(control('rollback', 'index-back'), '00000', 'index: it is undone');
is(run_ends($node, 'index-back'), 'cancelled', 'index: which is its end');
is($node->safe_psql('postgres', $index), $before, 'index: it is there again');

# also when it has gone before the run knows, or is built again by half
foreach my $case ([ 'gone', 'DROP INDEX te' ],
	[ 'half', q(DROP INDEX te; CREATE INDEX CONCURRENTLY te ON t (b); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'te'::regclass) ])
{
	my ($name, $sql) = @$case;
	my $reader = hold($node, 'SELECT count(*) FROM t');

	begin("index-$name", $name eq 'half' ? 'DROP INDEX te; SELECT 1 / 0' : 'DROP INDEX te');
	if ($name eq 'gone')
	{
		ok(defined poll(sub { try_sql($node, q(SELECT indisvalid FROM pg_index WHERE indexrelid = 'te'::regclass)) eq 'f' }, 20), "index $name: on the way");
		control('pause', "index-$name");
		ok(defined poll(sub { my @row = run_row($node, "index-$name"); $row[0] eq 'paused' && $row[4] eq '' }, 20), "index $name: paused");
		release($reader);
		$node->safe_psql('postgres', $sql);
	}
	else
	{
		release($reader);
		like(run_ends($node, "index-$name"), qr/^failed/, "index $name: a run fails");
		$node->safe_psql('postgres', $_) foreach split /; /, $sql =~ s/^DROP INDEX te; //r;
	}
	is(control('rollback', "index-$name"), '00000', "index $name: it is undone");
	is(run_ends($node, "index-$name"), 'cancelled', "index $name: which is its end");
	is($node->safe_psql('postgres', $index), $before, "index $name: it is there again");
}

# unless it is more than its definition, or would be made elsewhere
$node->safe_psql('postgres', q(SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''));
foreach my $case ([ 'comment', q(COMMENT ON INDEX more IS 'told apart') ],
	[ 'extension', 'ALTER INDEX more DEPENDS ON EXTENSION pgmigrate' ],
	[ 'tablespace', 'ALTER DATABASE postgres SET default_tablespace = elsewhere' ])
{
	my ($name, $sql) = @$case;

	$node->safe_psql('postgres', 'CREATE INDEX more ON t (n)');
	$node->safe_psql('postgres', $sql);
	begin("more-$name", 'DROP INDEX more; SELECT 1 / 0');
	like(run_ends($node, "more-$name"), qr/^failed: division by zero/, "index with more, $name: a run fails");
	is(control('rollback', "more-$name"), '55000', "index with more, $name: and is not said to be undone");
	$node->safe_psql('postgres', qq(SELECT migrate.resolve('more-$name', 'rolled_back', 'by hand')));
}
$node->safe_psql('postgres', $_) foreach 'ALTER DATABASE postgres RESET default_tablespace', 'DROP TABLESPACE elsewhere';

# a partition that was detached, as long as nothing has to be read for it
$node->safe_psql('postgres', q(CREATE TABLE log (at date, n int DEFAULT 1, CHECK (n > 0)) PARTITION BY RANGE (at); CREATE INDEX log_at ON log (at);
	CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
	CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2024-02-01') TO (MAXVALUE); INSERT INTO log VALUES ('2024-01-05')));
my $parts = q(SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), (SELECT string_agg(conname || conislocal || coninhcount, ' ' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid),
		(SELECT string_agg(attname || attislocal || attinhcount, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0),
		(SELECT string_agg(inhparent::regclass::text, ' ') FROM pg_index JOIN pg_inherits ON inhrelid = indexrelid WHERE indrelid = c.oid)
	FROM pg_class c WHERE relname ~ '^log_[12]$' ORDER BY 1);
$before = $node->safe_psql('postgres', $parts);
begin('part-back', 'ALTER TABLE log DETACH PARTITION log_1 CONCURRENTLY; SELECT 1 / 0');
like(run_ends($node, 'part-back'), qr/^failed: division by zero/, 'partition: a run fails');
is(control('rollback', 'part-back'), '00000', 'partition: it is undone');
is(run_ends($node, 'part-back'), 'cancelled', 'partition: which is its end');
is($node->safe_psql('postgres', $parts), $before, 'partition: it is as it was');
foreach my $script ('ALTER TABLE log DETACH PARTITION log_1 CONCURRENTLY', 'ALTER TABLE log DETACH PARTITION log_2')
{
	my $name = lc $script =~ s/\W+/-/gr;
	my $reader = hold($node, 'SELECT count(*) FROM log');

	begin($name, $script);
	ok(defined poll(sub { try_sql($node, 'SELECT count(*) FROM pg_inherits WHERE inhdetachpending') eq '1' }, 20), "$script: on the way");
	is(control('cancel', $name), '00000', "$script: cancelled");
	release($reader);
	is(run_ends($node, $name, 'postgres', 20), 'cancelled', "$script: which is its end");
	is($node->safe_psql('postgres', $parts), $before, "$script: the partition is as it was");
}
begin('part-lost', 'ALTER TABLE log DETACH PARTITION log_1; SELECT 1 / 0');
like(run_ends($node, 'part-lost'), qr/^failed: division by zero/, 'partition without a check: a run fails');
is(control('rollback', 'part-lost'), '55000', 'partition without a check: and is not said to be undone');
$node->safe_psql('postgres', q(SELECT migrate.resolve('part-lost', 'rolled_back', 'by hand')));

# nothing brings back what was there before, so that is said
my $anew = q(DROP TABLE IF EXISTS old, aside.old; CREATE TABLE old (a int, b int DEFAULT 1, c text); INSERT INTO old VALUES (1, 1, 'x'));
$node->safe_psql('postgres', 'CREATE SCHEMA aside');
foreach my $case (
	[ 'rows', 'CREATE TABLE IF NOT EXISTS old (a int); DELETE FROM old; SELECT 1 / 0' ],
	[ 'values', 'ALTER TABLE old ADD COLUMN IF NOT EXISTS b int; UPDATE old SET b = 7; SELECT 1 / 0' ],
	[ 'other-rows', 'SET search_path = aside; CREATE TABLE old (a int); SET search_path = public; DELETE FROM old; SELECT 1 / 0' ],
	[ 'column', 'ALTER TABLE old DROP COLUMN c, ADD CHECK (a > 0); SELECT 1 / 0' ])
{
	my ($name, $script) = @$case;

	$node->safe_psql('postgres', $anew);
	begin("lost-$name", $script);
	like(run_ends($node, "lost-$name"), qr/^failed: division by zero/, "$name: a run fails");
	is(control('rollback', "lost-$name"), '55000', "$name: and is not said to be undone");
	run_ends($node, "lost-$name");
	$node->psql('postgres', "SELECT migrate.resolve('lost-$name', 'rolled_back', 'by hand')");
}
$node->safe_psql('postgres', $anew);
begin('half', 'ALTER TABLE old ALTER a SET DEFAULT 5, ADD CONSTRAINT fails CHECK (a > 100)');
like(run_ends($node, 'half'), qr/^failed/, 'a statement fails half way');
control('cancel', 'half');
run_ends($node, 'half');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_attrdef WHERE adrelid = 'old'::regclass AND adnum = 1)) == 0 ||
		$node->safe_psql('postgres', q(SELECT count(*) FROM migrate.history_step WHERE migration = 'half' AND state = 'done')) > 0, 1,
	'cancelled, all of it is undone, or what is not is said');

# a failure is tried again, not taken for done
foreach my $script ('ALTER TABLE part DETACH PARTITION other CONCURRENTLY', 'DROP INDEX CONCURRENTLY nothing', 'CREATE INDEX CONCURRENTLY tb ON t (a)')
{
	my $name = lc $script =~ s/\W+/-/gr;

	$node->safe_psql('postgres', 'ALTER TABLE IF EXISTS others RENAME TO other');
	begin($name, $script);
	like(run_ends($node, $name), qr/^failed/, "$script: fails");
	$node->safe_psql('postgres', "SELECT migrate.retry('$name')");
	like(run_ends($node, $name), qr/^failed/, "$script: fails again");
	$node->psql('postgres', "SELECT migrate.cancel('$name')");
	is(run_ends($node, $name), 'cancelled', "$script: cancelled");
}

# a run that is resolved leaves no backfill, and can be asked for again
$held = hold($node, 'SELECT FROM t WHERE a = 3000 FOR UPDATE');
begin('filling', 'UPDATE t SET n = n + 1');
ok(defined poll(sub { try_sql($node, q(SELECT count(*) FROM migrate.backfill_history WHERE state = 'running')) eq '1' }, 20), 'a run waits for its backfill');
$node->safe_psql('postgres', q(SELECT migrate.pause('filling'); SELECT migrate.resolve('filling', 'rolled_back', 'by hand')));
release($held);
is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.backfill_history WHERE state NOT IN ('done', 'cancelled'))), '0', 'resolved, it leaves no backfill open');
$node->safe_psql('postgres', q(SELECT migrate.apply('filling')));
is(run_ends($node, 'filling'), 'succeeded', 'and can be asked for again');

# its author is gone
$node->safe_psql('postgres', q(CREATE ROLE gone SUPERUSER LOGIN));
$node->safe_psql('postgres', q(SELECT migrate.register('of-gone', E'-- migrate:up mode:online\nSELECT 1 / 0')), extra_params => [ '-U', 'gone' ]);
$node->safe_psql('postgres', q(SELECT migrate.apply('of-gone')));
like(run_ends($node, 'of-gone'), qr/^failed/, 'a run fails');
$node->safe_psql('postgres', q(DROP ROLE gone; SELECT migrate.retry('of-gone')));
like(run_ends($node, 'of-gone', 'postgres', 20) // 'not at all', qr/permission denied to run migration "of-gone"/, 'without its author it fails, and says so');
$node->psql('postgres', q(SELECT migrate.resolve('of-gone', 'rolled_back', 'by hand')));

# As whom it runs.  One role can log in, the other cannot.
$node->safe_psql('postgres', q(
	CREATE ROLE operator LOGIN; CREATE ROLE quiet NOLOGIN; GRANT quiet TO operator;
	SELECT migrate.grant_to('operator', 'admin'), migrate.grant_to('quiet', 'admin');
	GRANT ALL ON SCHEMA public TO operator, quiet;
	CREATE TABLE not_theirs (a int PRIMARY KEY); CREATE INDEX not_theirs_idx ON not_theirs (a);
	CREATE TABLE loot (how text, who name, session name, super text); GRANT ALL ON loot TO PUBLIC;));
my $steal = q(INSERT INTO loot SELECT '%s', current_user, session_user, current_setting('is_superuser'));
foreach my $role ('operator', 'quiet')
{
	my @runs = (
		[ 'plain', '' ], [ 'reset-session', 'RESET SESSION AUTHORIZATION;' ], [ 'reset-role', 'RESET ROLE;' ],
		[ 'default', 'SET SESSION AUTHORIZATION DEFAULT;' ], [ 'other', 'SET SESSION AUTHORIZATION postgres;' ],
		[ 'do', q(DO $$ BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; END $$;) ], [ 'config', q(SELECT set_config('session_authorization', 'postgres', false);) ],
		[ 'config-role', q(SELECT set_config('role', 'postgres', false);) ], [ 'discard', 'DISCARD ALL;' ]);

	foreach my $run (@runs)
	{
		my ($name, $sql) = ("$role-$run->[0]", $run->[1]);

		my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE $role; SET pgmigrate.out_of_order = allow; SELECT migrate.register('$name', \$pgm\$-- migrate:up mode:online\n$sql" . sprintf($steal, $name) . "\$pgm\$); SELECT migrate.apply('$name')",
			on_error_stop => 1, extra_params => [ '-U', 'operator' ]);
		# what says openly that it changes the role is refused at once
		if ($rc != 0) { like($err, qr/cannot run online|is not allowed/, "$name: refused"); }
		else { like(run_ends($node, $name), qr/^(succeeded|failed)/, "$name: ends"); }
	}
	foreach my $script ('CREATE INDEX CONCURRENTLY ON not_theirs (a)', 'REINDEX TABLE CONCURRENTLY not_theirs', 'DROP INDEX CONCURRENTLY not_theirs_idx', 'ALTER SYSTEM SET work_mem = 1000', 'CREATE DATABASE theirs')
	{
		my $name = "$role-" . lc $script =~ s/\W+/-/gr;

		$node->safe_psql('postgres', "SET ROLE $role; SELECT migrate.register('$name', '$script'); SELECT migrate.apply('$name')", extra_params => [ '-U', 'operator' ]);
		like(run_ends($node, $name), qr/^failed: (must be owner|permission denied)/, "$name: refused");
	}
}
$node->safe_psql('postgres', q(SELECT migrate.cancel(migration) FROM migrate.run_progress WHERE state = 'failed'));
is($node->safe_psql('postgres', q(SELECT DISTINCT super FROM loot)), 'off', 'none of them was superuser');
is($node->safe_psql('postgres', q(SELECT string_agg(how, ' ' ORDER BY how) FROM loot WHERE who NOT IN ('operator', 'quiet'))), '', 'or anybody else');
is($node->safe_psql('postgres', q(SELECT string_agg(concat_ws(' ', how, who), ', ' ORDER BY how) FROM loot WHERE how LIKE '%plain')), 'operator-plain operator, quiet-plain quiet', 'each was itself');
is($node->safe_psql('postgres', q(SELECT count(*) FROM pg_index WHERE indrelid = 'not_theirs'::regclass AND indisvalid)), '2', 'what is not theirs is as it was');

# A run that comes with a dump is suspended; who has the rights takes it over.
$held = hold($node, 'SELECT count(*) FROM t');
begin('travels', 'ALTER TABLE t ADD COLUMN travelled int');
reason_of('travels');
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped while a run goes on');
release($held);
is(run_ends($node, 'travels'), 'succeeded', 'it ends where it began');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'restored elsewhere');
$node->restart;
is(run_ends($node, 'travels', 'copy', 20), 'suspended: it was submitted in another cluster or database', 'there it is suspended');
is($node->safe_psql('copy', q(SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'travelled')), '0', 'and has done nothing');
$node->safe_psql('copy', q(SELECT migrate.resume('travels')));
is(run_ends($node, 'travels', 'copy'), 'succeeded', 'resumed, it goes on');
is(no_remains($node, 'copy'), '', 'nothing is left behind there');
is(no_remains($node, 'postgres'), '', 'nor here');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
