# The steps of a migration, one after the other, give the same database as the
# statements that the user wrote.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use List::Util qw(shuffle);
use Test::More;
use PgMigrateTest;

my $node = new_node('main', conf => [ 'log_statement = none', 'autovacuum = off',
	q(shared_preload_libraries = 'pgmigrate'), 'pgmigrate.backfill_courtesy = 100',
	'pgmigrate.backfill_nice = 0', 'pgmigrate.backfill_batch_ms = 1min' ]);
my $long = 'x' x 63;
my @longer = map { 'y' x 62 . $_ } 0 .. 2;
my $apart = 0;
my $only = $ENV{PGMIGRATE_SCRIPT} // '';
my $count = $ENV{PGMIGRATE_SCRIPTS} // amount(9999, 40);
my $seed = $ENV{PGMIGRATE_SEED} // time ^ $$;

srand($seed);
diag("seed $seed");

# Every case begins with this.
$node->safe_psql('postgres', 'CREATE DATABASE fixture');
$node->safe_psql('fixture', qq(
	CREATE EXTENSION pgmigrate;
	SET client_min_messages = warning;
	CREATE TABLE users (id bigint PRIMARY KEY, first text, last text, email text, age int, team int, "Mixed Case" text, "gr\xc3\xb6\xc3\x9fe" numeric, tags int[], body jsonb, at timestamp);
	INSERT INTO users SELECT g, 'f' || g % 100, 'l' || g % 7, 'E' || g, g % 90, g % 5, 'm' || g, g, ARRAY[g], '{}', '2025-01-01'::timestamp + g * interval '1 minute' FROM generate_series(1, 8000) g;
	CREATE TABLE orders (id bigint NOT NULL, user_id bigint, code text, total numeric, note text, period int4range);
	INSERT INTO orders SELECT g, g, 'c' || g, g * 1.5, 'n', int4range(g, g + 1) FROM generate_series(1, 200) g;
	CREATE TABLE team (id int, name text, boss int, deputy int);
	INSERT INTO team SELECT g, 't' || g, g / 2 + 1, g FROM generate_series(0, 50) g;
	CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);
	INSERT INTO tree SELECT g, nullif(g / 2, 0) FROM generate_series(1, 6000) g;
	CREATE TABLE part (id int, at date, note text) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (3000);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (3000) TO (9000) PARTITION BY RANGE (id);
	CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES FROM (3000) TO (6000);
	CREATE TABLE "Part_2 2" (note text, gone int, at date, id int);
	ALTER TABLE "Part_2 2" DROP COLUMN gone;
	ALTER TABLE part_2 ATTACH PARTITION "Part_2 2" FOR VALUES FROM (6000) TO (9000);
	INSERT INTO part SELECT g, '2025-01-01'::date + g % 365, 'n' || g FROM generate_series(0, 7999) g;
	CREATE TABLE base (id int, v int, note text);
	CREATE TABLE derived (extra int) INHERITS (base);
	INSERT INTO base SELECT g, g, 'b' FROM generate_series(1, 3000) g;
	INSERT INTO derived SELECT g, g, 'd', g FROM generate_series(3001, 6000) g;
	CREATE SCHEMA "Odd Sch";
	CREATE TABLE "Odd Sch"."Tab ""le" (a int, "B b" text, "$long" int);
	INSERT INTO "Odd Sch"."Tab ""le" SELECT g, 'b' || g, g FROM generate_series(1, 100) g;
	CREATE TABLE "t_$long" (a int, b int);
	INSERT INTO "t_$long" SELECT g, g FROM generate_series(1, 100) g;
	CREATE INDEX p_there ON part (id, note);
	CREATE INDEX alike ON part_1 (note);
	CREATE TABLE spread (a int, b int) PARTITION BY LIST (a);
	CREATE TABLE "Odd Sch".s_2 PARTITION OF spread FOR VALUES IN (2);
	CREATE TABLE $longer[1] PARTITION OF spread FOR VALUES IN (3);
	CREATE TABLE $longer[2] PARTITION OF spread FOR VALUES IN (4);
	CREATE TABLE other (a int UNIQUE, during int4range, CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&));
	INSERT INTO other SELECT g, int4range(g, g + 1) FROM generate_series(0, 7999) g;
	CREATE INDEX broken ON other (a);
	UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
	CREATE MATERIALIZED VIEW sums AS SELECT team, count(*) AS n FROM users GROUP BY team;
	CREATE MATERIALIZED VIEW keyed AS SELECT team, count(*) AS n FROM users GROUP BY team;
	CREATE UNIQUE INDEX ON keyed (team);
	CREATE INDEX one ON users (email);
	CREATE INDEX "Two" ON "Odd Sch"."Tab ""le" (a);
	CREATE INDEX "Two" ON users (team);
	ANALYZE;
	CREATE SCHEMA harness;
	CREATE TABLE harness.step (statement int, step int, kind text, relation text, filled bool, lock text, hold text, why text, sql text);
	CREATE FOREIGN DATA WRAPPER none;
	CREATE SERVER none FOREIGN DATA WRAPPER none;
	CREATE TABLE remote (a int, b int) PARTITION BY LIST (a);
	CREATE TABLE r_1 PARTITION OF remote FOR VALUES IN (1);
	CREATE FOREIGN TABLE r_2 PARTITION OF remote FOR VALUES IN (2) SERVER none;));

