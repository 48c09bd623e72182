# Statements as people write them, one for each way to hold others up: run online
# beside sessions that read and write the tables all the time, each comes to the
# end that it comes to alone, and no statement of theirs fails.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use List::Util qw(shuffle);
use NaiveStatements;
use PgMigrateTest;

my $count = $ENV{PGMIGRATE_PLANS} // amount(999, 24);
my $seed = $ENV{PGMIGRATE_SEED} // time ^ $$;
my @plans = naive_plans($ENV{PGMIGRATE_CASES});
my $node = new_node('main', conf => [ q(shared_preload_libraries = 'pgmigrate'), 'log_statement = none', 'timezone = Europe/Berlin',
		'max_worker_processes = 16', 'pgmigrate.online_threshold = 0', 'pgmigrate.backfill_courtesy = 100',
		'pgmigrate.out_of_order = allow', 'pgmigrate.contract_quiet = 0' ]);

srand($seed);
@plans = (shuffle(@plans))[ 0 .. $count - 1 ] if $count < @plans;
diag("seed $seed, " . @plans . ' plans');
make_fixtures($node);

# Beside it.  What is written is what was there, so that the rows can be compared.
sub load_of
{
	my ($name, @scripts) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();

	append_to_file("$dir/$name$_.sql", $scripts[$_]) foreach 0 .. $#scripts;
	return [ map { ('-f', "$dir/$name$_.sql") } 0 .. $#scripts ];
}
my %load = (
	shop => load_of('shop',
		"\\set id random(1, 6000)\nSELECT first, last, team FROM users WHERE id = :id;\nUPDATE users SET hits = hits WHERE id = :id;\n",
		"\\set id random(1, 3000)\nSELECT count(*) FROM orders WHERE user_id = :id;\n" .
		"BEGIN;\nINSERT INTO orders (id, user_id, code) VALUES (:id + 10000 * (:client_id + 1), :id, 'new' || :client_id);\nDELETE FROM orders WHERE id = :id + 10000 * (:client_id + 1);\nEND;\n",
		"\\set id random(1, 2999)\nSELECT note FROM part WHERE id = :id;\nUPDATE part SET id = id WHERE id = :id;\nSELECT count(*) FROM whole WHERE id = :id;\nSELECT count(*) FROM items WHERE id = :id;\n"),
	types => load_of('types', "\\set id random(1, 300)\nSELECT d, k FROM t WHERE id = :id;\nUPDATE t SET d = d WHERE id = :id;\nSELECT count(*) FROM other WHERE t_id = :id;\n"));

# Each script of a plan is run when the one before has come to its end, with the
# backfills that it has left.  Returns how it ended.
sub run_online
{
	my ($plan) = @_;
	my @scripts = @{ $plan->{stages} // [ $plan->{script} ] };

	foreach my $number (1 .. @scripts)
	{
		my $ended;

		register($node, "m$number", $scripts[ $number - 1 ], 'online');
		$node->safe_psql('online', "SELECT migrate.apply('m$number', mode => 'online')");
		$ended = run_ends($node, "m$number", 'online', 60) // 'not at all';
		return $ended if $ended ne 'succeeded';
		poll(sub { try_sql($node, q(SELECT count(*) FROM migrate.backfill_history WHERE state IN ('queued', 'running')), 'online') eq '0' }, 60);
	}
	return 'succeeded';
}

# What differs in the end, and what is left; nothing if all is well.
sub wrong_with
{
	my ($plan, $ended) = @_;

	return "ended as $ended" if $ended ne 'succeeded';
	return (differs($node, 'naive', 'online', $plan->{anywhere}), no_remains($node, 'online'));
}

# Returns what is wrong, nothing if all is well.
sub run_beside
{
	my ($plan) = @_;
	my $those = q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'beside');
	my ($ended, $load, @wrong);

	foreach my $database ('naive', 'online')
	{
		$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $database WITH (FORCE)");
		$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE $plan->{fixture}");
		$node->safe_psql($database, $plan->{setup});
	}
	$node->psql('naive', naive_sql($plan), on_error_stop => 1, stderr => \my $naive);
	return "fails alone: $naive" if $naive =~ /ERROR/;
	return join "\n", grep { $_ ne '' } wrong_with($plan, run_online($plan)) if $plan->{quiet};
	$load = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-c', 3, '-R', 150, '-T', 600, @{ $load{ $plan->{fixture} } },
			$node->connstr('online') . ' application_name=beside' ],
		'<', \undef, '>', \my $out, '2>', \my $err);
	poll(sub { try_sql($node, $those) >= 3 });
	$ended = run_online($plan);
	$load->signal('TERM');
	eval { $load->finish };
	poll(sub { try_sql($node, $those) eq '0' });
	@wrong = ($err =~ /ERROR|FATAL/ ? "beside it: $err" : '', wrong_with($plan, $ended));
	return join "\n", grep { $_ ne '' } @wrong;
}

is(run_beside($_), '', $_->{name}) foreach @plans;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
