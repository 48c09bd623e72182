# What happens to a backfill around which things change: its table, its role,
# its database, its worker, the room there is for it, the hours, its limits.
# It ends in a state that is shown with a reason, or goes on.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use PgMigrateTest;

my @conf = ('log_statement = none', 'autovacuum = off', 'restart_after_crash = on');
my $node = new_node('main', conf => [ @conf, q(shared_preload_libraries = 'pgmigrate'), 'pgmigrate.backfill_max_workers = 4' ]);
my $dynamic = new_node('dynamic', conf => \@conf);
my $dir = PostgreSQL::Test::Utils::tempdir();

# So slow that one can do something meanwhile; hurry() ends that.
my $slow = 'batch_rows => 5, duty => 1';

# make_table(NODE, NAME, ROWS [, DATABASE])
sub make_table
{
	my ($where, $name, $rows, $database) = @_;

	$where->safe_psql($database // 'postgres', <<~SQL);
		CREATE TABLE $name (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, a text, pad text DEFAULT repeat('x', 40));
		INSERT INTO $name (id) SELECT generate_series(1, $rows);
		VACUUM ANALYZE $name;
		SQL
	return;
}

# Waits until a backfill has done some rows.
sub in_mid_run
{
	my ($where, $id, $database) = @_;

	return defined poll(sub {
		my $done = try_sql($where, "SELECT state = 'running' AND rows_done > 0 AND percent < 100 FROM migrate.progress WHERE id = $id", $database);
		return defined $done && $done eq 't';
	}, 20);
}

sub hurry
{
	my ($where, $id, $database) = @_;

	return $where->safe_psql($database // 'postgres', "SELECT migrate.alter_backfill($id, batch_rows => 2000, duty => 100)");
}

# Rows that do not have what n = n + 1 makes of them, once.
sub wrong_rows
{
	my ($where, $table, $database) = @_;

	return $where->safe_psql($database // 'postgres', "SELECT count(*) FROM $table WHERE n <> 1");
}

# How long it takes until no worker has a lane; nothing if that takes a minute.
sub time_to_end
{
	my ($where) = @_;

	return poll(sub { return !workers($where) }, 60) // 60;
}

# Its table.
make_table($node, 'dropped', 2000);
my $id = backfill($node, "'dropped', 'n = n + 1', $slow");
ok(in_mid_run($node, $id), 'dropped table: in mid-run');
$node->safe_psql('postgres', 'DROP TABLE dropped');
is(ends_as($node, $id, 'failed'), 'failed', 'dropped table: failed');
like(shows($node, $id, qr/^failed/), qr/table .*does not exist any more/, 'dropped table: says so');

make_table($node, 'dropped', 2000);
$id = backfill($node, "'dropped', 'n = n + 1', name => 'dropped again', not_before => 'infinity'");
$node->safe_psql('postgres', "DROP TABLE dropped; SELECT migrate.alter_backfill($id, reset => '{not_before}')");
is(ends_as($node, $id, 'failed'), 'failed', 'table dropped before the start: failed');
like(shows($node, $id, qr/^failed/), qr/does not exist/, 'table dropped before the start: says so');

# A row whose table has gone keeps nobody from making another one of that name.
make_table($node, 'dropped', 10);
is(ends_as($node, backfill($node, q('dropped', 'n = n + 1')), 'done'), 'done', 'a new table of that name can be backfilled');
is(wrong_rows($node, 'dropped'), '0', 'each row once');

# A column.
make_table($node, 'columns', 2000);
$id = backfill($node, "'columns', \$\$a = 'x' || n\$\$, strategy => 'key', $slow");
ok(in_mid_run($node, $id), 'another column dropped: in mid-run');
$node->safe_psql('postgres', 'ALTER TABLE columns DROP COLUMN pad, ADD COLUMN b text');
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'another column dropped: goes on');
is($node->safe_psql('postgres', q(SELECT count(*) FROM columns WHERE a IS DISTINCT FROM 'x0')), '0', 'another column dropped: all rows');
$id = backfill($node, "'columns', \$\$b = a || 'y'\$\$, $slow");
ok(in_mid_run($node, $id), 'its column dropped: in mid-run');
$node->safe_psql('postgres', 'ALTER TABLE columns DROP COLUMN b');
is(ends_as($node, $id, 'failed'), 'failed', 'its column dropped: failed');
like(shows($node, $id, qr/^failed/), qr/column \S*b\S* .*does not exist/, 'its column dropped: says so');
is($node->safe_psql('postgres', "SELECT sqlstate FROM migrate.backfill_history WHERE id = $id"), '42703', 'its column dropped: SQLSTATE');
is(sqlstate_of($node, "SELECT migrate.resume($id)"), '55000', 'a failed one cannot be resumed, but retried');
$node->safe_psql('postgres', "ALTER TABLE columns ADD COLUMN b text; SELECT migrate.retry($id)");
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'retried when the column is back: done');
is($node->safe_psql('postgres', q(SELECT count(*) FROM columns WHERE b IS DISTINCT FROM 'x0y')), '0', 'retried: all rows');

# A rename, of the table and of its columns; what has its name now is another one.
make_table($node, $_, 2000) foreach 'renamed', 'replacement';
$id = backfill($node, "'renamed', 'n = n + 1', $slow");
ok(in_mid_run($node, $id), 'table renamed: in mid-run');
$node->safe_psql('postgres', 'BEGIN; ALTER TABLE renamed RENAME TO other_name; ALTER TABLE replacement RENAME TO renamed; CREATE SCHEMA s; ALTER TABLE other_name SET SCHEMA s; COMMIT');
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'table renamed: goes on');
is(wrong_rows($node, 's.other_name'), '0', 'table renamed: each row once');
is($node->safe_psql('postgres', 'SELECT sum(n) FROM renamed'), '0', 'table renamed: no row of the table that has its name now');

