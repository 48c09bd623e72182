#!/usr/bin/env bash
#
# online.sh  measures what an application feels while a migration runs that
# would stop it: as it is written, in one transaction, and online.  On one
# throw-away server; prints the table of doc/performance.md.
#
# The application is pgbench with transactions of its own on both tables, held to
# SHARE percent of what the machine can do alone.  What pgbench logs as the time
# of a transaction counts from when it was due, so what stood in line behind a
# stall is in it, and behind a disk that is busy.  How long a transaction was
# held up itself is that less the time before it began.  An error ends a client of
# pgbench, so that is counted too.
#
# ROWS         users; there are twice as many orders
# RUNS         rounds
# SHARE, RATE  load, in percent of what is possible, or in transactions per second
# FSYNC        setting of the server

set -euo pipefail
here=$(dirname "$0")
# shellcheck source=test/bench/lib.sh
. "$here/lib.sh"

RUNS=${RUNS:-3}
SHARE=${SHARE:-30}
CLIENTS=4
WARM=4
dir=$WORK/online
mkdir -p "$dir"
trap 'stop_servers "$dir"' EXIT
begin=$SECONDS
start_fill_server "$dir" "fsync = ${FSYNC:-on}"

cat >"$dir/script.sql" <<'SQL'
ALTER TABLE users ADD COLUMN full_name text;
UPDATE users SET full_name = first_name || ' ' || last_name;
ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;
CREATE INDEX users_full_name_idx ON users (full_name);
ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE users ALTER COLUMN age TYPE int USING age::int;
SQL

# What the application does has to be valid before, during and after the script.
cat >"$dir/load.sql" <<'SQL'
\set read random(1, :rows)
\set write random(1, :rows)
\set item random(1, 2 * :rows)
\set die random(1, 10)
SELECT first_name, last_name, age FROM users WHERE id = :read;
UPDATE users SET balance = balance + 1 WHERE id = :write;
UPDATE orders SET amount = amount + 1 WHERE id = :item;
\if :die = 1
INSERT INTO orders (user_id, amount) VALUES (:read, 1);
UPDATE users SET age = '42' WHERE id = :read;
\endif
SQL

create_shop()
{
	create_template shop
	sql -d shop <<-SQL
		CREATE TABLE users (id bigint PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL,
			email text NOT NULL, age text, balance bigint NOT NULL);
		INSERT INTO users SELECT i, substr(h, 1, 6), substr(h, 7, 8), substr(h, 15, 10) || '@example.com',
			(i % 90)::text, i % 1000
			FROM (SELECT i, md5(i::text) AS h FROM generate_series(1, $ROWS) i) g;
		CREATE INDEX users_email_idx ON users (email);
		CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			user_id bigint NOT NULL, amount bigint NOT NULL);
		INSERT INTO orders (user_id, amount) SELECT 1 + i % $ROWS, i % 500 FROM generate_series(1, 2 * $ROWS) i;
		VACUUM ANALYZE users, orders;
	SQL
}

# application NAME ARG...  pgbench, with its log and output under that name
application()
{
	local name=$1
	shift

	"$BINDIR/pgbench" -n -c "$CLIENTS" -j 2 -f "$dir/load.sql" -D "rows=$ROWS" \
		--log --log-prefix="$dir/$name" "$@" work >"$dir/$name.out" 2>&1
}

tps_alone()
{
	fresh_fill shop
	application full -T $((WARM + 6))
	awk -v warm="$WARM" '{s = $5 + $6 / 1e6; if (from == "" || s < from) from = s; at[NR] = s}
		END {
			for (i in at) if (at[i] >= from + warm) n++
			printf "%d\n", n / 6
		}' "$dir"/full.[0-9]*
}

migrate()
{
	case $1 in
		alone) sleep 15 ;;
		plain) sql -d work --single-transaction -f "$dir/script.sql" ;;
		online)
			sql -d work -v "script=$(cat "$dir/script.sql")" <<-'SQL'
				SELECT migrate.register('bench', :'script');
				SELECT migrate.apply('bench');
				CALL migrate.wait('bench');
			SQL
			;;
	esac >/dev/null
}

