# What people write that stops a production system, one statement for each way to
# do so, with the tables that it is about: shared by all tests that run such
# statements online and compare with what they come to when they run alone.
#
# A plan is a hash: "name"; "fixture", the tables it begins with; "setup", what is
# done to them before; "script", what is run online; "stages", instead of it,
# scripts of several migrations, each to be run when the one before has come to
# its end, with "naive" for what they come to together; "alone", it cannot run in a
# transaction block; "anywhere", columns may end up in another place; "quiet", rows
# are numbered as they are stored, if nobody writes them meanwhile, and nothing fails.

package NaiveStatements;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(make_fixtures naive_plans type_changes naive_sql);

my $long = 'c' x 63;
my %fixture = (
	shop => q(
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
	GRANT SELECT (age, email) ON users TO reader; GRANT SELECT ON users TO reader;
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
	ANALYZE;
	),
	types => q(
	CREATE TABLE t (id int PRIMARY KEY, c text, d int, e text, at timestamptz, n numeric(10,2), v varchar(10), k int NOT NULL);
	INSERT INTO t SELECT g, CASE WHEN g % 10 > 0 THEN g::text END, g % 7, 'e' || g, '2025-01-01 00:00+00'::timestamptz + g * interval '1 hour', g / 3.0, 'v' || g % 50, g + 1000 FROM generate_series(1, 300) g;
	CREATE TABLE other (id int, t_id int, k int);
	INSERT INTO other SELECT g, g, g + 1000 FROM generate_series(1, 200) g;
	CREATE TYPE mood AS ENUM ('low', 'high');
	CREATE DOMAIN plain AS int;
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	));

# make_fixtures(NODE [, NAME...])
# Databases with the extension and the tables, and the role that they know.
sub make_fixtures
{
	my ($node, @names) = @_;

	$node->safe_psql('postgres', 'CREATE ROLE reader');
	foreach my $name (@names ? @names : sort keys %fixture)
	{
		$node->safe_psql('postgres', "CREATE DATABASE $name");
		$node->safe_psql($name, "CREATE EXTENSION pgmigrate; $fixture{$name}");
	}
	return;
}

