# Statements as people write them, one for each way to hold others up: run online
# beside sessions that read and write the tables all the time, each comes to the
# end that it comes to alone, and no statement of theirs fails.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use PgMigrateTest;

my $only = $ENV{PGMIGRATE_CASES} // '';
my $node = new_node('main', conf => [ q(shared_preload_libraries = 'pgmigrate'), 'log_statement = none',
		'max_worker_processes = 16', 'pgmigrate.online_threshold = 0', 'pgmigrate.backfill_courtesy = 100' ]);

# Every case begins with this.
$node->safe_psql('postgres', 'CREATE DATABASE fixture');
$node->safe_psql('fixture', q(
	CREATE EXTENSION pgmigrate;
	CREATE FUNCTION seven() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 7';
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE TYPE mood AS ENUM ('sad', 'ok');
	CREATE TABLE users (id int PRIMARY KEY, first text, last text, email varchar(50), age text, team int NOT NULL DEFAULT 1,
		hits int NOT NULL DEFAULT 0, points numeric(8,2), code char(5), at timestamp, tags int[], body json, feeling mood, p positive, filled text NOT NULL DEFAULT '');
	INSERT INTO users SELECT g, 'f' || g, 'l' || g % 7, 'e' || g, (g % 90)::text, g % 5, 0, g, 'c' || g % 9, timestamp '2025-01-01' + g * interval '1 minute',
		ARRAY[g], '{}', 'ok', g, 'x' FROM generate_series(1, 6000) g;
	CREATE INDEX users_last ON users (last);
	CREATE INDEX users_age ON users (age) INCLUDE (id);
	CREATE STATISTICS users_stat ON first, last FROM users;
	COMMENT ON COLUMN users.age IS 'how old';
	ALTER TABLE users ALTER age SET STATISTICS 77, ALTER body SET STORAGE EXTERNAL;
	CREATE ROLE reader; GRANT SELECT (age, email) ON users TO reader; GRANT SELECT ON users TO reader;
	CREATE TABLE orders (id int NOT NULL, user_id int, code text NOT NULL, total numeric DEFAULT 1, note text, period int4range);
	INSERT INTO orders SELECT g, g, 'c' || g, g * 1.5, 'n', int4range(g, g + 1) FROM generate_series(1, 3000) g;
	CREATE TABLE items (id int PRIMARY KEY, user_id int CONSTRAINT items_user REFERENCES users, CONSTRAINT later CHECK (id > 0) NOT VALID);
	INSERT INTO items SELECT g, g FROM generate_series(1, 3000) g;
	CREATE TABLE part (id int NOT NULL, at date, note text) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (3000);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (3000) TO (6000);
	CREATE INDEX part_note ON part (note);
	CREATE TABLE part_3 (LIKE part);
	INSERT INTO part SELECT g, date '2025-01-01' + g % 365, 'n' || g FROM generate_series(0, 5999) g;
	INSERT INTO part_3 SELECT g, date '2025-01-01', 'x' FROM generate_series(6000, 6999) g;
	CREATE TABLE rest PARTITION OF part DEFAULT;
	CREATE TABLE whole (id int, s text);
	INSERT INTO whole SELECT g, 's' FROM generate_series(1, 2000) g;
	CREATE VIEW seen AS SELECT id, s FROM whole;
	CREATE FUNCTION on_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER there BEFORE INSERT ON whole FOR EACH ROW EXECUTE FUNCTION on_row();
	CREATE MATERIALIZED VIEW sums AS SELECT team, count(*) AS n FROM users GROUP BY team;
	CREATE MATERIALIZED VIEW keyed AS SELECT team, count(*) AS n FROM users GROUP BY team;
	CREATE UNIQUE INDEX ON keyed (team);
	CREATE SEQUENCE counter;
	ANALYZE;));

