# Online runs are killed once at every step, and go on by themselves: they come
# to the same end as the script run plainly, and leave nothing behind.  Cancelled
# at every step, they leave what was there before.
#
# Where a run is killed is decided inside of it.  Event triggers on every command
# and triggers on the tables that tell of runs ask which step it is in, the first
# time that they are fired at that place.  A worker ends itself then.  For the
# server it waits: a plan is run in each of several databases, and when all of
# them are at such a place the server is killed for all.  What has been is noted in
# files, which no rollback and no crash undoes.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use NaiveStatements;
use PgMigrateTest;

# How many plans, and in how many percent of their places: workers that are ended,
# servers of which a worker crashes, that are shut down at once, or killed, and
# runs that are cancelled.
my %kills = (
	worker => [ $ENV{PGMIGRATE_PLANS} // amount(999, 6), $ENV{PGMIGRATE_KILLS} // amount(100, 40) ],
	map { $_ => [ $ENV{PGMIGRATE_PLANS} // amount(999, 3), $ENV{PGMIGRATE_CRASHES} // amount(100, 50) ] } 'crash', 'shutdown', 'server', 'cancel');
my $only = $ENV{PGMIGRATE_CASES} // '';
my $ways = $ENV{PGMIGRATE_WAYS} // 'worker crash shutdown server cancel';
my $parallel = $ENV{PGMIGRATE_PARALLEL} // 8;
my $seed = $ENV{PGMIGRATE_SEED} // time ^ $$;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('main', conf => [ q(shared_preload_libraries = 'pgmigrate'), 'restart_after_crash = on', 'timezone = Europe/Berlin',
		'autovacuum = off', 'max_worker_processes = 48', 'pgmigrate.online_threshold = 0', 'pgmigrate.contract_quiet = 0',
		'pgmigrate.backfill_courtesy = 100', 'pgmigrate.backfill_max_workers = 16', 'pgmigrate.out_of_order = allow', 'log_statement = none' ]);

srand($seed);
chmod 0777, $dir;

# Plans about scripts of several statements have tables of their own.
make_fixtures($node);
$node->safe_psql('postgres', 'CREATE DATABASE several');
$node->safe_psql('several', q(
	CREATE EXTENSION pgmigrate;
	CREATE TABLE users (id int PRIMARY KEY, first_name text, last_name text, n int NOT NULL DEFAULT 0, email text);
	INSERT INTO users SELECT g, 'f' || g, 'l' || g, 0, 'e' || g FROM generate_series(1, 6000) g;
	CREATE INDEX users_last ON users (last_name);
	CREATE TABLE orders (id int, user_id int, code text);
	INSERT INTO orders SELECT g, g, 'c' || g FROM generate_series(1, 300) g;
	CREATE TABLE part (id int, at date) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (100);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (100) TO (200);
	INSERT INTO part SELECT g, date '2025-01-01' + g FROM generate_series(0, 199) g;
	CREATE MATERIALIZED VIEW sums AS SELECT user_id % 7 AS k, count(*) AS n FROM orders GROUP BY 1;
	CREATE UNIQUE INDEX sums_k ON sums (k);
	CREATE SCHEMA aside;
	CREATE TABLE aside.kept (id int);
	CREATE TABLE kept (id int);
	CREATE FUNCTION seven() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 7';
	ANALYZE;));

# "mode" says what to do at a place: end the process, wait to be ended, or to be
# cancelled.  But where the process ends itself a step is one place, from its
# first moment on.
my $killer = q(
	CREATE SCHEMA killer;
	CREATE TABLE killer.how (mode text, percent int, seed int);
	INSERT INTO killer.how VALUES ('', 0, 0);
	CREATE FUNCTION killer.come_by(moment text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
	DECLARE
		how killer.how;
		place text;
		file text;
	BEGIN
		SELECT * INTO how FROM killer.how;
		IF how.mode = '' OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = pg_backend_pid() AND backend_type IN ('pgmigrate run', 'pgmigrate backfill')) THEN
			RETURN;
		END IF;
		SELECT concat_ws(' ', migration, phase, statement, step, kind, (SELECT state FROM migrate.run_step s WHERE s.run_id = p.id AND s.number = p.step))
		INTO place FROM migrate.run_progress p ORDER BY id DESC LIMIT 1;
		IF how.mode = 'end' OR place IS NULL THEN
			place := concat_ws(' ', place, moment);
		ELSIF moment LIKE '% backfill_lane' THEN
			place := place || ' lane';
		END IF;
		IF how.mode = 'cancel' AND place NOT LIKE '% applying %' THEN
			RETURN;
		END IF;
		IF abs(hashtext(concat(place, how.seed)) % 100) >= how.percent THEN
			RETURN;
		END IF;
		file := format('DIR/%s/%s', current_database(), translate(place, ' /', '__'));
		IF (pg_stat_file(file, true)).size IS NOT NULL THEN
			RETURN;
		END IF;
		EXECUTE format('COPY (SELECT pg_backend_pid()) TO %L', file);
		RAISE LOG 'stopped at % %', file, moment;
		IF how.mode = 'end' THEN
			PERFORM pg_terminate_backend(pg_backend_pid());
		END IF;
		-- not what waits for this transaction itself
		FOR i IN 1 .. 3000 LOOP
			EXIT WHEN how.mode = 'cancel' AND EXISTS (SELECT FROM pg_locks l WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid)));
			EXIT WHEN how.mode = 'cancel' AND (pg_stat_file(file || '.go', true)).size IS NOT NULL;
			PERFORM pg_sleep(0.02);
		END LOOP;
	END $$;
	CREATE FUNCTION killer.on_command() RETURNS event_trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM killer.come_by(TG_EVENT || ' ' || TG_TAG); END $$;
	CREATE EVENT TRIGGER killer_start ON ddl_command_start EXECUTE FUNCTION killer.on_command();
	CREATE EVENT TRIGGER killer_end ON ddl_command_end EXECUTE FUNCTION killer.on_command();
	CREATE FUNCTION killer.on_write() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM killer.come_by(TG_OP || ' ' || TG_RELNAME); RETURN NULL; END $$;
	CREATE TRIGGER killer AFTER INSERT OR UPDATE ON migrate.run_step FOR EACH STATEMENT EXECUTE FUNCTION killer.on_write();
	CREATE TRIGGER killer AFTER UPDATE ON migrate.online_run FOR EACH STATEMENT EXECUTE FUNCTION killer.on_write();
	CREATE TRIGGER killer AFTER INSERT OR UPDATE ON migrate.backfill_lane FOR EACH STATEMENT EXECUTE FUNCTION killer.on_write();
	CHECKPOINT;) =~ s/DIR/$dir/r;