# Scripts on the tables of "shop", by what holds others up.
my @shop = (
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
	{ script => 'ALTER TABLE users ADD COLUMN n bigserial', quiet => 1 }, { script => 'ALTER TABLE part ADD COLUMN n smallserial', quiet => 1 },
	'ALTER TABLE users ADD COLUMN v int DEFAULT 3 NOT NULL, ADD COLUMN w text', 'ALTER TABLE users ADD COLUMN g int GENERATED ALWAYS AS (id * 2) STORED',
	'ALTER TABLE users ADD COLUMN pos positive DEFAULT 4', 'ALTER TABLE whole ADD COLUMN n int GENERATED ALWAYS AS IDENTITY',
	'ALTER TABLE users ALTER age TYPE int USING age::int', 'ALTER TABLE users ALTER points TYPE float8', 'ALTER TABLE users ALTER email TYPE text', 'ALTER TABLE users ALTER email TYPE varchar(30)',
	'ALTER TABLE users ALTER email TYPE varchar(100), ALTER first TYPE varchar(80)', 'ALTER TABLE users ALTER points TYPE numeric(12,4)', 'ALTER TABLE users ALTER points TYPE numeric(10,2)', 'ALTER TABLE users ALTER code TYPE char(10)', q(ALTER TABLE users ALTER at TYPE timestamptz USING at AT TIME ZONE 'UTC'),
	'ALTER TABLE users ALTER body TYPE jsonb', 'ALTER TABLE users ALTER feeling TYPE text', 'ALTER TABLE users ALTER last TYPE text COLLATE "C"', 'ALTER TABLE users ALTER id TYPE bigint', 'ALTER TABLE items ALTER user_id TYPE bigint USING user_id * 1', 'ALTER TABLE orders ALTER id TYPE bigint USING id * 2', 'DROP VIEW seen; ALTER TABLE whole ALTER id TYPE bigint', 'ALTER TABLE part ALTER note TYPE varchar(20)',
	{ script => 'ALTER TABLE whole SET UNLOGGED', emptied => 'whole' }, 'ALTER TABLE whole SET LOGGED', 'ALTER TABLE whole SET TABLESPACE pg_default', 'ALTER TABLE whole SET ACCESS METHOD heap',
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

# Partitions, of which one has its columns in another order, and one has partitions
# itself; what changes in it, and what others may write meanwhile.
my $parts = q(
	DROP TABLE t;
	CREATE TABLE t (id int NOT NULL, at date NOT NULL, c text, d int DEFAULT 5, k int) PARTITION BY RANGE (at);
	CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
	CREATE TABLE t_2 (d int, id int CONSTRAINT t_id_not_null NOT NULL, k int, gone int, at date CONSTRAINT t_at_not_null NOT NULL, c text);
	ALTER TABLE t_2 DROP gone;
	ALTER TABLE t ATTACH PARTITION t_2 FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
	CREATE TABLE t_3 PARTITION OF t FOR VALUES FROM ('2025-03-01') TO ('2026-01-01') PARTITION BY LIST (k);
	CREATE TABLE t_3_even PARTITION OF t_3 FOR VALUES IN (0, 2);
	CREATE TABLE "t_3 Odd" PARTITION OF t_3 FOR VALUES IN (1, 3);
	INSERT INTO t SELECT g, date '2025-01-01' + g % 100, g, g, g % 4 FROM generate_series(1, 300) g;);
my $wider = 'ALTER TABLE t ALTER id TYPE bigint';
my $move = q(INSERT INTO t VALUES (1000, '2025-02-02', '7', 8, 1); UPDATE t SET at = at + 30, id = id + 2000 WHERE id < 20; UPDATE t SET k = 3 - k WHERE id BETWEEN 100 AND 120);

# Changes of type: name, what is done before, the statement, and what others may
# write meanwhile.
my $int = 'ALTER TABLE t ALTER COLUMN c TYPE int USING c::int';
my @types = (
	# types
	[ 'text to int', '', $int, "UPDATE t SET c = (c::int + 1)::text WHERE id < 50; INSERT INTO t (id, c, k) VALUES (1001, '7', 1)" ],
	[ 'int to bigint', '', 'ALTER TABLE t ALTER d TYPE bigint', 'UPDATE t SET d = d + 1; DELETE FROM t WHERE id = 5' ],
	[ 'bigint to int', 'ALTER TABLE t ADD b bigint; UPDATE t SET b = id', 'ALTER TABLE t ALTER b SET DATA TYPE int' ],
	[ 'varchar cut shorter', '', 'ALTER TABLE t ALTER COLUMN v TYPE varchar(5)' ],
	[ 'varchar cut by USING', '', 'ALTER TABLE t ALTER COLUMN e TYPE varchar(2) USING left(t.e, 2)' ],
	[ 'text to char', '', 'ALTER TABLE t ALTER COLUMN c TYPE char(8)' ],
	[ 'timestamptz to timestamp', '', 'ALTER TABLE t ALTER at TYPE timestamp' ],
	[ 'timestamptz to date', '', q(ALTER TABLE t ALTER at TYPE date USING (at AT TIME ZONE 'UTC')::date) ],
	[ 'numeric scale', '', 'ALTER TABLE t ALTER n TYPE numeric(12,4)' ],
	[ 'numeric to double precision', '', 'ALTER TABLE t ALTER n TYPE double precision' ],
	[ 'int to text', '', 'ALTER TABLE t ALTER d TYPE text' ],
	[ 'text to enum', q(UPDATE t SET e = CASE WHEN id % 2 = 0 THEN 'low' ELSE 'high' END), 'ALTER TABLE t ALTER e TYPE mood USING e::mood' ],
	[ 'enum to text', q(ALTER TABLE t ADD m mood DEFAULT 'low'), 'ALTER TABLE t ALTER m TYPE text' ],
	[ 'text to array', '', q(ALTER TABLE t ALTER e TYPE text[] USING ARRAY[e, c]), q(UPDATE t SET c = '8' WHERE id = 4) ],
	[ 'array of int to array of bigint', 'ALTER TABLE t ADD a int[]; UPDATE t SET a = ARRAY[id, d]', 'ALTER TABLE t ALTER a TYPE bigint[]' ],
	[ 'text to a domain', '', 'ALTER TABLE t ALTER c TYPE plain USING c::int' ],
	[ 'text to json', '', 'ALTER TABLE t ALTER e TYPE json USING to_json(e)' ],
	[ 'text to jsonb', '', 'ALTER TABLE t ALTER e TYPE jsonb USING to_jsonb(e)' ],
	[ 'text to uuid', '', 'ALTER TABLE t ALTER e TYPE uuid USING md5(e)::uuid' ],
	[ 'with a collation', '', 'ALTER TABLE t ALTER d TYPE text COLLATE "C"' ],
	[ 'another collation', 'CREATE INDEX i ON t (e)', 'ALTER TABLE t ALTER e TYPE text COLLATE "C"' ],
	[ 'longer, with a check', q(ALTER TABLE t ADD CHECK (v <> '')), 'ALTER TABLE t ALTER v TYPE varchar(20)' ],
	[ 'int to boolean', '', 'ALTER TABLE t ALTER d TYPE boolean USING d > 3' ],
	[ 'from another column', '', 'ALTER TABLE t ALTER d TYPE bigint USING k * 2', 'UPDATE t SET k = k + 5 WHERE id < 9' ],
	[ 'a constant', '', q(ALTER TABLE t ALTER d TYPE text USING 'x') ],
	# what hangs on it
	[ 'index', 'CREATE INDEX ti ON t (c)', $int ],
	[ 'indexes of many kinds', q(
	CREATE INDEX i1 ON t (d DESC NULLS LAST, e) WITH (fillfactor = 71);
	CREATE INDEX i2 ON t (e) INCLUDE (d);
	CREATE INDEX i3 ON t (e COLLATE "C" text_pattern_ops) WHERE d > 3;
	CREATE INDEX i4 ON t ((d + 1), lower(e));
	CREATE INDEX i5 ON t USING hash (d);
	CREATE INDEX i6 ON t USING brin (d) WITH (pages_per_range = 8);
	CREATE UNIQUE INDEX i7 ON t (id, d) NULLS NOT DISTINCT;
	COMMENT ON INDEX i4 IS 'four'), 'ALTER TABLE t ALTER d TYPE bigint' ],
	[ 'index with an expression whose type changes', 'CREATE INDEX i ON t (lower(v)) WHERE v <> $$x$$', 'ALTER TABLE t ALTER v TYPE text COLLATE "C" USING v || $$!$$' ],
	[ 'primary key', q(COMMENT ON CONSTRAINT t_pkey ON t IS 'the key'; COMMENT ON INDEX t_pkey IS 'its index'), 'ALTER TABLE t ALTER id TYPE bigint', 'INSERT INTO t (id, k) VALUES (5000, 1)' ],
	[ 'primary key of two columns', 'ALTER TABLE t DROP CONSTRAINT t_pkey, ADD CONSTRAINT "Two" PRIMARY KEY (id, k)', 'ALTER TABLE t ALTER k TYPE bigint' ],
	[ 'unique constraint', 'ALTER TABLE t ADD UNIQUE (k) INCLUDE (d), ADD UNIQUE NULLS NOT DISTINCT (id, k) WITH (fillfactor = 60)', 'ALTER TABLE t ALTER k TYPE bigint' ],
	[ 'foreign keys to it', q(ALTER TABLE other ADD CONSTRAINT o FOREIGN KEY (t_id) REFERENCES t ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED;
	COMMENT ON CONSTRAINT o ON other IS 'refers'; ALTER TABLE t ADD parent int REFERENCES t; UPDATE t SET parent = id - 1 WHERE id > 1), 'ALTER TABLE t ALTER id TYPE bigint', 'DELETE FROM t WHERE id = 300; INSERT INTO other VALUES (1, 299); UPDATE t SET id = 999 WHERE id = 299' ],
	[ 'foreign key from it', 'ALTER TABLE other ADD UNIQUE (k); DELETE FROM t WHERE id > 200; ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES other (k) ON UPDATE CASCADE', 'ALTER TABLE t ALTER k TYPE bigint', 'UPDATE other SET k = 7 WHERE k = 1007' ],
	[ 'foreign key to itself', 'ALTER TABLE t ADD CONSTRAINT self FOREIGN KEY (id) REFERENCES t (id)', 'ALTER TABLE t ALTER id TYPE bigint' ],
	[ 'foreign key that is not valid', 'INSERT INTO t (id, k) VALUES (400, 5); ALTER TABLE other ADD UNIQUE (k); ALTER TABLE t ADD FOREIGN KEY (k) REFERENCES other (k) NOT VALID', 'ALTER TABLE t ALTER k TYPE bigint' ],
	[ 'checks', q(ALTER TABLE t ADD CHECK (d >= 0), ADD CONSTRAINT two CHECK (d <= id AND e <> '') NO INHERIT; COMMENT ON CONSTRAINT two ON t IS 'two'), 'ALTER TABLE t ALTER d TYPE bigint' ],
	[ 'check on a varchar', q(ALTER TABLE t ADD CHECK (v IN ('x', 'v1') OR length(v) > 1)), 'ALTER TABLE t ALTER v TYPE varchar(4)' ],
	[ 'not null', '', 'ALTER TABLE t ALTER k TYPE bigint', 'INSERT INTO t (id, k) VALUES (5000, 1)' ],
	[ 'default', 'ALTER TABLE t ALTER d SET DEFAULT 5, ALTER v SET DEFAULT $$ab$$', 'ALTER TABLE t ALTER d TYPE numeric(8,1), ALTER v TYPE varchar(4)', 'INSERT INTO t (id, k) VALUES (5000, 1)' ],
	[ 'default that is exchanged', q(ALTER TABLE t ALTER c SET DEFAULT 'x'), 'ALTER TABLE t ALTER c DROP DEFAULT, ALTER c TYPE int USING c::int, ALTER c SET DEFAULT 0' ],
	[ 'serial', 'CREATE SEQUENCE s OWNED BY t.id; ALTER TABLE t ALTER id SET DEFAULT nextval($$s$$); SELECT setval($$s$$, 1000)', 'ALTER TABLE t ALTER id TYPE bigint', 'INSERT INTO t (k) VALUES (1)' ],
	[ 'identity', q(ALTER TABLE t ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME ids START 700 INCREMENT 3); COMMENT ON SEQUENCE ids IS 'ids'; GRANT USAGE ON SEQUENCE ids TO reader), 'ALTER TABLE t ALTER id TYPE bigint', 'INSERT INTO t (k) VALUES (1)' ],
	[ 'identity always', q(ALTER TABLE t ALTER k ADD GENERATED ALWAYS AS IDENTITY (START 2000)), 'ALTER TABLE t ALTER k TYPE bigint' ],
	[ 'comment, privileges, options', q(COMMENT ON COLUMN t.d IS 'it''s d'; GRANT SELECT (d), UPDATE (d, e) ON t TO reader; GRANT INSERT (d) ON t TO reader WITH GRANT OPTION;
	ALTER TABLE t ALTER d SET STATISTICS 77, ALTER d SET (n_distinct = 5)), 'ALTER TABLE t ALTER d TYPE bigint' ],
	[ 'storage', 'ALTER TABLE t ALTER e SET STORAGE EXTERNAL, ALTER e SET COMPRESSION pglz', 'ALTER TABLE t ALTER e TYPE varchar(9) USING e || $$.$$' ],
	[ 'statistics', q(CREATE STATISTICS st (ndistinct, mcv) ON d, e FROM t; CREATE STATISTICS "S x" ON (length(e)), d FROM t; COMMENT ON STATISTICS "S x" IS 'sx'), 'ALTER TABLE t ALTER e TYPE varchar(9) USING left(e, 9)' ],
	[ 'clustered, replica identity', 'CREATE UNIQUE INDEX u ON t (k); ALTER TABLE t CLUSTER ON u, REPLICA IDENTITY USING INDEX u', 'ALTER TABLE t ALTER k TYPE bigint' ],
	[ 'triggers on the table', q(CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()), $int ],
	[ 'views of other columns', 'CREATE VIEW w AS SELECT id, d FROM t', $int ],
	[ 'published columns', 'CREATE PUBLICATION p FOR TABLE t (id, d)', $int ],
	[ 'long names', qq(ALTER TABLE t RENAME c TO $long; CREATE INDEX "i$long" ON t ($long); ALTER TABLE t ADD CONSTRAINT "k$long" CHECK ($long <> 'x')), "ALTER TABLE t ALTER $long TYPE varchar(9) USING left($long, 9)" ],
	[ 'odd names', q(CREATE SCHEMA "S s"; ALTER TABLE t RENAME c TO "C ""'c"; CREATE INDEX "I ' i" ON t ("C ""'c"); ALTER TABLE t ADD CHECK ("C ""'c" IS NOT NULL OR k > 0), ALTER "C ""'c" SET DEFAULT '5'),
	q(ALTER TABLE ONLY public.t ALTER COLUMN "C ""'c" SET DATA TYPE int USING ("C ""'c"::int), ALTER "C ""'c" DROP DEFAULT) ],
	# several commands
	[ 'with other commands', q(ALTER TABLE t ALTER c SET DEFAULT '5'), q(ALTER TABLE t ADD x int DEFAULT 3, ALTER c DROP DEFAULT, ALTER COLUMN c TYPE int USING c::int, ADD CHECK (c > 0), ALTER k SET DEFAULT 9, ALTER e SET NOT NULL) ],
	[ 'two types', 'CREATE INDEX cd ON t (c, d); ALTER TABLE t ADD CHECK (length(c) > 0 OR d > 0)', 'ALTER TABLE t ALTER c TYPE varchar(7), ALTER d TYPE bigint' ],
	# partitions
	[ 'partitions', $parts, $wider, $move ],
	[ 'partitions: text to int', $parts, $int, $move ],
	[ 'partitions: primary key', $parts . q(;
	DROP TABLE t_3; ALTER TABLE t ADD CONSTRAINT "The key" PRIMARY KEY (id, at); COMMENT ON CONSTRAINT "The key" ON t IS 'the key'), $wider, 'INSERT INTO t VALUES (1000, $$2025-02-02$$)' ],
	[ 'partitions: keys of partitions of partitions', "$parts; ALTER TABLE t ADD PRIMARY KEY (at, k, id), ADD UNIQUE (k, at, d, id) WITH (fillfactor = 70); ALTER TABLE t_1 ADD UNIQUE (id); ALTER TABLE t_3 REPLICA IDENTITY FULL", $wider, $move ],
	[ 'partitions: indexes', "$parts; CREATE INDEX of_all ON t (id DESC, c); CREATE INDEX ON t (c); CREATE INDEX of_one ON t_3_even ((id + 1)); CREATE UNIQUE INDEX ON t (at, k, id) WHERE id > 0", $wider, $move ],
	[ 'partitions: without a rewrite', "$parts; ALTER TABLE t ALTER c TYPE varchar(10); CREATE INDEX ON t (c)", 'ALTER TABLE t ALTER c TYPE varchar(10) COLLATE "C"' ],
	[ 'partitions: checks', "$parts; ALTER TABLE t ADD CHECK (id > 0), ADD CONSTRAINT both_of CHECK (id > d - 5000); ALTER TABLE t_2 ADD CONSTRAINT own CHECK (id < 9000); ALTER TABLE t_3 ADD CHECK (id < 8000); COMMENT ON CONSTRAINT both_of ON t IS 'both'", $wider, $move ],
	[ 'partitions: not null in some', "$parts; ALTER TABLE t_1 ALTER d SET NOT NULL; ALTER TABLE t_3 ALTER d SET NOT NULL", 'ALTER TABLE t ALTER d TYPE bigint', $move ],
	[ 'partitions: what each has by itself', $parts . q(;
	ALTER TABLE t_1 ALTER d SET DEFAULT 7; ALTER TABLE t_2 ALTER d SET DEFAULT 8; ALTER TABLE t_3_even ALTER d DROP DEFAULT;
	COMMENT ON COLUMN t.d IS 'all'; COMMENT ON COLUMN t_2.d IS 'two'; GRANT SELECT (d) ON t_1 TO reader; GRANT SELECT (d, c) ON t TO reader;
	ALTER TABLE t_1 ALTER d SET STATISTICS 50; ALTER TABLE t_2 ALTER d SET (n_distinct = 9); CREATE STATISTICS s ON c, d FROM t_1; CREATE STATISTICS s2 ON c, d FROM t),
	'ALTER TABLE t ALTER d TYPE bigint', $move ],
	[ 'partitions: identity', "$parts; ALTER TABLE t ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START 1000)", $wider ],
	[ 'partitions: foreign key of one', "$parts; ALTER TABLE other ADD UNIQUE (id); ALTER TABLE t_1 ADD FOREIGN KEY (d) REFERENCES other (id) NOT VALID", 'ALTER TABLE t ALTER d TYPE bigint' ],
	[ 'partitions: foreign keys', "$parts; ALTER TABLE other ADD UNIQUE (id); DELETE FROM t WHERE id > 90; UPDATE t SET d = id; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (d) REFERENCES other (id) ON DELETE CASCADE DEFERRABLE, ADD FOREIGN KEY (d) REFERENCES other (id); COMMENT ON CONSTRAINT f ON t IS 'f'; ALTER TABLE t_2 ADD FOREIGN KEY (d) REFERENCES other (id) ON UPDATE CASCADE",
	'ALTER TABLE t ALTER d TYPE bigint', 'DELETE FROM other WHERE id BETWEEN 5 AND 9; UPDATE t SET at = at + 30 WHERE id < 20' ],
	[ 'partitions: triggers on the table', $parts . q(; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()), $int, $move ],
	[ 'partitions: one comes meanwhile', "$parts; CREATE INDEX ON t (id)", $wider, q(CREATE TABLE t_4 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); INSERT INTO t VALUES (1000, '2026-02-02', '7', 8, 1)) ],
);