# Beside it.  What is written is what was there, so that the rows can be compared.
my @load = map { my $file = PostgreSQL::Test::Utils::tempdir() . "/load$_->[0].sql"; append_to_file($file, $_->[1]); ('-f', $file) } (
	[ 1, "\\set id random(1, 6000)\nSELECT first, last, team FROM users WHERE id = :id;\nUPDATE users SET hits = hits WHERE id = :id;\n" ],
	[ 2, "\\set id random(1, 3000)\nSELECT count(*) FROM orders WHERE user_id = :id;\n" .
		"BEGIN;\nINSERT INTO orders (id, user_id, code) VALUES (:id + 10000 * (:client_id + 1), :id, 'new' || :client_id);\nDELETE FROM orders WHERE id = :id + 10000 * (:client_id + 1);\nEND;\n" ],
	[ 3, "\\set id random(1, 2999)\nSELECT note FROM part WHERE id = :id;\nUPDATE part SET id = id WHERE id = :id;\nSELECT count(*) FROM whole WHERE id = :id;\nSELECT count(*) FROM items WHERE id = :id;\n" ]);

# Scripts, by what holds others up.  Where "alone" is set the script cannot run in
# a transaction block.
my @same = (
	# an index is built
	'CREATE INDEX ON users (email)', 'CREATE UNIQUE INDEX users_code ON orders (code) INCLUDE (total) WHERE id < 9999',
	'CREATE INDEX ON users USING gin (tags)', 'CREATE INDEX ON users (lower(email), (id + 1))',
	'CREATE INDEX IF NOT EXISTS users_last ON users (first)', 'CREATE INDEX part_at ON part (at)', 'CREATE UNIQUE INDEX ON part (id)',
	'CREATE INDEX ON sums (n)', 'DROP INDEX users_last', 'DROP INDEX part_note', 'REINDEX INDEX users_last', 'REINDEX TABLE users',
	{ alone => 'CREATE INDEX CONCURRENTLY users_first ON users (first)' }, { alone => 'REINDEX TABLE CONCURRENTLY orders' },
	{ alone => 'REINDEX TABLE part' }, { alone => 'DROP INDEX CONCURRENTLY users_last' },
	'ALTER INDEX users_last RENAME TO users_last_idx', 'ALTER INDEX users_last SET (fillfactor = 70)',
	# rows are looked at
	'ALTER TABLE orders ADD CHECK (total > 0)', 'ALTER TABLE orders ADD CONSTRAINT named CHECK (total > 0), ADD CHECK (id > 0), ADD COLUMN extra int DEFAULT 5',
	'ALTER TABLE items VALIDATE CONSTRAINT later', 'ALTER TABLE users ALTER email SET NOT NULL', 'ALTER TABLE users ALTER email SET NOT NULL, ALTER first SET NOT NULL, ALTER last SET DEFAULT 1',
	'ALTER TABLE part ALTER at SET NOT NULL', 'ALTER TABLE part ADD CHECK (id >= 0)',
	'ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id)',
	'ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED',
	'ALTER TABLE orders ADD COLUMN boss int REFERENCES users', 'ALTER TABLE items DROP CONSTRAINT items_user',
	'CREATE TABLE fresh (id int PRIMARY KEY, user_id int REFERENCES users, note text)',
	'ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 99999)', 'ALTER DOMAIN positive ADD CHECK (VALUE < 99999) NOT VALID; ALTER DOMAIN positive VALIDATE CONSTRAINT positive_check1',
	# keys
	'ALTER TABLE orders ADD PRIMARY KEY (id)', 'ALTER TABLE orders ADD UNIQUE (code)', 'ALTER TABLE orders ADD CONSTRAINT k UNIQUE (code, id) DEFERRABLE',
	'CREATE UNIQUE INDEX k ON orders (id); ALTER TABLE orders ADD PRIMARY KEY USING INDEX k', 'ALTER TABLE part ADD PRIMARY KEY (id)',
	'ALTER TABLE orders ADD EXCLUDE USING gist (period WITH &&) WHERE (id < 10000)', 'ALTER TABLE items DROP CONSTRAINT items_pkey',
	# a table is written anew
	'ALTER TABLE users ADD COLUMN v int DEFAULT seven()', 'ALTER TABLE users ADD COLUMN v int NOT NULL DEFAULT seven() CHECK (v > 0)',
	'ALTER TABLE users ADD COLUMN v int DEFAULT 3 NOT NULL, ADD COLUMN w text', 'ALTER TABLE users ADD COLUMN g int GENERATED ALWAYS AS (id * 2) STORED',
	'ALTER TABLE users ADD COLUMN pos positive DEFAULT 4', 'ALTER TABLE whole ADD COLUMN n int GENERATED ALWAYS AS IDENTITY',
	'ALTER TABLE users ALTER age TYPE int USING age::int', 'ALTER TABLE users ALTER points TYPE float8', 'ALTER TABLE users ALTER email TYPE text', 'ALTER TABLE users ALTER email TYPE varchar(30)',
	'ALTER TABLE users ALTER email TYPE varchar(100), ALTER first TYPE varchar(80)', 'ALTER TABLE users ALTER points TYPE numeric(12,4)', 'ALTER TABLE users ALTER points TYPE numeric(10,2)', 'ALTER TABLE users ALTER code TYPE char(10)', q(ALTER TABLE users ALTER at TYPE timestamptz USING at AT TIME ZONE 'UTC'),
	'ALTER TABLE users ALTER body TYPE jsonb', 'ALTER TABLE users ALTER feeling TYPE text', 'ALTER TABLE users ALTER last TYPE text COLLATE "C"', 'ALTER TABLE users ALTER id TYPE bigint', 'ALTER TABLE items ALTER user_id TYPE bigint USING user_id * 1', 'ALTER TABLE orders ALTER id TYPE bigint USING id * 2', 'DROP VIEW seen; ALTER TABLE whole ALTER id TYPE bigint', 'ALTER TABLE part ALTER note TYPE varchar(20)',
	'ALTER TABLE whole SET UNLOGGED', 'ALTER TABLE whole SET UNLOGGED; ALTER TABLE whole SET LOGGED', 'ALTER TABLE whole SET TABLESPACE pg_default', 'ALTER TABLE whole SET ACCESS METHOD heap',
	'CLUSTER users USING users_last', { alone => 'VACUUM FULL whole' }, 'REFRESH MATERIALIZED VIEW sums', 'DELETE FROM users WHERE id > 5990 AND id NOT IN (SELECT user_id FROM items); REFRESH MATERIALIZED VIEW keyed', 'CREATE MATERIALIZED VIEW late AS SELECT team, max(id) FROM users GROUP BY 1', 'CREATE TABLE copied AS SELECT * FROM whole',
	# many rows
	q(UPDATE users SET filled = first || ' ' || last), q(UPDATE users SET points = points + 1, tags = '{}'), q(UPDATE orders SET note = upper(note) WHERE id < 2000), 'DELETE FROM part WHERE id >= 3000', 'UPDATE part SET note = upper(note)', 'UPDATE users SET team = o.id FROM orders o WHERE o.user_id = users.id', q(INSERT INTO whole SELECT id + 2000, 'more' FROM whole), 'TRUNCATE whole',
	# partitions
	'ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES FROM (6000) TO (7000)', 'ALTER TABLE part DETACH PARTITION part_2', { alone => 'DROP TABLE rest; ALTER TABLE part DETACH PARTITION part_2 CONCURRENTLY' }, 'CREATE TABLE part_9 PARTITION OF part FOR VALUES FROM (9000) TO (9999)', 'DROP TABLE part_2',
	# no time, but a strong lock
	'ALTER TABLE users ADD COLUMN plain text', 'ALTER TABLE users DROP COLUMN points', 'ALTER TABLE users ALTER team DROP NOT NULL', q(ALTER TABLE users ALTER first SET DEFAULT 'x'), 'ALTER TABLE users ALTER team DROP DEFAULT', 'ALTER TABLE whole RENAME COLUMN s TO t', 'ALTER TABLE part_3 RENAME TO part_4', 'ALTER TABLE part_3 SET SCHEMA pg_catalog; ALTER TABLE pg_catalog.part_3 SET SCHEMA public',
	'ALTER TABLE users SET (fillfactor = 80, autovacuum_enabled = off)', 'ALTER TABLE users ALTER first SET STATISTICS 500, ALTER first SET STORAGE EXTERNAL, ALTER first SET (n_distinct = 5)', 'ALTER TABLE users REPLICA IDENTITY FULL', 'ALTER TABLE users CLUSTER ON users_last', 'ALTER TABLE part_3 OWNER TO reader', 'ALTER TABLE whole ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON orders USING (id > 0)',
	'CREATE TRIGGER fresh AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION on_row()', 'DROP TRIGGER there ON whole', 'ALTER TABLE whole DISABLE TRIGGER there', 'CREATE OR REPLACE VIEW seen AS SELECT id, s, 1 AS one FROM whole', 'CREATE RULE r AS ON INSERT TO whole WHERE NEW.id < 0 DO INSTEAD NOTHING', 'CREATE STATISTICS st ON email, team FROM users', 'ALTER SEQUENCE counter RESTART 5', q(ALTER TYPE mood ADD VALUE 'happy'), 'CREATE PUBLICATION pub FOR TABLE users', 'COMMENT ON TABLE users IS \'people\'; GRANT UPDATE (first) ON users TO reader', 'DROP VIEW seen', 'DROP TABLE part_3 CASCADE',
	'DO $$ BEGIN ALTER TABLE users ADD COLUMN by_do int DEFAULT seven(); END $$',
	q(ALTER TABLE users ADD COLUMN full_name text; UPDATE users SET full_name = first || ' ' || last; ALTER TABLE users ALTER full_name SET NOT NULL; CREATE INDEX ON users (full_name); ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id)),
);