$node->safe_psql($_, $killer) foreach 'several', 'shop', 'types';

# Plans with "how" come to a failure, and are ended so; "left" is what they come to.
# Nothing undoes all of one that is "lasting".
my @plans = map { { fixture => 'several', setup => '', %$_ } } (
	{ name => 'fill', script => q(
		ALTER TABLE users ADD COLUMN full_name text;
		UPDATE users SET full_name = first_name || ' ' || last_name;
		ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;
		CREATE INDEX users_full_name_idx ON users (full_name);
		ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id)) },
	{ name => 'together', script => q(
		ALTER TABLE users ADD COLUMN v int NOT NULL DEFAULT seven() CHECK (v > 0), ADD CONSTRAINT named UNIQUE (email), ALTER email SET NOT NULL;
		ALTER TABLE orders ADD PRIMARY KEY (id), ADD UNIQUE (code, id), ADD CHECK (id > 0), ADD FOREIGN KEY (user_id) REFERENCES users) },
	{ name => 'indexes', script => q(
		CREATE INDEX ON part (at);
		CREATE UNIQUE INDEX ON users (email) WHERE n = 0;
		DROP INDEX users_last;
		REINDEX INDEX users_pkey;
		REINDEX TABLE users;
		REFRESH MATERIALIZED VIEW sums) },
	{ name => 'rolled_back', how => 'rollback', left => '', script => q(
		CREATE TABLE made (id int);
		ALTER TABLE users ADD COLUMN note text;
		CREATE INDEX users_note ON users (note);
		ALTER TABLE users ADD CONSTRAINT named CHECK (id > 0), ADD CONSTRAINT single UNIQUE (email), ADD COLUMN w int DEFAULT seven();
		CREATE VIEW shown AS SELECT id FROM users;
		CREATE SEQUENCE counted;
		DROP INDEX users_last;
		ALTER TABLE part DETACH PARTITION part_2 CONCURRENTLY;
		ALTER TABLE orders ADD CONSTRAINT fails CHECK (id < 0)) },
	{ name => 'once', lasting => 1, script => q(
		CREATE TABLE counted AS SELECT 1 AS n;
		INSERT INTO counted VALUES (2);
		UPDATE users SET n = n + 1;
		INSERT INTO counted SELECT sum(n) FROM users;
		SET LOCAL search_path = aside;
		INSERT INTO kept VALUES (3);
		ALTER TABLE kept ADD COLUMN here int;
		DELETE FROM public.users WHERE id % 6 > 0;
		CREATE VIEW shown AS SELECT * FROM kept;
		COMMENT ON VIEW shown IS 'it''s shown';
		GRANT SELECT ON shown TO PUBLIC;
		DO $$ BEGIN INSERT INTO public.counted VALUES (4); END $$) },
	{ name => 'by_itself', lasting => 1, alone => 1, script => q(
		CREATE INDEX CONCURRENTLY users_first ON users (first_name);
		ALTER TABLE part DETACH PARTITION part_2 CONCURRENTLY;
		REINDEX INDEX CONCURRENTLY users_first;
		REINDEX TABLE CONCURRENTLY part_1;
		DROP INDEX CONCURRENTLY users_last;
		VACUUM users;
		CREATE TABLE after AS SELECT 1 AS a) },
	{ name => 'cancelled', how => 'cancel', left => 'CREATE TABLE made (id int)', script => q(
		CREATE TABLE made (id int);
		ALTER TABLE users ADD CONSTRAINT fine CHECK (id > 0), ADD CONSTRAINT single UNIQUE (email), ADD CONSTRAINT fails CHECK (n > 0)) },
	{ name => 'partitions', script => q(
		CREATE TABLE part_3 (LIKE part);
		INSERT INTO part_3 VALUES (250, '2025-01-01');
		ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM (200) TO (300);
		CREATE TABLE part_4 PARTITION OF part DEFAULT;
		ALTER TABLE part ADD PRIMARY KEY (id);
		ALTER TABLE part DETACH PARTITION part_1;
		DROP TABLE part_1;
		ALTER TABLE part ALTER at SET NOT NULL) },
);
@plans = grep { $_->{name} =~ /(?:$only)/ } @plans;
# what a crash takes from a sequence is missing
push @plans, grep { !$_->{quiet} } naive_plans($only);