# Expand and contract: name, stages, and what they come to.
my @expansions = (
	[ 'expand and contract a name', [ q(SELECT migrate.expand_rename('users', 'code', 'zip')), q(SELECT migrate.contract('users', 'code')) ],
		'ALTER TABLE users RENAME code TO zip' ],
	[ 'expand and contract a type', [ q(SELECT migrate.expand_type('users', 'points', 'float8')), q(SELECT migrate.contract('users', 'points')) ],
		'ALTER TABLE users ALTER points TYPE float8; ALTER TABLE users RENAME points TO points_new' ],
	[ 'expand two columns to one, and contract', [ q(SELECT migrate.expand_column('users', 'label', 'text', 'code || at::text')), q(SELECT migrate.contract('users', 'code')) ],
		'ALTER TABLE users ADD label text; UPDATE users SET label = code || at::text; ALTER TABLE users DROP code' ],
	[ 'expand and abandon', [ q(SELECT migrate.expand_rename('users', 'code', 'zip'); SELECT migrate.expand_type('users', 'points', 'float8')),
		q(SELECT migrate.abandon('users', 'zip'); SELECT migrate.abandon('users', 'points_new')) ], '' ],
	[ 'expand partitions', [ q(SELECT migrate.expand_type('part', 'at', 'timestamp', new_column => 'moment')), q(SELECT migrate.contract('part', 'at')) ],
		'ALTER TABLE part ALTER at TYPE timestamp; ALTER TABLE part RENAME at TO moment' ],
);