# Its role.
$node->safe_psql('postgres', q(CREATE ROLE leaver LOGIN; CREATE ROLE sleeper LOGIN));
foreach my $role ('leaver', 'sleeper')
{
	make_table($node, "of_$role", 2000);
	$node->safe_psql('postgres', "GRANT SELECT, UPDATE ON of_$role TO $role");
}
$id = backfill($node, "'of_leaver', 'n = n + 1', run_as => 'leaver', $slow");
ok(in_mid_run($node, $id), 'dropped role: in mid-run');
is($node->safe_psql('postgres', q(SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'pgmigrate backfill')), 'leaver', 'it works as the role');
$node->safe_psql('postgres', 'DROP OWNED BY leaver; DROP ROLE leaver');
is(ends_as($node, $id, 'failed'), 'failed', 'dropped role: failed');
like(shows($node, $id, qr/^failed/), qr/role|permission/, 'dropped role: says so');
$id = backfill($node, "'of_sleeper', 'n = n + 1', run_as => 'sleeper', $slow");
ok(in_mid_run($node, $id), 'role dropped during a pause: in mid-run');
$node->safe_psql('postgres', "SELECT migrate.pause($id)");
time_to_end($node);
$node->safe_psql('postgres', 'DROP OWNED BY sleeper; DROP ROLE sleeper');
my ($status, $out, $err) = $node->psql('postgres', "SELECT migrate.resume($id)");
like("$err " . ends_as($node, $id, 'failed', undef, 10), qr/role .*does not exist/, 'role dropped during a pause: does not run');
is($node->safe_psql('postgres', q(SELECT count(*) FROM of_sleeper WHERE n > 1)), '0', 'role dropped during a pause: no row twice');

# Rights that are taken away stop it; given back, it goes on.
$node->safe_psql('postgres', 'CREATE ROLE changer LOGIN');
make_table($node, 'of_changer', 2000);
$node->safe_psql('postgres', 'GRANT SELECT, UPDATE ON of_changer TO changer');
$id = backfill($node, "'of_changer', 'n = n + 1', run_as => 'changer', $slow");
ok(in_mid_run($node, $id), 'rights revoked: in mid-run');
$node->safe_psql('postgres', 'REVOKE UPDATE ON of_changer FROM changer');
is(ends_as($node, $id, 'failed'), 'failed', 'rights revoked: failed');
like(shows($node, $id, qr/^failed/), qr/permission denied for table of_changer/, 'rights revoked: says so');
$node->safe_psql('postgres', "GRANT UPDATE ON of_changer TO changer; SELECT migrate.retry($id)");
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'rights given back and retried: done');
is(wrong_rows($node, 'of_changer'), '0', 'rights given back: each row once');

# Its extension, its database.
foreach my $database ('ext', 'forced', 'plain')
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION pgmigrate');
	make_table($node, 't', 5000, $database);
}
$id = backfill($node, "'t', 'n = n + 1', $slow", 'ext');
ok(in_mid_run($node, $id, 'ext'), 'dropped extension: in mid-run');
my $start = time;
$node->safe_psql('ext', 'DROP EXTENSION pgmigrate');
cmp_ok(time - $start, '<', 5, 'dropped extension: dropped at once');
cmp_ok(time_to_end($node), '<', 5, 'dropped extension: the worker ends');
is($node->safe_psql('ext', 'SELECT count(*) > 0, count(*) < 5000 FROM t WHERE n = 1'), 't|t', 'dropped extension: what is done is done');
$node->safe_psql('ext', 'CREATE EXTENSION pgmigrate');
is(ends_as($node, backfill($node, "'t', 'n = 7', 'n <> 7'", 'ext'), 'done', 'ext'), 'done', 'created again: works');

$id = backfill($node, "'t', 'n = n + 1', $slow", 'forced');
ok(in_mid_run($node, $id, 'forced'), 'DROP DATABASE WITH (FORCE): in mid-run');
$start = time;
is(sqlstate_of($node, 'DROP DATABASE forced WITH (FORCE)'), '00000', 'DROP DATABASE WITH (FORCE): dropped');
cmp_ok(time - $start, '<', 5, 'DROP DATABASE WITH (FORCE): at once');
cmp_ok(time_to_end($node), '<', 5, 'DROP DATABASE WITH (FORCE): the worker has ended');