# Databases of one case, and how they are left
sub state_of
{
	my ($database) = @_;
	my ($dump, $err) = run_command([ 'pg_dump', '--schema-only', '-d', $node->connstr($database) ]);

	$dump =~ s/^\\(un)?restrict .*\n//gm;
	return $dump . $node->safe_psql($database, q(
		SELECT 'index', indexrelid::regclass, indisvalid, indisready, indislive FROM pg_index JOIN pg_class c ON c.oid = indexrelid
		WHERE indexrelid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace ORDER BY indexrelid::regclass::text;
		SELECT 'constraint', conrelid::regclass, conname, convalidated, coninhcount, conislocal, pg_get_constraintdef(oid) FROM pg_constraint WHERE oid >= 16384 AND connamespace <> 'migrate'::regnamespace ORDER BY conrelid::regclass::text, conname;
		SELECT 'populated', oid::regclass, relispopulated FROM pg_class WHERE relkind = 'm' ORDER BY oid::regclass::text;
		SELECT format('SELECT %L, count(*), md5(string_agg(t::text, ''; '' ORDER BY t::text)) FROM ONLY %s t', oid::regclass, oid::regclass)
		FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND relnamespace NOT IN ('migrate'::regnamespace, 'harness'::regnamespace) ORDER BY oid::regclass::text \gexec
		SELECT format('SELECT %L, count(*), md5(string_agg(t::text, ''; '' ORDER BY t::text)) FROM %s t', oid::regclass, oid::regclass)
		FROM pg_class WHERE relkind = 'm' AND relispopulated ORDER BY oid::regclass::text \gexec
	));
}

# What psql has to say about commands; nothing if they succeed.
sub errors_of
{
	my ($database, $commands) = @_;
	my ($status, $out, $err) = $node->psql($database, $commands, on_error_stop => 1);

	return $err =~ /^(?:psql:.*)?((?:ERROR|FATAL): .*(?:\nDETAIL: .*)?)/m ? $1 : '';
}