# naive_state(PLAN, [THEN])
# What its script comes to that is run plainly, and THEN another, or nothing and why it
# does not.
sub naive_state
{
	my ($plan, $then) = @_;
	my $error;

	return $plan->{naive_state} if defined $plan->{naive_state} && !defined $then;
	make_database('naive', $plan);
	$node->psql('naive', naive_sql({ naive => $plan->{left}, %$plan }), on_error_stop => 1, stderr => \$error);
	die "$plan->{name} fails alone: $error" if $error =~ /ERROR/;
	$plan->{naive_state} = end_state($node, 'naive', $plan->{anywhere});
	return $plan->{naive_state} if !defined $then;
	$node->safe_psql('naive', $then);
	return end_state($node, 'naive', $plan->{anywhere});
}

# A database made anew, as a plan begins.
sub make_database
{
	my ($database, $plan) = @_;

	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $database WITH (FORCE)");
	# a process may have come by after a crash
	poll(sub { defined try_sql($node, "CREATE DATABASE $database TEMPLATE $plan->{fixture}") }, 20);
	$node->safe_psql($database, $plan->{setup});
	return;
}

# begin(PLAN, NUMBER, MODE, PERCENT)
# Its run in a database of its own.
sub begin
{
	my ($plan, $number, $mode, $percent) = @_;
	my @scripts = @{ $plan->{stages} // [ $plan->{script} ] };

	%$plan = (%$plan, database => "plan_$number", ended => '', asked => 0, resumed => 0, stage => 1, stages_total => scalar @scripts, seen => {}, wrong => []);
	mkdir "$dir/$plan->{database}";
	chmod 0777, "$dir/$plan->{database}";
	unlink glob "$dir/$plan->{database}/*";
	prepare($plan);
	$plan->{before} = end_state($node, $plan->{database}, $plan->{anywhere}) if $mode eq 'cancel';
	$plan->{how_sql} = "UPDATE killer.how SET mode = '$mode', percent = $percent, seed = $seed";
	$node->safe_psql($plan->{database}, $plan->{how_sql});
	return;
}

# The database of a plan, with its scripts.
sub prepare
{
	my ($plan) = @_;
	my @scripts = @{ $plan->{stages} // [ $plan->{script} ] };

	make_database($plan->{database}, $plan);
	register($node, "m$_", "-- migrate:up mode:online\n$scripts[$_ - 1]", $plan->{database}) foreach 1 .. @scripts;
	return;
}

sub is_up { return defined try_sql($node, 'SELECT 1') }

# Looks how the run of a plan stands; does what the plan says when it has failed,
# and has it go on where it is suspended, since that is another test.
sub look
{
	my ($plan) = @_;
	my $name = "m$plan->{stage}";
	my $row = try_sql($node, qq(SELECT h.outcome, p.state, (SELECT min(state) FROM migrate.backfill_history WHERE state NOT IN ('done', 'cancelled')), p.reason
		FROM (VALUES (1)) v (one) LEFT JOIN LATERAL (SELECT * FROM migrate.history WHERE migration = '$name' ORDER BY id DESC LIMIT 1) h ON true
			LEFT JOIN migrate.run_progress p ON p.id = h.id), $plan->{database}) // return;
	my ($outcome, $state, $fill, $reason) = split /\|/, $row, 4;

	$plan->{looks} = $row;
	try_sql($node, q(SELECT migrate.resume(name) FROM migrate.backfill_history WHERE state = 'suspended'), $plan->{database}) if $fill eq 'suspended';
	if ($outcome eq '')
	{
		try_sql($node, "SELECT migrate.apply('$name')", $plan->{database});
	}
	elsif ($outcome eq 'succeeded' && $plan->{stage} < $plan->{stages_total})
	{
		$plan->{stage}++ if $fill eq '';
	}
	elsif ($outcome =~ /^(succeeded|cancelled)$/)
	{
		$plan->{ended} = $outcome;
	}
	elsif ($state eq 'suspended')
	{
		$plan->{resumed}++ if defined try_sql($node, "SELECT migrate.resume('$name')", $plan->{database});
	}
	elsif ($state eq 'failed')
	{
		$plan->{ended} = "failed: $reason" if !$plan->{how} || $plan->{asked} > 20;
		$plan->{asked}++;
		try_sql($node, "SELECT migrate.$plan->{how}('$name')", $plan->{database}) if $plan->{how};
	}
	elsif ($state eq 'paused')
	{
		$plan->{ended} = "paused: $reason";
	}
	return;
}

# The places that a plan has come to and where it waits.
sub waiting_at
{
	my ($plan) = @_;

	return grep { !/^\.|\.go$/ && !$plan->{seen}{$_} } slurp_dir("$dir/$plan->{database}");
}

# What befalls the server, with all that run in it.
my %crash = (
	crash => sub {
		my ($plan) = @_;
		my $pid = slurp_file("$dir/$plan->{database}/" . (waiting_at($plan))[0]);

		# not written yet
		kill 'KILL', $pid if $pid =~ /^\d+$/;
		poll(sub { !kill 0, $pid }, 20) if $pid =~ /^\d+$/;
	},
	shutdown => sub { $node->stop('immediate') },
	server => sub { my $pid = $node->{_pid}; $node->kill9; poll(sub { !kill 0, $pid }, 20) },
);

# Its processes may have it in use still.
sub start_again
{
	$node->{_pid} = undef;
	return $node->start(fail_ok => 1);
}

# All of them to the end; the server is killed when all that run wait for it, or
# some do and the others do not come to a place any more.
sub follow
{
	my ($way, @running) = @_;
	my $crashes = 0;
	my $looked = 0;
	my $latest = time;
	my $waiting = 0;

	poll(sub {
		my @open = grep { $_->{ended} eq '' } @running;
		my @at = $crash{$way} ? grep { waiting_at($_) > 0 } @open : ();

		return 1 if @open == 0;
		$latest = time if @at != $waiting;
		$waiting = @at;
		if (@at == @open || (@at > 0 && time - $latest > 0.7))
		{
			my @places = map { my $plan = $_; map { [ $plan, $_ ] } waiting_at($plan) } @at;

			$crash{$way}->($at[0]);
			$crashes++;
			$_->[0]{seen}{ $_->[1] } = 1 foreach @places;
			poll(sub { is_up() || ($way ne 'crash' && start_again() && is_up()) }, 60);
			$latest = time;
			return 0;
		}
		if (time - $looked > 0.3)
		{
			look($_) foreach grep { !$crash{$way} || waiting_at($_) == 0 } @open;
			$looked = time;
		}
		usleep(30_000);
		return 0;
	}, 240);
	return $crashes;
}

# What is wrong with a plan that should have come to its end.  A crash may have
# emptied what is unlogged, or it may have come before.
sub check
{
	my ($plan, $way) = @_;
	my @wrong = @{ $plan->{wrong} };
	my $end = $plan->{how} ? 'cancelled' : 'succeeded';
	my $then = $crash{$way} && $plan->{emptied} ? "TRUNCATE $plan->{emptied}" : undef;

	push @wrong, "ended as $plan->{ended} ($plan->{looks})" if $plan->{ended} ne $end;
	$node->safe_psql($plan->{database}, $then) if defined $then && $plan->{ended} eq $end;
	push @wrong, no_remains($node, $plan->{database}),
	  compare_states('naive', naive_state($plan, $then), 'killed', end_state($node, $plan->{database}, $plan->{anywhere}), $plan->{anywhere}) if $plan->{ended} eq $end;
	push @wrong, 'steps are not done' if !$plan->{how} && $plan->{ended} eq $end &&
	  $node->safe_psql($plan->{database}, q(SELECT count(*) FROM migrate.history_step s JOIN migrate.history h ON h.id = s.run_id WHERE outcome = 'succeeded' AND state <> 'done')) ne '0';
	return join "\n", grep { $_ ne '' } @wrong;
}

# A run is cancelled, or undone if it has several statements, at a place; looks at
# what is left, and begins anew.  One that cannot be undone goes on.
sub cancel_at
{
	my ($plan, $place) = @_;
	my $call = $plan->{script} =~ /;\s*\S/ ? 'rollback' : 'cancel';
	my ($ended, $state);

	$plan->{seen}{$_} = 1 foreach waiting_at($plan);
	my ($status, $out, $err) = $node->psql($plan->{database}, "SET statement_timeout = '20s'; SELECT migrate.$call('m1')");
	if ($status != 0)
	{
		push @{ $plan->{wrong} }, "$place: $call fails: $err" if $err !~ /cannot undo the run|has no run that goes on|is not applied/;
		append_to_file("$dir/$plan->{database}/$place.go", '');
		return;
	}
	$ended = run_ends($node, 'm1', $plan->{database}, 30) // 'not at all';
	# it was at its end already
	return if $ended eq 'succeeded';
	if ($ended =~ /^failed: nothing undoes step/)
	{
		# a command that commits by itself had come to its end, which the run says
		prepare($plan);
		$node->safe_psql($plan->{database}, $plan->{how_sql});
		return;
	}
	push @{ $plan->{wrong} }, "$place: it ends as $ended" if $ended ne 'cancelled';
	push @{ $plan->{wrong} }, map { "$place: $_" } grep { $_ ne '' } no_remains($node, $plan->{database});
	$state = end_state($node, $plan->{database}, $plan->{anywhere});
	return if $state eq $plan->{before};

	# what a step has dropped, or rows that a backfill has changed, stay so
	if ($state ne naive_state($plan) && $plan->{script} !~ /^(UPDATE|DELETE)/)
	{
		push @{ $plan->{wrong} }, "$place: " . compare_states('before', $plan->{before}, 'cancelled', $state, $plan->{anywhere});
	}
	prepare($plan);
	$node->safe_psql($plan->{database}, $plan->{how_sql});
	return;
}

# Each place in turn, to the end.
sub follow_cancelled
{
	my (@running) = @_;
	my $cancelled = 0;

	poll(sub {
		my @open = grep { $_->{ended} eq '' } @running;

		foreach my $plan (@open)
		{
			my ($place) = waiting_at($plan);

			if (defined $place)
			{
				cancel_at($plan, $place);
				$cancelled++;
				next;
			}
			look($plan);
			next if $plan->{ended} ne 'cancelled';
			$plan->{ended} = '';
			try_sql($node, q(SELECT migrate.apply('m1')), $plan->{database});
		}
		usleep(30_000);
		return @open == 0;
	}, 400);
	return $cancelled;
}

foreach my $way (split ' ', $ways)
{
	my ($count, $percent) = @{ $kills{$way} };
	my $start = time;
	my $stops = 0;
	# what ends in a failure, or is several migrations, or changes for good, is not undone
	my @chosen = $way eq 'cancel' ? grep { !$_->{how} && !$_->{stages} && !$_->{lasting} } @plans : @plans;

	@chosen = (shuffle(@chosen))[ 0 .. $count - 1 ] if $count < @chosen;
	my $total = @chosen;
	diag("seed $seed, $way: $total plans, $percent % of their places") if $total > 0 && $percent > 0;
	while ($percent > 0 && @chosen)
	{
		my @running = splice @chosen, 0, $parallel;

		naive_state($_) foreach @running;
		begin($running[$_], $_, $way eq 'worker' ? 'end' : $way eq 'cancel' ? 'cancel' : 'wait', $percent) foreach 0 .. $#running;
		$stops += $way eq 'cancel' ? follow_cancelled(@running) : follow($way, @running);
		foreach my $plan (@running)
		{
			my @places = grep { !/^\.|\.go$/ } slurp_dir("$dir/$plan->{database}");

			is(check($plan, $way), '', "$way: $plan->{name}");
			$plan->{places} = @places;
			$stops += @places if $way eq 'worker';
			note("$way, $plan->{name}: " . @places . " places, resumed $plan->{resumed} times: @places");
		}
	}
	diag(sprintf '%s: stopped %d times, in %.0f s', $way, $stops, time - $start);
	# a few plans may have no place that was chosen
	ok($stops > 0, "$way: stopped at all") if $total * $percent >= 200;
}
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
