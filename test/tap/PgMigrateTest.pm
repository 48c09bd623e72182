# What the tests of this directory share.

package PgMigrateTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(new_node register records start_sql finish_sql sqlstate_of
  make_traps loot backfill poll try_sql ends_as shows workers start_load
  stop_load nothing_left end_state differs compare_states run_row run_ends
  no_remains hold release amount);

# amount(FULL, SAMPLE)
# How much of something a long test does: all of it if PGMIGRATE_FULL is set.
sub amount
{
	my ($full, $sample) = @_;

	return $ENV{PGMIGRATE_FULL} ? $full : $sample;
}

# new_node(NAME, conf => [LINE...], init => {...})
# A running server with the extension in its database "postgres".
sub new_node
{
	my ($name, %args) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my %init = %{ $args{init} // {} };

	$node->init(%init,
		extra => [ '--encoding=UTF8', '--locale=C.UTF-8', @{ $init{extra} // [] } ]);
	# written by another process, at some time: for the tests that ask for it
	$node->append_conf('postgresql.conf', $_)
	  foreach 'pgmigrate.record_failures = off', @{ $args{conf} // [] };
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pgmigrate');
	return $node;
}

# register(NODE, NAME, SCRIPT [, DATABASE])
sub register
{
	my ($node, $name, $script, $database) = @_;

	return $node->safe_psql($database // 'postgres',
		"SELECT migrate.register('$name', \$pgm\$$script\$pgm\$)");
}

# records(NODE [, DATABASE])
# Everything the extension has stored, as text to compare.
sub records
{
	my ($node, $database) = @_;

	return $node->safe_psql(
		$database // 'postgres', q(
		SELECT m FROM migrate.migration m ORDER BY m.name;
		SELECT r FROM migrate.run r ORDER BY r.id;
		SELECT s FROM migrate.run_statement s ORDER BY s.run_id, s.part, s.number;
		SELECT s FROM migrate.status() WITH ORDINALITY s;));
}

# start_sql(NODE, SQL [, CONNSTR])
# A psql that runs beside the test; finish_sql() waits for it.
sub start_sql
{
	my ($node, $sql, $connstr) = @_;
	my %session = (out => '', err => '');
	my $file = PostgreSQL::Test::Utils::tempdir() . '/session.sql';

	append_to_file($file, $sql);

	$session{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-f', $file,
			'-d', $connstr // $node->connstr('postgres') ],
		'<', \undef, '>', \$session{out}, '2>', \$session{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%session;
}

# finish_sql(SESSION)
# Returns what it wrote to its output and its errors, in a list.
sub finish_sql
{
	my ($session) = @_;

	$session->{run}->finish;
	chomp @{$session}{qw(out err)};
	return @{$session}{qw(out err)};
}

# sqlstate_of(NODE, SQL [, USER])
# SQLSTATE of the error that SQL gives, or 00000.
sub sqlstate_of
{
	my ($node, $sql, $user) = @_;
	my ($status, $out, $err) = $node->psql(
		'postgres', "\\set VERBOSITY verbose\n$sql",
		$user ? (extra_params => [ '-U', $user ]) : ());

	return '00000' if $status == 0;
	my ($sqlstate) = $err =~ /(?:ERROR|FATAL):  ([0-9A-Z]{5}):/;
	return $sqlstate // $err;
}

# make_traps()
# SQL that an attacker of the name "eve" runs in a schema of the same name:
# code that notes whom it ran as, in a table and in the server log, which no
# rollback undoes.
sub make_traps
{
	return q(
	CREATE TABLE eve.loot (who name, session name, how text);
	GRANT INSERT ON eve.loot TO PUBLIC;
	CREATE FUNCTION eve.steal(how text) RETURNS boolean LANGUAGE plpgsql AS $f$
	BEGIN
		RAISE LOG 'loot: % % %', current_user, session_user, how;
		BEGIN
			INSERT INTO eve.loot VALUES (current_user, session_user, how);
		EXCEPTION WHEN OTHERS THEN NULL;
		END;
		RETURN true;
	END $f$;
	CREATE FUNCTION eve.steal_immutable(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $f$
	BEGIN PERFORM eve.steal('immutable'); RETURN a; END $f$;
	CREATE FUNCTION eve.steal_sum(a int, b int) RETURNS int LANGUAGE plpgsql AS $f$
	BEGIN PERFORM eve.steal('operator'); RETURN a; END $f$;
	CREATE FUNCTION eve.on_row() RETURNS trigger LANGUAGE plpgsql AS $f$
	BEGIN PERFORM eve.steal('trigger'); RETURN NULL; END $f$;
	CREATE PROCEDURE eve.run() LANGUAGE plpgsql AS $f$ BEGIN PERFORM eve.steal('call'); END $f$;
	CREATE TABLE eve.trapped (a int);
	CREATE TRIGGER now AFTER INSERT ON eve.trapped FOR EACH ROW EXECUTE FUNCTION eve.on_row();
	CREATE CONSTRAINT TRIGGER later AFTER INSERT ON eve.trapped DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION eve.on_row();
	CREATE TABLE eve.filled AS SELECT 1 AS a;
	CREATE TRIGGER now AFTER UPDATE ON eve.filled FOR EACH ROW EXECUTE FUNCTION eve.on_row(););
}

# loot(NODE)
# What the traps have caught so far: current user, session user, how.
sub loot
{
	my ($node) = @_;
	my @caught = slurp_file($node->logfile) =~ /LOG:  loot: (.*)/g;

	return (@caught, split /\n/, $node->safe_psql('postgres',
		q(SELECT concat_ws(' ', who, session, how) FROM eve.loot)));
}

# backfill(NODE, ARGUMENTS [, DATABASE])
# Submits a backfill and returns its number.
sub backfill
{
	my ($node, $arguments, $database) = @_;

	return $node->safe_psql($database // 'postgres', "SELECT migrate.backfill($arguments)");
}

# poll(CONDITION [, SECONDS])
# Calls CONDITION until it is true; returns how long that took, or nothing.
sub poll
{
	my ($condition, $seconds) = @_;
	my $start = time;

	until ($condition->())
	{
		return if time - $start > ($seconds // $PostgreSQL::Test::Utils::timeout_default);
		usleep(20_000);
	}
	return time - $start;
}

# try_sql(NODE, SQL [, DATABASE])
# What SQL prints, or undef if it fails, as it does while a server recovers.
sub try_sql
{
	my ($node, $sql, $database) = @_;

	# a psql that cannot connect may close its input before it is written
	my ($status, $out, $err) = eval { $node->psql($database // 'postgres', $sql) };
	return defined $status && $status == 0 ? $out : undef;
}

# ends_as(NODE, ID, STATE [, DATABASE [, SECONDS]])
# Waits until a backfill is in that state, or has ended in another one; returns
# its state, and if it is not the one expected, the reason.
sub ends_as
{
	my ($node, $id, $state, $database, $seconds) = @_;
	my ($is, $why) = ('', '');

	poll(sub {
		my $row = try_sql($node,
			"SELECT state, reason FROM migrate.backfill_history WHERE id = $id", $database) // return 0;

		($is, $why) = split /\|/, $row, 2;
		return $is eq $state || $is =~ /^(done|failed|cancelled|suspended)$/;
	}, $seconds);
	return $is eq $state ? $is : "$is: $why";
}

# shows(NODE, ID, PATTERN [, DATABASE])
# Waits until the state and the reason in migrate.progress, with a blank in
# between, match PATTERN; returns them.
sub shows
{
	my ($node, $id, $pattern, $database) = @_;
	my $shown;

	poll(sub {
		$shown = try_sql($node,
			"SELECT concat_ws(' ', state, reason) FROM migrate.progress WHERE id = $id", $database);
		return defined $shown && $shown =~ $pattern;
	}, 20);
	return $shown;
}

# workers(NODE)
# Process IDs of the workers that have a lane.
sub workers
{
	my ($node) = @_;

	return split /\n/, try_sql($node, q(SELECT DISTINCT pid FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 20771)) // '';
}

# start_load(NODE, CLIENTS, SCRIPT...)
# Clients of pgbench that run the scripts at random, a thousand a second at most,
# and come back after a crash of the server; stop_load() ends them.
sub start_load
{
	my ($node, $clients, @scripts) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my %load = (stop => "$dir/stop", out => '');
	my @files;

	foreach my $script (@scripts)
	{
		push @files, '-f', "$dir/script" . @files . '.sql';
		append_to_file($files[-1], $script);
	}
	$load{run} = IPC::Run::start(
		[ 'sh', '-c', 'stop=$1; shift; until [ -e "$stop" ]; do "$@" || sleep 0.05; done', 'sh',
			$load{stop}, $node->installed_command('pgbench'), '-n', '-c', $clients, '-R', 1000, '-T', 2,
			@files, $node->connstr('postgres') ],
		'<', \undef, '>', '/dev/null', '2>', '/dev/null');
	return \%load;
}

# stop_load(LOAD)
sub stop_load
{
	my ($load) = @_;

	append_to_file($load->{stop}, '');
	$load->{run}->finish;
	return;
}

# nothing_left(NODE [, DATABASE])
# Tests that no backfill left anything behind.
sub nothing_left
{
	my ($node, $database) = @_;
	my $row;

	poll(sub {
		$row = try_sql($node, q(SELECT
			(SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('pgmigrate backfill', 'pgmigrate starter')),
			(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' OR NOT granted),
			(SELECT count(*) FROM migrate.backfill_lane WHERE leaf IS NOT NULL),
			(SELECT count(*) FROM migrate.backfill_leaf WHERE NOT done)), $database);
		return defined $row && $row eq '0|0|0|0';
	}, 30);
	is($row, '0|0|0|0', 'nothing left behind: no worker, no lock, no open piece, no open table');
	return;
}

# end_state(NODE, DATABASE [, ANYWHERE])
# What a migration may have changed in a database, as text to compare: the schema,
# what a dump of it does not tell, and the rows of all tables.  With ANYWHERE the
# columns may have any order.
sub end_state
{
	my ($node, $database, $anywhere) = @_;
	my $row = $anywhere ? 'to_jsonb(t)::text' : 't::text';
	my ($dump, $err) = run_command(
		[ 'pg_dump', '--schema-only', '--exclude-schema=killer', '-d', $node->connstr($database) ]);

	$dump =~ s/^\\(un)?restrict .*\n//gm;
	$dump =~ s/^(CREATE TABLE .*\(\n)((?: {4}.*\n)+)/$1 . join '', sort map { s{,$}{}r . "\n" } split m{\n}, $2/gme if $anywhere;
	$dump =~ s/^(CREATE STATISTICS .* ON )(.*)( FROM )/$1 . join(', ', sort split m{, }, $2) . $3/gme if $anywhere;
	return $dump . $err . $node->safe_psql($database, q(
		SET search_path = pg_catalog;
		SELECT 'index', indexrelid::regclass, indisvalid, indisready, indislive FROM pg_index JOIN pg_class c ON c.oid = indexrelid
		WHERE indexrelid >= 16384 AND relnamespace NOT IN ('pg_toast'::regnamespace, 'migrate'::regnamespace) ORDER BY indexrelid::regclass::text;
		SELECT 'constraint', conrelid::regclass, conname, convalidated, coninhcount, conislocal, pg_get_constraintdef(oid) FROM pg_constraint
		WHERE oid >= 16384 AND connamespace <> 'migrate'::regnamespace ORDER BY conrelid::regclass::text, conname;
		SELECT 'populated', oid::regclass, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY oid::regclass::text;
		SELECT format('SELECT %L, count(*), md5(string_agg(ROW, ''; '' ORDER BY ROW)) FROM ONLY %s t', oid::regclass, oid::regclass)
		FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND relnamespace NOT IN ('migrate'::regnamespace, coalesce(to_regnamespace('killer'), 0))
		ORDER BY oid::regclass::text \gexec
		SELECT format('SELECT %L, count(*), md5(string_agg(ROW, ''; '' ORDER BY ROW)) FROM %s t', oid::regclass, oid::regclass)
		FROM pg_class WHERE relkind = 'm' AND relispopulated ORDER BY oid::regclass::text \gexec
	) =~ s/\bROW\b/$row/gr);
}

# differs(NODE, ONE, TWO [, ANYWHERE])
# The lines in which the states of two databases differ; nothing if they do not.
sub differs
{
	my ($node, $one, $two, $anywhere) = @_;

	return compare_states((map { ($_, end_state($node, $_, $anywhere)) } $one, $two), $anywhere);
}

# compare_states(NAME, STATE, NAME, STATE [, ANYWHERE])
# The same of two states that have been taken.
sub compare_states
{
	my ($one, $first, $two, $second, $anywhere) = @_;
	my @state = ($first, $second);
	my %one = map { $_ => 1 } split /\n/, $state[0];
	my %two = map { $_ => 1 } split /\n/, $state[1];

	# what is said of columns comes in their order
	@state = map { join "\n", sort split /\n/ } @state if $anywhere;
	return '' if $state[0] eq $state[1];
	return join "\n", 'the order differs, or:', (map { "$one: $_" } grep { !$two{$_} } sort keys %one),
	  map { "$two: $_" } grep { !$one{$_} } sort keys %two;
}

# run_row(NODE, NAME [, DATABASE])
# State, phase, step, its kind, process and reason of an online run that has not
# ended, in a list; nothing if it has.
sub run_row
{
	my ($node, $name, $database) = @_;
	my $row = try_sql($node, "SELECT state, phase, step, kind, pid, reason FROM migrate.run_progress WHERE migration = '$name'", $database);

	return defined $row && $row ne '' ? split(/\|/, $row, 6) : ();
}

# run_ends(NODE, NAME [, DATABASE [, SECONDS]])
# Waits until an online run has ended or cannot go on by itself; returns the
# outcome in the history, or state and reason.
sub run_ends
{
	my ($node, $name, $database, $seconds) = @_;
	my $ended;

	poll(sub {
		$ended = try_sql($node, "SELECT CASE WHEN outcome IN ('open', 'failed') THEN (SELECT concat_ws(': ', state, nullif(reason, ''))
				FROM migrate.run_progress p WHERE p.id = h.id) ELSE outcome END
			FROM migrate.history h WHERE h.migration = '$name' ORDER BY id DESC LIMIT 1", $database);
		return defined $ended && $ended !~ /^(queued|running|stalled|open|)(:|$)/;
	}, $seconds);
	return $ended;
}

# no_remains(NODE, DATABASE)
# What the runs of a database have left that should not be there; nothing if all
# is well.
sub no_remains
{
	my ($node, $database) = @_;
	my $left;

	poll(sub {
		$left = try_sql($node, q(
			SELECT 'invalid index ' || indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive);
			SELECT 'transient index ' || oid::regclass FROM pg_class WHERE relname ~ '_cc(new|old)[0-9]*$';
			SELECT 'pending detach ' || inhrelid::regclass FROM pg_inherits WHERE inhdetachpending;
			SELECT 'helper ' || attrelid::regclass || '.' || attname FROM pg_attribute WHERE attname ~ '_pgmigrate[0-9]*$' AND NOT attisdropped;
			SELECT 'helper ' || conname FROM pg_constraint WHERE conname ~ '_pgmigrate[0-9]*$';
			SELECT 'helper ' || oid::regclass FROM pg_class WHERE relname ~ '_pgmigrate[0-9]*$';
			SELECT 'columns in step ' || p FROM migrate.sync_pair p;
			SELECT 'trigger ' || tgname || ' of ' || tgrelid::regclass FROM pg_trigger WHERE tgname ~ 'pgmigrate';
			SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = current_database();
			SELECT 'open run ' || line FROM migrate.run_progress;
			SELECT 'open backfill ' || name || ': ' || state FROM migrate.backfill_history WHERE state NOT IN ('done', 'cancelled');
			SELECT 'open piece of ' || name FROM migrate.backfill_lane JOIN migrate.backfill_history b ON b.id = job_id WHERE leaf IS NOT NULL AND b.state = 'done';
			SELECT 'lock ' || mode || ' of ' || pid FROM pg_locks WHERE (locktype = 'advisory' OR NOT granted)
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
			SELECT 'worker ' || pid FROM pg_stat_activity WHERE backend_type LIKE 'pgmigrate%' AND datname = current_database();), $database);
		return defined $left && $left eq '';
	}, 10);
	return $left;
}

# hold(NODE, SQL [, DATABASE])
# A session that has run SQL and stays, in its transaction; release() ends it.
sub hold
{
	my ($node, $sql, $database) = @_;
	my %session = (in => "BEGIN;\n$sql;\n\\echo held\n", out => '');

	$session{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database // 'postgres') ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{out},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$session{run}->pump until $session{out} =~ /held|ERROR|FATAL/;
	return \%session;
}

# release(SESSION)
# Ends it; what it did is rolled back.  It may have ended with the server.
sub release
{
	my ($session) = @_;

	# a server that was started meanwhile may have its input open, too
	$session->{in} .= "\\q\n";
	eval { $session->{run}->finish };
	return;
}

1;