# The statements of a script.
sub statements_of
{
	my ($script) = @_;
	my @statements;

	push @statements, $1 while $script =~ /\G((?:'(?:[^'\\]|\\.)*'|"[^"]*"|--[^\n]*|\/\*.*?\*\/|\$(\w*)\$.*?\$\2\$|[^;])+);?/gs;
	return grep { s/--[^\n]*|\s//gr ne '' } @statements;
}

# An online run: each statement is planned when all before it are done, its steps
# are taken one by one.
sub run_online
{
	my ($script) = @_;
	my $number = 0;
	my $commands = '';

	register($node, 'm', $script, 'stepped');
	my ($status, $together, $error) = $node->psql('stepped', q(SELECT count(*) FROM migrate.steps('m') WHERE why ~ 'one transaction'));
	return "steps() fails: $error" if $status != 0;
	return errors_of('stepped', "BEGIN; $script; COMMIT") if $together > 0;
	foreach (statements_of($script))
	{
		$number++;
		$commands .= qq{
			SELECT migrate.register('m$number', \$pgm\$$_\$pgm\$);
			INSERT INTO harness.step SELECT $number, step, kind, relation, coalesce(c.reltuples > 0 AND c.relkind IN ('r', 'p'), false), lock, hold, why, sql
			FROM migrate.steps('m$number') LEFT JOIN pg_class c ON c.oid = to_regclass(relation);
			SELECT DISTINCT ON (step) sql, CASE WHEN kind = 'BACKFILL' THEN format('CALL migrate.wait(%s, ''${PostgreSQL::Test::Utils::timeout_default}s'')',
			substring(sql FROM 'name => (.*)\\)\$')) END FROM harness.step WHERE statement = $number ORDER BY step\\gexec
		};
	}
	return errors_of('stepped', $commands);
}

# What is wrong with the steps of a script, as lines; nothing if all is well.
sub difference
{
	my ($script, $alone) = @_;
	my @wrong;

	foreach my $database ('naive', 'stepped')
	{
		$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $database WITH (FORCE)");
		$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE fixture");
	}
	register($node, 'm', $script, 'naive');
	my $naive = errors_of('naive', $alone ? $script : "SELECT migrate.apply('m')");
	push @wrong, "the script itself fails: $naive" if $naive ne '';
	my $stepped = run_online($script);
	push @wrong, "the steps fail: $stepped" if $stepped ne '';
	push @wrong, map { "holds others up: $_" } split /\n/, $node->safe_psql('stepped', q(
		SELECT statement, step, relation, lock, hold, why FROM harness.step
		WHERE filled AND (hold IN ('no time', 'wait')) IS NOT TRUE AND lock IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
		AND why !~ '^(there is no other form|stays)'));
	my @steps = map { pack 'H*', $_ } split /\n/, $node->safe_psql('stepped', q(
		SELECT encode(convert_to(sql, 'UTF8'), 'hex') FROM (SELECT DISTINCT statement, step, sql FROM harness.step) s ORDER BY statement, step));
	$apart++ if grep { index($script, $_) < 0 } @steps;
	if (!@wrong)
	{
		my ($one, $two) = (state_of('naive'), state_of('stepped'));
		my %one = map { $_ => 1 } split /\n/, $one;
		my %two = map { $_ => 1 } split /\n/, $two;

		push @wrong, 'naive: ' . join("\n       ", grep { !$two{$_} } sort keys %one), 'steps: ' . join("\n       ", grep { !$one{$_} } sort keys %two)
		  if $one ne $two;
	}
	note(join "\n", 'STEPS:', @steps) if @wrong;
	return join "\n", @wrong;
}

# Scripts whose steps have to lead to the same end.
my @same = (
	# indexes
	'CREATE INDEX ON users (email)',
	'CREATE INDEX ON users (lower(email), lower(first), (age + 1), (age + 2))',
	'CREATE UNIQUE INDEX IF NOT EXISTS fresh ON users (id) INCLUDE (email, age) WHERE age > 3 AND email <> \';, )\'',
	'CREATE INDEX IF NOT EXISTS one ON users (last)',
	'create index  "Mixed Idx"on users("Mixed Case" text_pattern_ops desc nulls last,last collate "C" asc nulls first)with(fillfactor=70)tablespace pg_default where"Mixed Case"is not null',
	"CREATE INDEX ON users (\"gr\xc3\xb6\xc3\x9fe\", \"Mixed Case\")",
	"CREATE INDEX \"\xc3\xa9\xc3\xa0 \"\"i\" ON public.users (\"gr\xc3\xb6\xc3\x9fe\")",
	"CREATE INDEX $long ON users (age)",
	"CREATE INDEX ${long}yyy ON users (age)",
	"CREATE INDEX ON \"t_$long\" (a, b)",
	"CREATE INDEX ON \"Odd Sch\".\"Tab \"\"le\" (\"$long\", a, \"B b\")",
	'CREATE INDEX ON users USING gin (tags)',
	'CREATE INDEX ON users USING gin (body jsonb_path_ops) WITH (fastupdate = off)',
	'CREATE INDEX ON orders USING gist (period)',
	'CREATE INDEX ON users USING brin (at) WITH (pages_per_range = 16, autosummarize)',
	'CREATE INDEX ON users USING hash (email)',
	'CREATE INDEX ON users USING btree ((CASE WHEN age > 3 THEN team END), (body ->> $q$;,)$q$), coalesce(age, 1))',
	"/* a; */ CREATE -- b\n INDEX /* c */ ON /* d */ ONLY -- ;\n users /* e, */ ( /* f) */ email -- g;\n ) WHERE /* h */ age > 1 -- i;\n",
	'CREATE INDEX ON base (v)',
	'CREATE INDEX ON ONLY base (v)',
	'CREATE INDEX ON base * (v)',
	'CREATE INDEX ON ONLY (base) (v)',
	'CREATE INDEX ON sums (n)',
	'CREATE INDEX ON part (at)',
	'CREATE INDEX "P" ON part USING btree (at DESC, lower(note)) INCLUDE (id) WITH (fillfactor = 70) WHERE note <> \'x\'',
	'CREATE UNIQUE INDEX ON part (id)',
	'CREATE INDEX ON ONLY part (at)',
	'CREATE INDEX ON part_2 (at)',
	'CREATE INDEX IF NOT EXISTS p_at ON part (at)',
	'CREATE INDEX ON users (email); CREATE INDEX ON orders (code)',
	'CREATE TABLE fresh (id int, b text); INSERT INTO fresh VALUES (1, \'x\'); CREATE INDEX ON fresh (b); ALTER TABLE fresh ADD CHECK (id > 0), ADD PRIMARY KEY (id); UPDATE fresh SET b = \'y\'; CREATE INDEX ON fresh (b)',
	'DROP INDEX one, public."Two", "Odd Sch"."Two"',
	'DROP INDEX IF EXISTS one RESTRICT',
	'DROP INDEX IF EXISTS one, nothing',
	'DROP INDEX one CASCADE; DROP INDEX IF EXISTS nothing',
	'CREATE INDEX three ON users (age); DROP INDEX three',
	'DROP INDEX one; CREATE INDEX one ON users (first)',
	'CREATE INDEX p ON part (at); DROP INDEX p',
	'REINDEX INDEX one', 'REINDEX (VERBOSE, TABLESPACE pg_default) TABLE users', 'reindex -- x' . "\n" . ' index /* y */ "Odd Sch"."Two"',
	'REFRESH MATERIALIZED VIEW sums', 'DELETE FROM users WHERE id > 7990; REFRESH MATERIALIZED VIEW public.keyed WITH DATA',
	'REFRESH MATERIALIZED VIEW keyed WITH NO DATA',
	# not null
	'ALTER TABLE users ALTER email SET NOT NULL',
	"ALTER TABLE users ALTER COLUMN email SET NOT NULL, ALTER \"Mixed Case\" SET NOT NULL, ALTER \"gr\xc3\xb6\xc3\x9fe\" SET NOT NULL, ALTER id SET NOT NULL",
	"ALTER TABLE \"Odd Sch\".\"Tab \"\"le\" ALTER \"$long\" SET NOT NULL, ALTER \"B b\" SET NOT NULL",
	'ALTER TABLE IF EXISTS users ALTER age SET NOT NULL, ALTER age SET DEFAULT 3, ALTER age SET STATISTICS 50',
	'ALTER TABLE part ALTER at SET NOT NULL', 'ALTER TABLE base ALTER v SET NOT NULL',
	# checks
	'ALTER TABLE orders ADD CHECK (total > 0)', 'ALTER TABLE orders ADD CHECK (total < id * 2)', 'ALTER TABLE orders ADD CHECK (1 < 2)',
	'ALTER TABLE orders ADD CHECK (total > 0 AND orders.total < 9999 AND "total"::text <> \'total, )\'), ADD CHECK (total > -1), ADD CHECK (id > 0), ADD CHECK (id > total / 2), ADD CHECK (2 > 1)',
	'ALTER TABLE ONLY orders ADD CONSTRAINT "Sum; )" CHECK (total <> 7) NO INHERIT',
	"ALTER TABLE orders ADD CONSTRAINT ${long}y CHECK (total <> 7)",
	'ALTER TABLE part ADD CHECK (id >= 0), ADD CONSTRAINT p CHECK (note <> $$, ;$$)', 'ALTER TABLE base ADD CHECK (v > 0)',
	'ALTER TABLE base ADD CHECK (v > 0) NO INHERIT', 'ALTER TABLE ONLY base ADD CONSTRAINT c CHECK (v > 0) NO INHERIT', 'ALTER TABLE base * ADD CONSTRAINT c CHECK (v > 0)',
	'ALTER TABLE orders ADD CONSTRAINT later CHECK (total > 1) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT later',
	"ALTER TABLE orders ADD CONSTRAINT a CHECK (note <> 'it''s, (') -- one, (\n, ADD COLUMN n2 text DEFAULT E'a\\', b', /* ADD CHECK (1), */ ADD CONSTRAINT b CHECK (note <> \$x\$, ADD CHECK (\$x\$), DROP COLUMN period, ALTER note SET DEFAULT ')', ALTER code TYPE varchar, ADD CHECK (n2 <> (ARRAY['x', 'y'])[1]) -- end;\n",
	# foreign keys
	'ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users', 'ALTER TABLE orders ADD CONSTRAINT "Fk" FOREIGN KEY (user_id) REFERENCES public.users (id) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED',
	'ALTER TABLE team ADD UNIQUE (id, boss); ALTER TABLE team ADD FOREIGN KEY (deputy, boss) REFERENCES team (id, boss) MATCH FULL ON DELETE RESTRICT',
	'ALTER TABLE team ADD PRIMARY KEY (id), ADD FOREIGN KEY (boss) REFERENCES team, ADD FOREIGN KEY (boss) REFERENCES team (id) DEFERRABLE',
	'ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL (user_id)',
	'ALTER TABLE part DROP COLUMN note, ADD FOREIGN KEY (id) REFERENCES other (a)',
	'ALTER TABLE orders ADD c int DEFAULT 3 REFERENCES other (a)', 'ALTER TABLE part ADD c int DEFAULT 3 REFERENCES other (a)',
	'ALTER TABLE orders ADD c bigint NOT NULL DEFAULT 3 CONSTRAINT "Fk; 1" REFERENCES public.users ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED CHECK (c > 1), ADD d int REFERENCES other (a) NOT DEFERRABLE REFERENCES other (a) ON UPDATE SET NULL DEFAULT 5, ADD e int DEFAULT NULL REFERENCES other (a), ADD UNIQUE (id) DEFERRABLE, ADD FOREIGN KEY (c) REFERENCES users',
	'ALTER TABLE users ADD COLUMN IF NOT EXISTS age int NOT NULL DEFAULT 3 CHECK (age < 9) REFERENCES other (a), ADD IF NOT EXISTS team serial, ADD CHECK (age >= 0), ADD IF NOT EXISTS c2 int DEFAULT 4 REFERENCES other (a)',
	# keys
	'ALTER TABLE orders ADD UNIQUE (code)', 'ALTER TABLE orders ADD PRIMARY KEY (id, code) INCLUDE (total) WITH (fillfactor = 80, deduplicate_items = off) USING INDEX TABLESPACE pg_default',
	'ALTER TABLE orders ADD CONSTRAINT "Key" UNIQUE NULLS NOT DISTINCT (code, user_id)', 'ALTER TABLE orders ADD UNIQUE (id) DEFERRABLE INITIALLY DEFERRED, ADD CONSTRAINT k PRIMARY KEY (code) DEFERRABLE',
	"ALTER TABLE \"Odd Sch\".\"Tab \"\"le\" ADD UNIQUE (\"$long\") INCLUDE (\"B b\"), ADD PRIMARY KEY (\"B b\", a)", "ALTER TABLE \"t_$long\" ADD PRIMARY KEY (a), ADD UNIQUE (b, a)",
	'ALTER TABLE part ADD PRIMARY KEY (id)', 'ALTER TABLE base ADD PRIMARY KEY (id)', 'ALTER TABLE base ADD UNIQUE (v)',
	'CREATE UNIQUE INDEX k ON orders (code); ALTER TABLE orders ADD CONSTRAINT orders_code PRIMARY KEY USING INDEX k', 'ALTER TABLE orders ADD EXCLUDE USING gist (period WITH &&)',
	# rows
	q(UPDATE users SET email = lower(email)), q(UPDATE users SET "Mixed Case" = 'where, '' SET' || "Mixed Case", age = age + 1 WHERE "Mixed Case" <> 'where' /* where */ AND id > 10 -- where),
	q(UPDATE users SET email = users.first || ' ' || users.last WHERE users.team IN (1, 2, 3, 4)), q(UPDATE public.users SET (first, last) = (last, first)), q(UPDATE users SET email = DEFAULT, age = DEFAULT),
	q(UPDATE users SET first = (SELECT name FROM team WHERE team.id = users.team)), q(UPDATE part SET note = 'x', at = NULL WHERE id > 3), q(UPDATE base SET note = 'x'), q(UPDATE users * SET age = 3), q(UPDATE users SET tags[2] = 7, body['a'] = '1'),
	q(DELETE FROM users), q(DELETE FROM users WHERE email LIKE 'E%' AND age >= 0), q(DELETE FROM public.part WHERE (note) <> 'where'), q(UPDATE users u SET age = 4; UPDATE ONLY users SET team = 2; DELETE FROM users USING team WHERE team.id = users.id),
	q(-- a column that has to be filled
		ALTER TABLE users ADD COLUMN full_name text; /* fill; it */
		UPDATE users SET full_name = first || ' ' || last; -- all
		ALTER TABLE users ALTER COLUMN full_name SET NOT NULL, ADD CHECK (full_name <> '');
		CREATE INDEX ON users (full_name);
		ALTER TABLE users ADD UNIQUE (full_name, id);
		ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id)),
	'ALTER TABLE users ADD COLUMN uid bigserial; ALTER TABLE part ADD COLUMN s smallserial',
	q(ALTER TABLE users ADD COLUMN uid bigserial, ADD UNIQUE (uid), ADD COLUMN c2 int DEFAULT 2, ADD CHECK (c2 > 1), ALTER c2 SET NOT NULL;
		CREATE TABLE seen AS SELECT count(DISTINCT uid), min(uid), max(uid) FROM users; UPDATE users SET uid = -id),
	'ALTER TABLE team RENAME TO crew; CREATE TABLE team (id int); CREATE INDEX ON team (id); ALTER TABLE team ADD PRIMARY KEY (id)',
	q(SET search_path = "Odd Sch"; CREATE INDEX ON "Tab ""le" (a)),
	q(CREATE TABLE "Odd Sch".orders (total int); SET search_path = "Odd Sch"; ALTER TABLE orders ADD CHECK (total > 0)),
	'DROP INDEX keyed_team_idx; CREATE UNIQUE INDEX ON keyed (team, n)', 'CREATE INDEX p_at ON part (at); CREATE INDEX IF NOT EXISTS p_at ON part (at)',
	q(CREATE INDEX U&"d\0061t" ON U&"\0075sers" (U&"\0065mail")), 'UPDATE team SET boss = boss + 1',
	'CREATE TEMP TABLE team (id int, at date); CREATE INDEX ON team (at); ALTER TABLE team ADD PRIMARY KEY (id)',
	q(ALTER TABLE team RENAME TO crew; ALTER TABLE crew ADD PRIMARY KEY (id); ALTER TABLE crew RENAME boss TO chief; ALTER TABLE crew ALTER chief SET NOT NULL),
	# names that statements before have taken, or given back
	'CREATE INDEX ON users (lower(first)); CREATE INDEX ON users (lower(last))',
	'ALTER TABLE orders ADD CHECK (total > 0); ALTER TABLE orders ADD CHECK (total < 9999)',
	'ALTER TABLE orders ADD COLUMN c int CHECK (c > 0), ADD CHECK (c < 9)',
	'ALTER TABLE orders ADD UNIQUE (code), ADD UNIQUE (code) DEFERRABLE',
	'ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (id, email)',
	'ALTER TABLE users DROP CONSTRAINT users_pkey; ALTER TABLE users ADD PRIMARY KEY (id, email)',
	'DROP INDEX keyed_team_idx; CREATE UNIQUE INDEX ON keyed (team)',
	# what statements before have changed
	'DROP INDEX keyed_team_idx; REFRESH MATERIALIZED VIEW keyed',
	'REFRESH MATERIALIZED VIEW keyed WITH NO DATA; REFRESH MATERIALIZED VIEW keyed',
	'CREATE TABLE part_3 PARTITION OF part FOR VALUES FROM (9000) TO (9999); CREATE INDEX ON part (at)',
	'ALTER TABLE part DETACH PARTITION part_1; CREATE INDEX ON part (at)',
	'DROP TABLE team; CREATE TABLE team (id int, at date) PARTITION BY RANGE (id); CREATE TABLE team_1 PARTITION OF team DEFAULT; CREATE INDEX ON team (at)',
	'SET LOCAL search_path = "Odd Sch"; CREATE INDEX ON "Tab ""le" (a)',
	# order within a statement
	'ALTER TABLE team ADD FOREIGN KEY (boss) REFERENCES team (id), ADD PRIMARY KEY (id)',
	'ALTER TABLE team ADD COLUMN x int REFERENCES team (id), ADD PRIMARY KEY (id)',
	'ALTER TABLE team ADD COLUMN x int CHECK (x > 0) REFERENCES team (id), ADD COLUMN y int DEFAULT 3 REFERENCES team (id), ADD PRIMARY KEY (id)',
	'ALTER TABLE team ALTER id SET NOT NULL, ALTER id ADD GENERATED ALWAYS AS IDENTITY',
	'ALTER TABLE team ADD CONSTRAINT k PRIMARY KEY (id), CLUSTER ON k', 'ALTER TABLE team ADD CONSTRAINT k PRIMARY KEY (id), REPLICA IDENTITY USING INDEX k',
	'ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users, ALTER CONSTRAINT f DEFERRABLE',
	'ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0), ADD CONSTRAINT d CHECK (total > 1) NOT VALID, VALIDATE CONSTRAINT d, VALIDATE CONSTRAINT c',
	# partitions
	'CREATE INDEX p_at ON part_1 (at); CREATE INDEX ON part (at)', 'CREATE INDEX ON part (note)', 'CREATE INDEX IF NOT EXISTS p_there ON part (id, note)', 'CREATE INDEX IF NOT EXISTS p_there ON part (at)',
	'CREATE INDEX ON spread (b)', 'CREATE INDEX ON remote (b)',
	'CREATE INDEX ON part ((part.id + 1)) WHERE part.note IS NOT NULL',
	'ALTER TABLE ONLY base ALTER v SET NOT NULL', 'ALTER TABLE derived ALTER v SET NOT NULL; ALTER TABLE ONLY base ADD PRIMARY KEY (v)',
	# names
	'ALTER TABLE orders ADD CHECK (orders IS NOT NULL)', 'ALTER TABLE orders ADD CHECK ((orders).total > 0)', 'ALTER TABLE orders ADD UNIQUE (code) INCLUDE (code)',
	q(CREATE INDEX u ON U&"us!0065rs" UESCAPE '!' (email)), q(ALTER TABLE U&"us!0065rs" UESCAPE '!' ADD CHECK (age > -1)),
	'CREATE UNIQUE INDEX ON part (id); ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES part (id)',
	'REINDEX (CONCURRENTLY false) INDEX public."Two"', 'REINDEX INDEX no_overlap', 'REINDEX TABLE other', 'REINDEX TABLE pg_catalog.pg_enum',
	'ALTER TABLE orders ADD CHECK (total > 0) NOT VALID, ADD CHECK (total < 9999)',
	'CREATE TEMP TABLE stage ON COMMIT DROP AS SELECT 1 AS id; UPDATE users SET age = 7 FROM stage WHERE stage.id = users.id',
	'ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people; UPDATE users SET age = 3',
	# rows
	'UPDATE part SET note = upper(note)', 'UPDATE users SET at = now(); CREATE TABLE seen AS SELECT count(DISTINCT at) FROM users; ALTER TABLE users DROP COLUMN at', 'UPDATE users SET at = now() WHERE team >= 0; CREATE TABLE seen AS SELECT count(DISTINCT at) FROM users; ALTER TABLE users DROP COLUMN at',
	'ALTER TABLE users DROP CONSTRAINT users_pkey; UPDATE users SET age = age + 1', 'DELETE FROM base',
	'DELETE FROM tree', 'DELETE FROM users WHERE id <> (SELECT min(id) + 5000 FROM users)', 'UPDATE users SET age = (SELECT max(age) + 1 FROM users)', 'UPDATE users SET id = id + 100000', 'UPDATE users SET email = public.users.first || users.last', 'UPDATE part SET id = 8999 - id',
	'UPDATE base SET v = v + 1',
	q(UPDATE public.users AS "U" SET email = "U".first || "U" . last, age = id % 7 WHERE "U".id > 3; UPDATE users "set" SET age = "set".age * 2 WHERE "set".age > 1; DELETE FROM users u WHERE u.id > 100 AND u.team = 2), 'UPDATE users u SET first = (u).last, last = u::text',
	# keys in the place of others
	'ALTER TABLE team ADD CONSTRAINT k UNIQUE (id); ALTER TABLE team DROP CONSTRAINT k, ADD CONSTRAINT k UNIQUE (id, name), ADD CONSTRAINT p PRIMARY KEY (id), ALTER id SET NOT NULL',
	'ALTER TABLE orders ADD CHECK (total < 9999), ADD CHECK (total > 0) NOT VALID, ADD CHECK (total + id > 0)',
	# constraints that hold in the end only
	q(ALTER TABLE users ADD CONSTRAINT d UNIQUE (at) DEFERRABLE; UPDATE users SET at = at + interval '1 minute'), 'UPDATE tree SET parent = NULL WHERE id > 0',
	q(UPDATE users SET at = CURRENT_TIMESTAMP(0), email = localtimestamp::text || pg_catalog.now() || transaction_timestamp() WHERE at < now(); UPDATE users SET at = NULL, email = NULL WHERE at = date_trunc('second', at)),
	# identity
	'ALTER TABLE users ADD COLUMN n int GENERATED ALWAYS AS IDENTITY',
	'ALTER TABLE users ADD COLUMN n bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY (START WITH 5 INCREMENT BY 2) UNIQUE CHECK (n > 0), ADD COLUMN z text, ADD CHECK (n > 1)',
	'ALTER TABLE orders ADD n bigint GENERATED ALWAYS AS IDENTITY', 'ALTER TABLE users ADD m int GENERATED ALWAYS AS (age + 1) STORED',
	'ALTER TABLE orders ADD c int DEFAULT 3 NOT NULL CONSTRAINT small CHECK (c < 9) REFERENCES other (a), ADD d text COLLATE "C" UNIQUE DEFERRABLE CHECK (length(d) > 2), ADD e int NOT NULL DEFAULT 0, ADD CHECK (c < 8)',
	# partitions come and go
	q(CREATE TABLE "Part 9" (note text, id int, at date); INSERT INTO "Part 9" SELECT 'x', g FROM generate_series(9000, 9998) g; ANALYZE "Part 9"; ALTER TABLE part ATTACH PARTITION "Part 9" FOR VALUES FROM (9000) TO (9000 + 999); CREATE INDEX ON part (at)),
	q(CREATE TABLE p9 (LIKE part INCLUDING ALL, CHECK (id IS NOT NULL AND id >= 9000 AND id < 9999)); ALTER TABLE part ATTACH PARTITION p9 FOR VALUES FROM (9000) TO (9999)),
	q(CREATE TABLE sd PARTITION OF spread DEFAULT; INSERT INTO spread VALUES (9, 9), (NULL, 2); CREATE TABLE s5 (b int, a int); INSERT INTO s5 VALUES (5, 5); ANALYZE sd, s5; ALTER TABLE spread ATTACH PARTITION s5 FOR VALUES IN (5, 6); ALTER TABLE spread DETACH PARTITION s5),
	q(CREATE TABLE nest (LIKE part) PARTITION BY RANGE (id); CREATE TABLE nest_1 PARTITION OF nest FOR VALUES FROM (9000) TO (9500); INSERT INTO nest VALUES (9001); ANALYZE nest_1; ALTER TABLE ONLY part ATTACH PARTITION nest FOR VALUES FROM (9000) TO (9600)),
	q(CREATE TABLE h (a text, b int) PARTITION BY HASH (a, b); CREATE TABLE h0 (LIKE h); ALTER TABLE h ATTACH PARTITION h0 FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE hd PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1); ALTER TABLE h DETACH PARTITION hd),
	q(CREATE TABLE sd (LIKE spread); INSERT INTO sd VALUES (9, 9); ANALYZE sd; ALTER TABLE spread ATTACH PARTITION sd DEFAULT),
	q(CREATE INDEX ON spread (b); CREATE INDEX ON spread ((b + 1), b) WITH (fillfactor = 70) WHERE a > b; CREATE INDEX ON spread (b); CREATE UNIQUE INDEX ON spread (a, b);
		ALTER TABLE spread ADD PRIMARY KEY (b, a), ADD UNIQUE (a, b) DEFERRABLE, ADD UNIQUE (a) INCLUDE (b), ADD CONSTRAINT "F k" FOREIGN KEY (b) REFERENCES other (a) ON DELETE CASCADE, ADD FOREIGN KEY (b) REFERENCES other (a) DEFERRABLE;
		CREATE TABLE s5 (b int NOT NULL, x int, a int NOT NULL); ALTER TABLE s5 DROP x; INSERT INTO s5 SELECT 7, 5; ANALYZE s5; ALTER TABLE spread ATTACH PARTITION s5 FOR VALUES IN (5)),
	q(CREATE INDEX ON spread (b); CREATE INDEX ON spread (b DESC); ALTER TABLE spread ADD UNIQUE (a, b), ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES other (a);
		CREATE TABLE s5 (b int, a int); CREATE INDEX mine ON s5 (b); CREATE INDEX s5_b_idx ON s5 (a); CREATE UNIQUE INDEX no_constraint ON s5 (a, b); ALTER TABLE s5 ADD CONSTRAINT f CHECK (b > 0), ADD CONSTRAINT mine FOREIGN KEY (b) REFERENCES other (a) ON DELETE CASCADE; INSERT INTO s5 SELECT g, 5 FROM generate_series(1, 100) g;
		ANALYZE s5; ALTER TABLE spread ATTACH PARTITION s5 FOR VALUES IN (5)),
	q(CREATE INDEX ON part (at, note); CREATE TABLE nest (note text, id int, at date) PARTITION BY RANGE (id); CREATE TABLE nest_1 PARTITION OF nest FOR VALUES FROM (9000) TO (9500); INSERT INTO nest VALUES ('x', 9001); ANALYZE nest_1; ALTER TABLE part ATTACH PARTITION nest FOR VALUES FROM (9000) TO (9600)),
	q(ALTER TABLE part ADD PRIMARY KEY (id); CREATE TABLE nest (LIKE part INCLUDING CONSTRAINTS) PARTITION BY RANGE (id); CREATE TABLE nest_1 PARTITION OF nest FOR VALUES FROM (9000) TO (9500); INSERT INTO nest VALUES (9001); ANALYZE nest_1; ALTER TABLE part ATTACH PARTITION nest FOR VALUES FROM (9000) TO (9600)),
	'ALTER TABLE part DETACH PARTITION part_1', 'ALTER TABLE part_2 DETACH PARTITION "Part_2 2"; ALTER TABLE "part" DETACH PARTITION part_2',
	# what has no other form
	'ALTER TABLE other SET UNLOGGED', 'ALTER TABLE other ADD EXCLUDE USING gist (during WITH &&)', 'CLUSTER users USING users_pkey', 'LOCK TABLE users; CREATE INDEX ON users (age)',
	q(CREATE RULE r AS ON INSERT TO users DO ALSO NOTHING; ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid(); ALTER TABLE users DROP COLUMN token),
);

# The same for what cannot run in a transaction block.
my @alone = ('REINDEX SCHEMA "Odd Sch"', 'REINDEX SCHEMA public', 'REINDEX TABLE part', 'CREATE INDEX CONCURRENTLY c ON users (age)');

@same = grep { /(?:$only)/ } @same;
@same = (shuffle(@same))[ 0 .. $count - 1 ] if $count < @same;
is(difference($_), '', $_) foreach @same;
is(difference($_, 1), '', $_) foreach grep { /(?:$only)/ } @alone;
cmp_ok($apart, '>', @same / 2, "$apart scripts come apart") if $only eq '';
done_testing();