$id = backfill($node, "'t', 'n = n + 1', $slow", 'plain');
ok(in_mid_run($node, $id, 'plain'), 'DROP DATABASE: in mid-run');
is(sqlstate_of($node, 'DROP DATABASE plain'), '55006', 'DROP DATABASE is refused as for any session while one runs');
$node->safe_psql('plain', "SELECT migrate.pause($id)");
$start = time;
is(sqlstate_of($node, 'DROP DATABASE plain'), '00000', 'DROP DATABASE: works when it is paused');
cmp_ok(time - $start, '<', 5, 'DROP DATABASE: at once');

# Its worker.
make_table($node, 'terminated', 2000);
$id = backfill($node, "'terminated', 'n = n + 1', $slow");
foreach my $i (1 .. 3)
{
	ok(in_mid_run($node, $id), "pg_terminate_backend, preloaded, $i: in mid-run");
	my ($pid) = workers($node);
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	ok(defined poll(sub { my @pids = workers($node); return @pids == 1 && $pids[0] != $pid }, 10),
		"pg_terminate_backend, preloaded, $i: another worker goes on by itself");
}
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'pg_terminate_backend, preloaded: done');
is(wrong_rows($node, 'terminated'), '0', 'pg_terminate_backend, preloaded: each row once');

make_table($dynamic, 'terminated', 2000);
$id = backfill($dynamic, "'terminated', 'n = n + 1', $slow");
ok(in_mid_run($dynamic, $id), 'pg_terminate_backend, not preloaded: in mid-run');
$dynamic->safe_psql('postgres', 'SELECT pg_terminate_backend(' . (workers($dynamic))[0] . ')');
like(shows($dynamic, $id, qr/^stalled/), qr/^stalled no worker: call migrate\.resume/, 'pg_terminate_backend, not preloaded: shown as stalled, with what to do');
is($dynamic->safe_psql('postgres', "SELECT migrate.resume($id)"), 'resumed', 'pg_terminate_backend, not preloaded: resume()');
ok(in_mid_run($dynamic, $id), 'pg_terminate_backend, not preloaded: goes on');
$dynamic->stop('fast');
$dynamic->start;
like(shows($dynamic, $id, qr/^stalled/), qr/^stalled /, 'restart, not preloaded: shown as stalled');
$dynamic->safe_psql('postgres', "SELECT migrate.resume($id)");
hurry($dynamic, $id);
is(ends_as($dynamic, $id, 'done'), 'done', 'restart, not preloaded: done after resume()');
is(wrong_rows($dynamic, 'terminated'), '0', 'restart, not preloaded: each row once');
make_table($node, 'restarted', 2000);
$id = backfill($node, "'restarted', 'n = n + 1', $slow");
ok(in_mid_run($node, $id), 'restart, preloaded: in mid-run');
$start = time;
$node->restart;
cmp_ok(time - $start, '<', 10, 'restart, preloaded: nobody has to be waited for');
ok(in_mid_run($node, $id), 'restart, preloaded: goes on by itself');
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'restart, preloaded: done');
is(wrong_rows($node, 'restarted'), '0', 'restart, preloaded: each row once');

# One that brings the server down each time is suspended, and others go on.
make_table($node, 'deadly', 100);
make_table($node, 'harmless', 2000);
$node->safe_psql('postgres', q(
	CREATE FUNCTION deadly() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.id = 30 AND (SELECT closed FROM deadly_gate) THEN CREATE TEMP TABLE x (a text); COPY x FROM PROGRAM 'kill -9 $PPID; sleep 1'; END IF;
		RETURN NEW;
	END $$;
	CREATE TABLE deadly_gate (closed boolean); INSERT INTO deadly_gate VALUES (true);
	CREATE TRIGGER deadly BEFORE UPDATE ON deadly FOR EACH ROW EXECUTE FUNCTION deadly();));
my $harmless = backfill($node, "'harmless', 'n = n + 1', $slow");
ok(in_mid_run($node, $harmless), 'crashes: another one in mid-run');
$id = backfill($node, q('deadly', 'n = n + 1', batch_rows => 50));
is(ends_as($node, $id, 'suspended'), 'suspended', 'crashes: suspended');
like(shows($node, $id, qr/^suspended/), qr/^suspended its worker ended 3 times without finishing a batch/, 'crashes: says so');
hurry($node, $harmless);
is(ends_as($node, $harmless, 'done'), 'done', 'crashes: the other one goes on');
is(wrong_rows($node, 'harmless'), '0', 'crashes: each row of the other one once');
is($node->safe_psql('postgres', 'SELECT sum(n) FROM deadly'), '0', 'crashes: none of its batches was done');
$node->safe_psql('postgres', "UPDATE deadly_gate SET closed = false; SELECT migrate.resume($id)");
is(ends_as($node, $id, 'done'), 'done', 'crashes: resumed when the cause is gone: done');
is(wrong_rows($node, 'deadly'), '0', 'crashes: each row once');