# shape NAME  keeps what the schema has become, without the order of columns
shape()
{
	"$BINDIR/pg_dump" --schema-only --no-comments -d work -t users -t orders |
		grep -vE '^(--|[\]|$)' | sed 's/,$//' | sort >"$dir/shape.$1"
}

# run CASE ROUND
run()
{
	local name=$1_$2 pid from to

	fresh_fill shop
	sql -d postgres -c CHECKPOINT
	sync -f "$dir/data"
	application "$name" -T 3600 -R "$RATE" &
	pid=$!
	sleep "$WARM"
	from=$(date +%s.%N)
	migrate "$1"
	to=$(date +%s.%N)
	sleep 3
	sql -d postgres -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = 'pgbench'" >/dev/null
	wait "$pid" || true
	if [ "$1" != alone ]; then shape "$1"; fi
	cat "$dir/$name".[0-9]* | awk -v from="$from" -v to="$to" '
		$5 + $6 / 1e6 >= from && $5 + $6 / 1e6 - $3 / 1e6 <= to {print $3 / 1000, ($3 - $7) / 1000}' | sort -g |
		awk -v what="$1 $(calc "$to - $from" %.2f)" -v failed="$(failures "$name")" '
			{v[++n] = $1; if ($2 > held) held = $2}
			END {i = int(0.99 * n); print what, v[int(n / 2) + 1], v[i < n ? i + 1 : n], v[n], held, failed}' >>"$dir/figures"
}

# failures NAME  errors that were not our ending of the sessions
failures()
{
	grep -c 'ERROR' "$dir/$1.out" || true
}

figure()
{
	awk -v name="$1" -v column="$2" '$1 == name {print $column}' "$dir/figures" | median
}

title()
{
	case $1 in
		alone) echo "pgbench alone" ;;
		plain) echo "the script in one transaction" ;;
		online) echo "the script online" ;;
	esac
}

print_table()
{
	local name

	printf '| | seconds | p50 ms | p99 ms | longest ms | held up ms | statements that failed |\n'
	printf '|---|---:|---:|---:|---:|---:|---:|\n'
	for name in alone plain online; do
		printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$(title "$name")" \
			"$(calc "$(figure "$name" 2)" %.1f)" "$(calc "$(figure "$name" 3)")" \
			"$(calc "$(figure "$name" 4)")" "$(calc "$(figure "$name" 5)" %.0f)" \
			"$(calc "$(figure "$name" 6)" %.0f)" "$(figure "$name" 7)"
	done
}

worst()
{
	awk -v name="$1" -v column="$2" '$1 == name && $column > worst {worst = $column} END {print worst + 0}' "$dir/figures"
}

: >"$dir/figures"
create_shop
full=$(tps_alone)
RATE=${RATE:-$((full * SHARE / 100))}
printf '\n## A migration beside an application\n\n'
describe_machine fsync synchronous_commit full_page_writes shared_buffers max_wal_size autovacuum
printf -- '- %s users, %s orders\n' "$ROWS" "$((2 * ROWS))"
printf -- '- pgbench: %s clients, %s transactions/s alone and unlimited, held to %s\n' \
	"$CLIENTS" "$full" "$RATE"
printf -- '- medians of %s rounds; the targets are for the worst of all\n\n' "$RUNS"
for ((round = 1; round <= RUNS; round++)); do
	for name in alone plain online; do run "$name" "$round"; done
	diff "$dir/shape.plain" "$dir/shape.online" >"$dir/difference" ||
		{ cat "$dir/difference" >&2; die "the tables differ from what the plain script makes of them"; }
done
print_table
printf '\n### What is to be reached\n\n| | measured | bound | |\n|---|---:|---:|---|\n'
target "statements that failed" "$(worst online 7)" 0
target "longest that a transaction was held up" "$(calc "$(worst online 6)" %.0f)" 250 " ms"
target "time, to the script in one transaction" "$(calc "$(figure online 2) / $(figure plain 2)")" 2.5
printf '\n%s seconds\n' $((SECONDS - begin))
