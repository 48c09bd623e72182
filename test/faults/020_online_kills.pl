# Online runs are killed once at every step, and go on by themselves: they come
# to the same end as the script run plainly, and leave nothing behind.
#
# Where a run is killed is decided inside of it.  Event triggers on every command
# and triggers on the tables that tell of runs ask which step it is in, and end
# the process the first time that they are fired at that place.  What has been
# is noted in files, which no rollback and no crash undoes.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use PgMigrateTest;

my $plans = $ENV{PGMIGRATE_PLANS} // 8;
my $kills = $ENV{PGMIGRATE_KILLS} // 60;
my $crashes = $ENV{PGMIGRATE_CRASHES} // 10;
my $seed = $ENV{PGMIGRATE_SEED} // time ^ $$;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('main', conf => [ q(shared_preload_libraries = 'pgmigrate'), 'restart_after_crash = on',
		'autovacuum = off', 'max_worker_processes = 48', 'pgmigrate.online_threshold = 0',
		'pgmigrate.backfill_courtesy = 100', 'pgmigrate.out_of_order = allow', 'log_statement = none' ]);

srand($seed);
diag("seed $seed, $plans plans, $kills % of the places with a worker, $crashes % with the server");

# Every plan begins with this.
$node->safe_psql('postgres', 'CREATE DATABASE fixture');
$node->safe_psql('fixture', q(
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
	ANALYZE;

	CREATE SCHEMA killer;
	CREATE TABLE killer.how (signal text, percent int, seed int);
	INSERT INTO killer.how VALUES ('', 0, 0);
	CREATE FUNCTION killer.come_by(moment text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
	DECLARE
		how killer.how;
		place text;
		file text;
	BEGIN
		SELECT * INTO how FROM killer.how;
		IF how.signal = '' OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = pg_backend_pid() AND backend_type = 'pgmigrate run') THEN
			RETURN;
		END IF;
		SELECT concat_ws(' ', phase, statement, step, kind, (SELECT state FROM migrate.run_step s WHERE s.run_id = p.id AND s.number = p.step), moment)
		INTO place FROM migrate.run_progress p ORDER BY id DESC LIMIT 1;
		IF abs(hashtext(concat(place, how.seed)) % 100) >= how.percent THEN
			RETURN;
		END IF;
		file := format('DIR/%s/%s', current_database(), translate(coalesce(place, moment), ' /', '__'));
		IF (pg_stat_file(file, true)).size IS NOT NULL THEN
			RETURN;
		END IF;
		EXECUTE format('COPY (SELECT 1) TO %L', file);
		RAISE LOG 'killed at %', file;
		IF how.signal = 'TERM' THEN
			PERFORM pg_terminate_backend(pg_backend_pid());
		ELSIF how.signal = 'KILL' THEN
			COPY (SELECT 1) TO PROGRAM 'kill -KILL $PPID';
		ELSE
			COPY (SELECT 1) TO PROGRAM 'kill -QUIT $(head -n 1 postmaster.pid)';
		END IF;
		PERFORM pg_sleep(60);
	END $$;
	CREATE FUNCTION killer.on_command() RETURNS event_trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM killer.come_by(TG_EVENT || ' ' || TG_TAG); END $$;
	CREATE EVENT TRIGGER killer_start ON ddl_command_start EXECUTE FUNCTION killer.on_command();
	CREATE EVENT TRIGGER killer_end ON ddl_command_end EXECUTE FUNCTION killer.on_command();
	CREATE FUNCTION killer.on_write() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM killer.come_by(TG_OP || ' ' || TG_RELNAME); RETURN NULL; END $$;
	CREATE TRIGGER killer AFTER INSERT OR UPDATE ON migrate.run_step FOR EACH STATEMENT EXECUTE FUNCTION killer.on_write();
	CREATE TRIGGER killer AFTER UPDATE ON migrate.online_run FOR EACH STATEMENT EXECUTE FUNCTION killer.on_write();
) =~ s/DIR/$dir/r);