sub run_beside
{
	my ($script) = @_;
	my $alone = ref $script ? $script->{alone} : undef;
	my ($ended, $difference, %load);

	$script = $alone // $script;
	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $_ WITH (FORCE)"), $node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE fixture")
	  foreach 'naive', 'online';
	$node->psql('naive', defined $alone ? $script =~ s/;/\n;\n/gr : "BEGIN;\n$script;\nCOMMIT", on_error_stop => 1, stderr => \my $naive);
	return "fails alone: $naive" if $naive =~ /ERROR/;
	register($node, 'm', $script, 'online');
	$load{run} = IPC::Run::start(
		[ $node->installed_command('pgbench'), '-n', '-c', 3, '-R', 150, '-T', 600, @load, $node->connstr('online') . ' application_name=beside' ],
		'<', \undef, '>', \my $out, '2>', \my $err);
	poll(sub { try_sql($node, q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'beside' AND datname = 'online'), 'online') >= 3 });
	$node->safe_psql('online', q(SELECT migrate.apply('m', mode => 'online')));
	$ended = run_ends($node, 'm', 'online', 60) // 'not at all';
	$load{run}->signal('TERM');
	eval { $load{run}->finish };
	poll(sub { try_sql($node, q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'beside'), 'online') eq '0' });
	# a column that changes its type may change its place
	$difference = $ended eq 'succeeded' ? differs($node, 'naive', 'online', $script =~ / TYPE /) : '';
	return join "\n", grep { $_ ne '' } $ended eq 'succeeded' ? '' : "ended as $ended", $err =~ /ERROR|FATAL/ ? "beside it: $err" : '',
	  $difference, $ended eq 'succeeded' ? no_remains($node, 'online') : '';
}

is(run_beside($_), '', ref $_ ? $_->{alone} : $_) foreach grep { (ref $_ ? $_->{alone} : $_) =~ /$only/ } @same;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