# A role that may not log in, and its deferred trigger.
$node->safe_psql('postgres', q(CREATE ROLE group_role NOLOGIN));
make_table($node, 'of_group', 2000);
$node->safe_psql('postgres', q(CREATE TABLE seen (who text);
	GRANT INSERT ON seen TO PUBLIC;
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen VALUES (current_user); RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER see AFTER UPDATE ON of_group DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see();
	ALTER TABLE of_group OWNER TO group_role;));
$id = backfill($node, "'of_group', 'n = n + 1', vacuum_analyze => true, $slow");
ok(in_mid_run($node, $id), 'a role that may not log in: in mid-run');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . (workers($node))[0] . ')');
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'a role that may not log in: done, after another start too');
is(wrong_rows($node, 'of_group'), '0', 'a role that may not log in: each row once');
is($node->safe_psql('postgres', 'SELECT who, count(*) FROM seen GROUP BY 1'), 'group_role|2000', 'a role that may not log in: also at commit');

# pause(), resume() and cancel() are answered within a second, also while a
# statement takes long; cancel() ends the statement.
make_table($node, 'sleepy', 2000);
$node->safe_psql('postgres', q(
	CREATE FUNCTION sleepy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$;
	CREATE TRIGGER sleepy BEFORE UPDATE ON sleepy FOR EACH ROW EXECUTE FUNCTION sleepy();));