# Plans: the script, and what ends it: nothing, or "rollback" or "cancel" when it
# has failed, as it has to then, with what the script comes to that is left.
my @plans = (
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
		ALTER TABLE orders ADD CONSTRAINT fails CHECK (id < 0)) },
	{ name => 'once', script => q(
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
	{ name => 'by_itself', alone => 1, script => q(
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
splice @plans, $plans if $plans < @plans;

foreach my $plan (@plans)
{
	my $naive = "naive_$plan->{name}";

	$node->safe_psql('postgres', "CREATE DATABASE $naive TEMPLATE fixture");
	$node->safe_psql($naive, $plan->{alone} ? $plan->{script} : 'BEGIN; ' . ($plan->{left} // $plan->{script}) . '; COMMIT');
	$node->safe_psql($naive, 'DROP SCHEMA killer CASCADE');
}

# Runs in their databases, all at once.
sub begin
{
	my ($signal, $percent) = @_;

	foreach my $plan (@plans)
	{
		my $database = $plan->{database} = lc "${signal}_$plan->{name}";

		mkdir "$dir/$database";
		chmod 0777, "$dir/$database";
		$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE fixture");
		register($node, 'm', "-- migrate:up mode:online\n$plan->{script}", $database);
		$plan->{ended} = '';
		$plan->{asked} = 0;
		$plan->{resumed} = 0;
		$node->safe_psql($database, "UPDATE killer.how SET signal = '$signal', percent = $percent, seed = $seed");
	}
	# each of them may be the end of the server
	look($_) foreach @plans;
	return;
}

sub is_up { return defined try_sql($node, 'SELECT 1') }

# Looks how the run of a plan stands; does what the plan says when it has failed,
# and has it go on where it is suspended, since that is another test.
sub look
{
	my ($plan) = @_;
	my $row = try_sql($node, q(SELECT outcome, state, reason FROM migrate.history h LEFT JOIN migrate.run_progress p ON p.id = h.id WHERE h.migration = 'm'), $plan->{database}) // return;

	if ($row eq '')
	{
		try_sql($node, q(SELECT migrate.apply('m')), $plan->{database});
		return;
	}
	my ($outcome, $state, $reason) = split /\|/, $row, 3;

	if ($outcome =~ /^(succeeded|cancelled)$/)
	{
		$plan->{ended} = $outcome;
	}
	elsif ($state eq 'suspended')
	{
		$plan->{resumed}++ if defined try_sql($node, q(SELECT migrate.resume('m')), $plan->{database});
	}
	elsif ($state eq 'failed')
	{
		$plan->{ended} = "failed: $reason" if !$plan->{how} || $plan->{asked} > 20;
		$plan->{asked}++;
		try_sql($node, "SELECT migrate.$plan->{how}('m')", $plan->{database}) if $plan->{how};
	}
	elsif ($state eq 'paused')
	{
		$plan->{ended} = "paused: $reason";
	}
	return;
}

# All of them to the end, the server started again where it is down.
sub follow
{
	my ($seconds) = @_;

	poll(sub {
		if (!is_up())
		{
			# on its way down, or on its way up
			return 0 if -e $node->data_dir . '/postmaster.pid';
			$node->{_pid} = undef;
			$node->start(fail_ok => 1);
			return 0;
		}
		look($_) foreach grep { $_->{ended} eq '' } @plans;
		usleep(300_000);
		return !grep { $_->{ended} eq '' } @plans;
	}, $seconds);
	poll(\&is_up);
	return;
}

sub check
{
	my ($what, $least) = @_;
	my $killed = 0;

	foreach my $plan (@plans)
	{
		my @places = slurp_dir("$dir/$plan->{database}");
		my $left;

		$killed += @places - 2;
		is($plan->{ended}, $plan->{how} ? 'cancelled' : 'succeeded', "$what, $plan->{name}: it ends as it should");
		is(no_remains($node, $plan->{database}), '', "$what, $plan->{name}: nothing is left behind");
		$node->safe_psql($plan->{database}, 'DROP SCHEMA killer CASCADE');
		is(differs($node, "naive_$plan->{name}", $plan->{database}), '', "$what, $plan->{name}: the same as plainly");
		is($node->safe_psql($plan->{database}, q(SELECT string_agg(state, ', ') FROM (SELECT DISTINCT state FROM migrate.history_step) s)),
			'done', "$what, $plan->{name}: all steps are done") if !$plan->{how};
		note("$what, $plan->{name}: $#places places, resumed $plan->{resumed} times: @places");
		$node->safe_psql('postgres', "DROP DATABASE $plan->{database} WITH (FORCE)");
	}
	cmp_ok($killed, '>=', $least, "$what: killed $killed times");
}

my $start = time;
begin('TERM', $kills);
follow(400);
check('worker killed', int 0.3 * $kills * @plans);
diag(sprintf 'workers killed, in %.0f s', time - $start);

foreach my $signal ('KILL', 'QUIT')
{
	next if $crashes == 0;
	$start = time;
	begin($signal, $crashes);
	follow(400);
	check($signal eq 'KILL' ? 'crashed' : 'server killed', 1);
	diag(sprintf '%s: in %.0f s', $signal, time - $start);
}
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
