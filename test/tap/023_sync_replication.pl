# Columns kept in step on a publisher, on its subscriber, and on both.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $publisher = new_node('publisher', init => { allows_streaming => 'logical' }, conf => [ 'fsync = off' ]);
my $subscriber = new_node('subscriber', init => { allows_streaming => 'logical' }, conf => [ 'fsync = off' ]);

# here: the subscriber alone has the new column; twin: both have, and what is
# written is published; what "down" loses must not come back in another form.
$_->safe_psql('postgres', q(
	CREATE TABLE here (id int PRIMARY KEY, a text, note text);
	CREATE TABLE twin (id int PRIMARY KEY, a text);
	CREATE TABLE parts (id int, k int, a text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
	CREATE TABLE part0 PARTITION OF parts FOR VALUES IN (0);
	CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);)) foreach $publisher, $subscriber;
$subscriber->safe_psql('postgres', q(
	SELECT migrate.expand_type('here', 'a', 'int');
	SELECT migrate.expand_type('parts', 'a', 'int');));
$publisher->safe_psql('postgres', q(
	INSERT INTO twin SELECT g, '00' || g FROM generate_series(1, 100) g;
	INSERT INTO here SELECT g, '00' || g FROM generate_series(1, 10) g;));
$_->safe_psql('postgres', 'ALTER TABLE twin ADD a_new int') foreach $publisher, $subscriber;
$_->safe_psql('postgres', q(SELECT migrate.sync_begin('twin', '{a}', 'a_new', 'a::int', 'a_new::text')))
  foreach $publisher, $subscriber;

$publisher->safe_psql('postgres', 'CREATE PUBLICATION tables FOR TABLE here, twin, parts WITH (publish_via_partition_root = true)');
my $connstr = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION to_it CONNECTION '$connstr' PUBLICATION tables");
$subscriber->wait_for_subscription_sync($publisher, 'to_it');

is($subscriber->safe_psql('postgres', q(SELECT count(*) FROM here WHERE a_new = id)), 10, 'the first copy makes the new side');

$publisher->safe_psql('postgres', q(
	SELECT migrate.backfill('twin', 'a_new = a::int', 'a_new IS NULL', name => 'fill');
	CALL migrate.wait('fill');
	UPDATE twin SET a_new = 1000 WHERE id = 1;
	UPDATE twin SET a = '02000' WHERE id = 2;
	UPDATE twin SET a_new = NULL WHERE id = 3;
	INSERT INTO twin (id, a_new) VALUES (101, 101);
	INSERT INTO twin (id, a) VALUES (102, '0102');
	INSERT INTO twin (id, a, a_new) VALUES (103, '0103', 103);
	UPDATE here SET a = '77' WHERE id = 7;
	UPDATE here SET note = 'x' WHERE id = 8;
	INSERT INTO here VALUES (11, '11');
	INSERT INTO parts VALUES (1, 0, '1'), (2, 1, '2'), (3, 0, '3');
	UPDATE parts SET a = '20' WHERE id = 2;
	UPDATE parts SET k = 1, a = '30' WHERE id = 3;));
$publisher->wait_for_catchup('to_it');

my $both = q(SELECT id, a, a_new FROM twin ORDER BY id);
my $rows = $publisher->safe_psql('postgres', $both);
like($rows, qr/^2\|02000\|2000\n/m, 'the publisher keeps both sides in step');
like($rows, qr/^50\|0050\|50\n/m, 'and fills without touching the old one');
is($subscriber->safe_psql('postgres', $both), $rows, 'rows with both sides arrive as they are');
is($subscriber->safe_psql('postgres', q(SELECT string_agg(concat_ws(':', id, a, a_new), ' ' ORDER BY id) FROM here WHERE id > 6)),
	'7:77:77 8:008:8 9:009:9 10:0010:10 11:11:11', 'the subscriber makes what does not come');
is($subscriber->safe_psql('postgres', q(SELECT string_agg(concat_ws(':', tableoid::regclass, id, a, a_new), ' ' ORDER BY id) FROM parts)),
	'part0:1:1:1 part1:2:20:20 part1:3:30:30', 'in partitions, too');
is($subscriber->safe_psql('postgres', "SELECT count(*) FROM migrate.verify_expansion('$_', 'a_new')"), 0, "no row of $_ differs")
  foreach qw(here twin parts);

$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION to_it');
$_->stop foreach $subscriber, $publisher;
done_testing();