# type_changes()
# Those changes, as they stand above.
sub type_changes
{
	return @types;
}

# naive_plans([PATTERN])
# All of them as plans, those whose name matches PATTERN.
sub naive_plans
{
	my ($only) = @_;
	my $pattern = $only // '';
	my @plans;

	foreach my $entry (@shop)
	{
		my %plan = ref $entry ? %$entry : (script => $entry);

		$plan{script} = $plan{alone} if defined $plan{alone};
		push @plans, { name => $plan{script}, fixture => 'shop', setup => '', anywhere => scalar($plan{script} =~ / TYPE /), %plan };
	}
	push @plans, map { { name => "type: $_->[0]", fixture => 'types', setup => $_->[1], script => $_->[2], anywhere => 1 } } @types;
	push @plans, map { { name => $_->[0], fixture => 'shop', setup => '', stages => $_->[1], naive => $_->[2], anywhere => 1 } } @expansions;
	return grep { $_->{name} =~ /(?:$pattern)/ } @plans;
}

# naive_sql(PLAN)
# What somebody types who runs the plan plainly.
sub naive_sql
{
	my ($plan) = @_;

	return $plan->{script} =~ s/;/\n;\n/gr if $plan->{alone};
	return "BEGIN;\n" . ($plan->{naive} // $plan->{script}) . ";\nCOMMIT";
}

1;