$id = backfill($node, q('sleepy', 'n = n + 1', batch_rows => 100));
my $asleep = q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pgmigrate backfill' AND wait_event = 'PgSleep');
sub asleep { return defined poll(sub { return (try_sql($node, $asleep) // '') eq '1' }, 10) }
ok(asleep(), 'slow statement: in it');
foreach my $call ([ 'pause', 'paused' ], [ 'resume', 'resumed' ])
{
	$start = time;
	is($node->safe_psql('postgres', "SELECT migrate.$call->[0]($id)"), $call->[1], "slow statement: $call->[0]()");
	cmp_ok(time - $start, '<', 1, "slow statement: $call->[0]() returns within a second");
	like(shows($node, $id, qr/./), $call->[0] eq 'pause' ? qr/^paused by / : qr/^(queued|running)/, "slow statement: $call->[0]() is shown");
	cmp_ok(time - $start, '<', 1, "slow statement: $call->[0]() is shown within a second");
}
ok(asleep(), 'slow statement: in it again');
$start = time;
$node->safe_psql('postgres', "SELECT migrate.pause($id)");
cmp_ok(time_to_end($node), '<', 8, 'slow statement: paused after its batch');
is($node->safe_psql('postgres', "SELECT state FROM migrate.progress WHERE id = $id"), 'paused', 'slow statement: stays paused');
$node->safe_psql('postgres', "SELECT migrate.resume($id)");
ok(asleep(), 'slow statement: in it after the pause');
$start = time;
is($node->safe_psql('postgres', "SELECT migrate.cancel($id)"), 'cancelled', 'slow statement: cancel()');
time_to_end($node);
cmp_ok(time - $start, '<', 1, 'slow statement: cancel() ends it within a second');
like(shows($node, $id, qr/./), qr/^cancelled by /, 'slow statement: cancelled');
is($node->safe_psql('postgres', 'SELECT count(*) FROM sleepy WHERE n > 1'), '0', 'slow statement: no row twice');
is(sqlstate_of($node, "SELECT migrate.resume($id)"), '55000', 'a cancelled one cannot be resumed');

# While it rests, the same.
make_table($node, 'resting', 2000);
$id = backfill($node, q('resting', 'n = n + 1', batch_rows => 10, duty => 1));
ok(in_mid_run($node, $id), 'at rest: in mid-run');
$start = time;
$node->safe_psql('postgres', "SELECT migrate.pause($id)");
time_to_end($node);
cmp_ok(time - $start, '<', 1, 'at rest: paused within a second');
$node->safe_psql('postgres', "SELECT migrate.resume($id)");
ok(defined poll(sub { return scalar workers($node) }, 1), 'at rest: resumed within a second');
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'at rest: done');
is(wrong_rows($node, 'resting'), '0', 'at rest: each row once');

# What the caller rolls back does not happen.
make_table($node, 'rolled_back', 100);
$node->safe_psql('postgres', q(BEGIN; SELECT migrate.backfill('rolled_back', 'n = n + 1', name => 'rolled back'); ROLLBACK));
is($node->safe_psql('postgres', q(SELECT count(*) FROM migrate.backfill_history WHERE name = 'rolled back')), '0', 'rolled back: no backfill');
is($node->safe_psql('postgres', q(SELECT sum(n) FROM rolled_back)), '0', 'rolled back: no row changed');

# One backfill a table at a time; the second says what it waits for.
make_table($node, 'twice', 2000);
$id = backfill($node, "'twice', 'n = n + 1', name => 'first', $slow");
ok(in_mid_run($node, $id), 'two on a table: the first in mid-run');
my $second = backfill($node, q('twice', $$a = 'n' || n$$, name => 'second'));
like(shows($node, $second, qr/waits/), qr/^queued waits for another backfill of the table/, 'two on a table: the second waits and says so');
hurry($node, $id);
is(ends_as($node, $second, 'done'), 'done', 'two on a table: the second is done then');
is($node->safe_psql('postgres', q(SELECT count(*) FROM twice WHERE a IS DISTINCT FROM 'n1')), '0', 'two on a table: after the first');

# A cap on workers, and who goes first.
$node->append_conf('postgresql.conf', 'pgmigrate.backfill_max_workers = 1');
$node->reload;
make_table($node, "crowd$_", $_ == 1 ? 4000 : 400) foreach 1 .. 4;
my $first = backfill($node, "'crowd1', 'n = n + 1', lanes => 2, $slow");
ok(in_mid_run($node, $first), 'a cap on workers: one in mid-run');
my %crowd = map { $_ => backfill($node, "'crowd$_', 'n = n + 1', priority => " . (2, 30, 10)[ $_ - 2 ] . ", $slow") } 2 .. 4;
like(shows($node, $crowd{$_}, qr/waits/), qr/^queued waits for a place: pgmigrate.backfill_max_workers is 1/, "a cap on workers: $_ waits and says so") foreach sort keys %crowd;
hurry($node, $first);
my $most = 0;
poll(sub { my $count = () = workers($node); $most = $count if $count > $most;
	return try_sql($node, q(SELECT count(*) FROM migrate.backfill_history WHERE relation ~ 'crowd' AND state = 'done')) eq '4' }, 60);
is($most, 1, 'a cap on workers: never more than one');
is($node->safe_psql('postgres', q(SELECT string_agg(relation, ' ' ORDER BY started_at) FROM migrate.backfill_history WHERE relation ~ 'crowd' AND state = 'done')),
	'public.crowd1 public.crowd3 public.crowd4 public.crowd2', 'a cap on workers: by priority');
is(wrong_rows($node, "crowd$_"), '0', "a cap on workers: each row of $_ once") foreach 1 .. 4;
$node->append_conf('postgresql.conf', 'pgmigrate.backfill_max_workers = 4');
$node->reload;

# Two lanes share the work; when one is too many, it goes.
make_table($node, 'lanes', 20000);
$id = backfill($node, q('lanes', 'n = n + 1', lanes => 2, batch_rows => 20, duty => 3));
ok(defined poll(sub { my @pids = workers($node); return @pids == 2 }, 10), 'two lanes: both work');
ok(defined poll(sub { return $node->safe_psql('postgres', "SELECT count(*) FROM migrate.backfill_lane WHERE job_id = $id AND rows > 0") eq '2' }, 10), 'two lanes: both do something');
$node->safe_psql('postgres', "SELECT migrate.alter_backfill($id, lanes => 1)");
ok(defined poll(sub { my @pids = workers($node); return @pids == 1 }, 5), 'two lanes: one is left after alter_backfill()');
$node->safe_psql('postgres', "SELECT migrate.alter_backfill($id, lanes => 2, batch_rows => 500, duty => 100)");
is(ends_as($node, $id, 'done'), 'done', 'two lanes: done');
is(wrong_rows($node, 'lanes'), '0', 'two lanes: each row once');

# Hours.
my $hour = $node->safe_psql('postgres', q(SET timezone = 'UTC'; SELECT to_char(now() + '2 hours', 'HH24:MI') || '-' || to_char(now() + '3 hours', 'HH24:MI') || ' UTC'));
make_table($node, $_, 100) foreach 'windowed', 'later', 'soon', 'held';
make_table($dynamic, $_, 100) foreach 'windowed', 'held';
foreach my $where ($node, $dynamic)
{
	my $how = $where->name;

	$id = backfill($where, "'windowed', 'n = n + 1', \"window\" => '$hour'");
	like(shows($where, $id, qr/until/), qr/^(queued|running) outside its window until \d{4}-/, "$how: outside its window, and says until when");
	is($where->safe_psql('postgres', 'SELECT sum(n) FROM windowed'), '0', "$how: outside its window nothing is done");
	$where->safe_psql('postgres', "SELECT migrate.alter_backfill($id, reset => '{window}')");
	is(ends_as($where, $id, 'done', undef, 10), 'done', "$how: goes on when the window is altered");
	is(wrong_rows($where, 'windowed'), '0', "$how: windowed: each row once");

	# The user's own condition, and one that fails.
	$where->safe_psql('postgres', 'CREATE TABLE gate (closed boolean); INSERT INTO gate VALUES (true)');
	$id = backfill($where, q('held', 'n = n + 1', hold_when => '(SELECT closed FROM gate)'));
	like(shows($where, $id, qr/hold_when/), qr/^(queued|running) hold_when is true/, "$how: hold_when holds and says so");
	is($where->safe_psql('postgres', 'SELECT sum(n) FROM held'), '0', "$how: hold_when: nothing is done");
	$where->safe_psql('postgres', 'ALTER TABLE gate RENAME TO gone');
	like(shows($where, $id, qr/failed/), qr/^(queued|running) hold_when failed: relation "gate" does not exist/, "$how: hold_when that fails holds and says so");
	$where->safe_psql('postgres', 'ALTER TABLE gone RENAME TO gate; UPDATE gate SET closed = false');
	is(ends_as($where, $id, 'done', undef, 10), 'done', "$how: goes on when hold_when is false");
	is(wrong_rows($where, 'held'), '0', "$how: held: each row once");
}
$id = backfill($node, q('later', 'n = n + 1', not_before => now() + '1 hour'));
like(shows($node, $id, qr/before/), qr/^queued not before \d{4}-/, 'not_before: waits, and says until when');
cmp_ok(time_to_end($node), '<', 5, 'not_before: no worker waits for hours');
is($node->safe_psql('postgres', "SELECT state, pid, lanes, started_at IS NULL FROM migrate.progress WHERE id = $id"), 'queued|0|0|t', 'not_before: queued, not started, not stalled');
$node->safe_psql('postgres', "SELECT migrate.alter_backfill($id, reset => '{not_before}')");
is(ends_as($node, $id, 'done', undef, 10), 'done', 'not_before: goes on when it is altered');
$id = backfill($node, q('soon', 'n = n + 1', not_before => now() + '2 seconds'));
is(ends_as($node, $id, 'done', undef, 10), 'done', 'not_before: goes on by itself');
is($node->safe_psql('postgres', "SELECT finished_at >= not_before FROM migrate.backfill_job WHERE id = $id"), 't', 'not_before: not earlier');

# statement_timeout, of the role.
$node->safe_psql('postgres', q(CREATE ROLE hasty LOGIN; ALTER ROLE hasty SET statement_timeout = '300ms';
	CREATE TABLE hasty (id int PRIMARY KEY, n int DEFAULT 0); INSERT INTO hasty SELECT generate_series(1, 150);
	CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
	CREATE TRIGGER slowly BEFORE UPDATE ON hasty FOR EACH ROW EXECUTE FUNCTION slowly();
	ALTER TABLE hasty OWNER TO hasty; ANALYZE hasty));
$id = backfill($node, q('hasty', 'n = n + 1', batch_rows => 1000));
is(ends_as($node, $id, 'done', undef, 30), 'done', 'statement_timeout: batches shrink until they fit');
is(wrong_rows($node, 'hasty'), '0', 'statement_timeout: each row once');
is($node->safe_psql('postgres', "SELECT retries > 0 FROM migrate.backfill_history WHERE id = $id"), 't', 'statement_timeout: there was one');

# Rows that cannot be changed are put aside, they and no others.
foreach my $strategy ('pages', 'key')
{
	my $table = "poison_$strategy";

	$node->safe_psql('postgres', qq(CREATE TABLE ok_$strategy (v int PRIMARY KEY); INSERT INTO ok_$strategy SELECT generate_series(0, 999);
		CREATE TABLE $table (id int PRIMARY KEY, t text, v int, w int CHECK (w <> 77), r int REFERENCES ok_$strategy DEFERRABLE INITIALLY DEFERRED);
		INSERT INTO $table SELECT i, CASE WHEN i % 997 = 0 THEN 'poison' WHEN i % 1499 = 0 THEN '77' WHEN i % 1801 = 0 THEN '1001' WHEN i % 2003 = 0 THEN '99999999999' ELSE (i % 70)::text END
			FROM generate_series(1, 9000) i;
		ANALYZE $table;));
	my $poison = $node->safe_psql('postgres', "SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table WHERE id % 997 = 0 OR id % 1499 = 0 OR id % 1801 = 0 OR id % 2003 = 0");
	$id = backfill($node, "'$table', 'v = t::int, w = t::int, r = t::int', 'v IS NULL', strategy => '$strategy', max_bad_rows => 100, batch_rows => 300");
	is(ends_as($node, $id, 'done'), 'done', "poison by $strategy: done");
	is($node->safe_psql('postgres', "SELECT string_agg(id::text, ' ' ORDER BY id) FROM $table WHERE v IS NULL"), $poison, "poison by $strategy: all other rows are changed");
	is($node->safe_psql('postgres', "SELECT string_agg(row_key::json->>'id', ' ' ORDER BY (row_key::json->>'id')::int) FROM migrate.backfill_error WHERE job_id = $id"), $poison, "poison by $strategy: these are put aside, once");
	is($node->safe_psql('postgres', "SELECT sqlstate, count(*) FROM migrate.backfill_error WHERE job_id = $id GROUP BY 1 ORDER BY 1"),
		"22003|4\n22P02|9\n23503|4\n23514|6", "poison by $strategy: each with its error");
	like(shows($node, $id, qr/./), qr/^done 23 rows were put aside/, "poison by $strategy: said");
	$node->safe_psql('postgres', "UPDATE $table SET t = '5' WHERE v IS NULL AND id % 2 = 0");
	if ($strategy eq 'pages')
	{
		$node->safe_psql('postgres', "SELECT migrate.retry($id)");
		is(ends_as($node, $id, 'done'), 'done', "poison by $strategy: retried");
		is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE v IS NULL AND id % 2 = 0), count(*) FILTER (WHERE v IS NULL) - (SELECT count(*) FROM migrate.backfill_error WHERE job_id = $id) FROM $table"),
			'0|0', "poison by $strategy: retried, the mended rows are changed, the others put aside");
	}
	$node->safe_psql('postgres', "UPDATE $table SET v = NULL");
	$id = backfill($node, "'$table', 'v = t::int, w = t::int, r = t::int', 'v IS NULL', strategy => '$strategy', max_bad_rows => 3, batch_rows => 300");
	is(ends_as($node, $id, 'failed'), 'failed', "poison by $strategy: too many");
	like(shows($node, $id, qr/./), qr/^failed \d+ rows were put aside/, "poison by $strategy: too many, said");
	$id = backfill($node, "'$table', 'v = t::int', 'v IS NULL', name => 'intolerant $strategy', strategy => '$strategy'");
	is(ends_as($node, $id, 'failed'), 'failed', "poison by $strategy: none is tolerated by default");
}

# An old snapshot keeps old versions from being pruned: no packing, and said so.
make_table($node, 'packed', 20000);
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM gate');
$id = backfill($node, q('packed', $$a = 'a new value ' || id::text$$));
is(ends_as($node, $id, 'done'), 'done', 'old snapshot: done all the same');
like($node->safe_psql('postgres', "SELECT packing FROM migrate.progress WHERE id = $id"), qr/old transaction/, 'old snapshot: says why it does not pack');
is($node->safe_psql('postgres', q(SELECT count(*) FROM packed WHERE a IS DISTINCT FROM 'a new value ' || id::text)), '0', 'old snapshot: all rows');
$session->query_safe('COMMIT');

# A row that another session holds: nobody else has to wait for that.
foreach my $strategy ('pages', 'key')
{
	my $table = "held_$strategy";
	my $assign = $strategy eq 'pages' ? q($$a = 'x' || id::text$$) : q('n = n + 1');

	make_table($node, $table, 2000);
	$session->query_safe("BEGIN; UPDATE $table SET pad = 'mine' WHERE id = 900");
	$id = backfill($node, "'$table', $assign, strategy => '$strategy', batch_rows => 2000");
	like(shows($node, $id, qr/lock/), qr/^running .*lock/, "row lock by $strategy: the backfill has met it, and says so");
	my $longest = 0;
	foreach my $i (1 .. 10)
	{
		$start = time;
		$node->safe_psql('postgres', "UPDATE $table SET pad = 'theirs' WHERE id BETWEEN 850 AND 899");
		$longest = time - $start if time - $start > $longest;
	}
	cmp_ok($longest, '<', 1, "row lock by $strategy: others do not wait");
	isnt($node->safe_psql('postgres', "SELECT state FROM migrate.backfill_history WHERE id = $id"), 'done', "row lock by $strategy: not done without the row");
	$session->query_safe('COMMIT');
	is(ends_as($node, $id, 'done'), 'done', "row lock by $strategy: done when the row is free");
	is($node->safe_psql('postgres', $strategy eq 'key' ? "SELECT count(*) FROM $table WHERE n <> 1" : "SELECT count(*) FROM $table WHERE a IS DISTINCT FROM 'x' || id::text"), '0', "row lock by $strategy: all rows");
	is($node->safe_psql('postgres', "SELECT count(*), min(id), max(id) FROM $table WHERE pad = 'theirs'"), '50|850|899', "row lock by $strategy: no write is lost");
}

# So does a lock on the table.
make_table($node, 'locked', 2000);
$id = backfill($node, "'locked', 'n = n + 1', $slow");
ok(in_mid_run($node, $id), 'table lock: in mid-run');
$session->query_safe('BEGIN; LOCK TABLE locked');
like(shows($node, $id, qr/lock/), qr/^running .*lock/, 'table lock: it tries again, and says so');
$session->query_safe('COMMIT');
$session->quit;
hurry($node, $id);
is(ends_as($node, $id, 'done'), 'done', 'table lock: done then');
is(wrong_rows($node, 'locked'), '0', 'table lock: each row once');

# A dump brings the rows of a backfill that ran; it does not go on by itself
# where it was not submitted.
$node->safe_psql('postgres', 'CREATE DATABASE production; CREATE DATABASE staging');
$node->safe_psql('production', 'CREATE EXTENSION pgmigrate');
make_table($node, 't', 4000, 'production');
make_table($node, 'p', 4000, 'production');
my %of = (t => backfill($node, "'t', 'n = n + 1', $slow", 'production'), p => backfill($node, "'p', \$\$a = 'x' || id::text\$\$, $slow", 'production'));
ok(in_mid_run($node, $of{$_}, 'production'), "dump: $_ in mid-run") foreach sort keys %of;
$node->command_ok([ 'pg_dump', '--format=custom', '--file', "$dir/dump", $node->connstr('production') ], 'dump: pg_dump');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--dbname', $node->connstr('staging'), "$dir/dump" ], 'dump: pg_restore');
my $done = $node->safe_psql('staging', 'SELECT (SELECT sum(n) FROM t), (SELECT count(a) FROM p)');
is($node->safe_psql('staging', q(SELECT string_agg(DISTINCT state, ' '), sum(lanes) FROM migrate.progress)), 'suspended|0', 'dump: shown as suspended in the other database');
$node->restart;
ok(defined poll(sub { return (try_sql($node, q(SELECT string_agg(DISTINCT state, ' ') FROM migrate.backfill_history), 'staging') // '') eq 'suspended' }, 20), 'dump: suspended after a restart');
like(shows($node, $of{t}, qr/./, 'staging'), qr/^suspended it was submitted in another cluster or database/, 'dump: and says why');
is($node->safe_psql('staging', 'SELECT (SELECT sum(n) FROM t), (SELECT count(a) FROM p)'), $done, 'dump: no row was changed there');
ok(in_mid_run($node, $of{t}, 'production'), 'dump: goes on where it was submitted');
foreach my $database ('production', 'staging')
{
	foreach my $table (sort keys %of)
	{
		$node->safe_psql($database, "SELECT migrate.resume($of{$table})");
		hurry($node, $of{$table}, $database);
		is(ends_as($node, $of{$table}, 'done', $database), 'done', "dump: $table done in $database");
	}
	is(wrong_rows($node, 't', $database), '0', "dump: by key each row once in $database");
	is($node->safe_psql($database, q(SELECT count(*) FROM p WHERE a IS DISTINCT FROM 'x' || id::text)), '0', "dump: by pages all rows in $database");
}
nothing_left($node, $_) foreach 'production', 'staging';

# All of max_worker_processes in use: it waits, says so, and goes on when there
# is room, also where that is for one worker only.
foreach my $room (1, 2)
{
	my $full = new_node("full$room", conf => [ @conf, q(shared_preload_libraries = 'pgmigrate'), 'max_worker_processes = ' . (2 + $room), 'pgmigrate.backfill_max_workers = 4' ]);

	make_table($full, "t$_", 500) foreach 1 .. $room + 2;
	my @first = map { backfill($full, "'t$_', 'n = n + 1', hold_when => 'true'") } 1 .. $room;
	ok(defined poll(sub { my @pids = workers($full); return @pids == $room }, 10), "room for $room: in use");
	foreach my $i ($room + 1, $room + 2)
	{
		my ($status, $out, $err) = $full->psql('postgres', "SELECT migrate.backfill('t$i', 'n = n + 1')");

		like($err, qr/WARNING:  backfill \d+ waits, since no background worker can be started/, "room for $room: number $i is told at once");
		like(shows($full, $out, qr/worker/), qr/^(queued|stalled) .*worker/, "room for $room: number $i waits and says so");
	}
	$full->safe_psql('postgres', "SELECT migrate.alter_backfill($_, reset => '{hold_when}')") foreach @first;
	ok(defined poll(sub { return (try_sql($full, q(SELECT count(*) FROM migrate.backfill_history WHERE state = 'done')) // '') eq $room + 2 }, 75),
		"room for $room: all of them are done by themselves");
	is(wrong_rows($full, "t$_"), '0', "room for $room: each row of $_ once") foreach 1 .. $room + 2;
	nothing_left($full);
	$full->stop;
}

# What is not preloaded can be finished without a worker.
make_table($dynamic, 'finished', 2000);
$id = backfill($dynamic, "'finished', 'n = n + 1', $slow");
ok(in_mid_run($dynamic, $id), 'finish(): in mid-run');
$dynamic->safe_psql('postgres', "SELECT migrate.pause($id)");
time_to_end($dynamic);
$dynamic->safe_psql('postgres', "CALL migrate.finish($id)");
is(ends_as($dynamic, $id, 'done'), 'done', 'finish(): done');
is(wrong_rows($dynamic, 'finished'), '0', 'finish(): each row once');

nothing_left($dynamic);
foreach my $where ($node, $dynamic)
{
	my $log = slurp_file($where->logfile);

	unlike($log, qr/TRAP|PANIC|terminated by signal (?!9)/, $where->name . ': nothing crashed');
	unlike($log, qr/ERROR:  XX000|cache lookup failed/, $where->name . ': no internal error');
}

done_testing();
