#!/usr/bin/env bash
#
# migrations.sh  measures what migrations cost beside psql, on one throw-away
# server.
#
# Every figure is a ratio of whole commands run in turn, A B A B, and the median
# of RUNS pairs.  Each run has a database of its own, copied from a template
# that holds what the run needs.

set -euo pipefail
here=$(dirname "$0")
# shellcheck source=test/bench/lib.sh
. "$here/lib.sh"

RUNS=${RUNS:-5}
dir=$WORK/migrations
mkdir -p "$dir"
trap 'stop_servers "$dir"' EXIT
start_server "$dir" "shared_buffers = 512MB" "max_locks_per_transaction = 2048" \
	"autovacuum = off" "max_wal_size = 8GB" "checkpoint_timeout = 1h"

# fresh TEMPLATE  makes database "work" a copy of a template
fresh()
{
	sql -d postgres -c "DROP DATABASE IF EXISTS work" -c "CREATE DATABASE work TEMPLATE $1"
	sql -d postgres -c CHECKPOINT
}

# ours TEMPLATE QUERY, theirs TEMPLATE FILE  one run, on a fresh copy
ours()
{
	fresh "$1"
	millis sql -d work -c "$2" >>"$dir/ours"
}

theirs()
{
	fresh "$1"
	millis sql -d work -1 -f "$2" >>"$dir/theirs"
}

# pairs NAME TEMPLATE FILE QUERY  times QUERY against psql -1 -f FILE
pairs()
{
	local name=$1 template=$2 file=$3 query=$4 i

	: >"$dir/ours"
	: >"$dir/theirs"
	for ((i = 0; i < RUNS; i++)); do
		if ((i % 2 == 0)); then
			ours "$template" "$query"
			theirs "$template" "$file"
		else
			theirs "$template" "$file"
			ours "$template" "$query"
		fi
	done
	paste "$dir/ours" "$dir/theirs" | awk '{print $1 / $2}' >"$dir/ratios"
	printf '%-44s %10.1f %10.1f %8.2f\n' "$name" "$(median <"$dir/ours")" \
		"$(median <"$dir/theirs")" "$(median <"$dir/ratios")"
}

table_script()
{
	printf 'CREATE TABLE bench_%06d (id bigint PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now());\n' "$1"
}

# many N  N registered migrations of one small table each, and the same file
many()
{
	local n=$1 i

	for ((i = 1; i <= n; i++)); do table_script "$i"; done >"$dir/many_$n.sql"
	create_template "many_$n"
	sql -d "many_$n" -c "SELECT count(migrate.register(
		format('%s_bench', lpad(i::text, 6, '0')),
		format(E'CREATE TABLE bench_%s (id bigint PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now());\n',
			lpad(i::text, 6, '0')))) FROM generate_series(1, $n) i" >/dev/null
	sql -d "many_$n" -c "VACUUM ANALYZE"
}

# one NAME FILE  one migration with the statements of a file
one()
{
	create_template "$1"
	sql -d "$1" -v file="$2" <<-'SQL' >/dev/null
		CREATE TABLE items (id int PRIMARY KEY, name text, price numeric);
		INSERT INTO items SELECT i, 'item ' || i, i FROM generate_series(1, 1000) i;
		\lo_import :file
		SELECT migrate.register('one', lo_get(:LASTOID));
		\lo_unlink :LASTOID
	SQL
}

hundred_tables()
{
	local i
	for ((i = 1; i <= 100; i++)); do table_script "$i"; done
}

hundred_mixed()
{
	local i
	for ((i = 1; i <= 20; i++)); do
		table_script "$i"
		printf 'ALTER TABLE bench_%06d ADD COLUMN note text;\n' "$i"
		printf 'CREATE INDEX ON bench_%06d (name);\n' "$i"
		printf "INSERT INTO bench_%06d SELECT i, 'n' || i FROM generate_series(1, 100) i;\n" "$i"
		printf 'UPDATE items SET price = price + 1 WHERE id %% 20 = %d;\n' $((i - 1))
	done
}

hundred_inserts()
{
	local i
	for ((i = 1; i <= 100; i++)); do
		printf "INSERT INTO items VALUES (%d, 'new', 1);\n" $((1000 + i))
	done
}

printf '%s, %s cores, medians of %s pairs\n\n' "$(sql -d postgres -c 'SHOW server_version')" \
	"$(nproc)" "$RUNS"
printf '%-44s %10s %10s %8s\n' "" "pgmigrate" "psql -1 -f" ratio
printf '%-44s %10s %10s\n' "whole commands" "ms" "ms"

many 1000
many 10000
pairs "apply_all(), 1000 migrations of one table" many_1000 "$dir/many_1000.sql" \
	"SELECT count(*) FROM migrate.apply_all()"
small=$(median <"$dir/ours")
small_plain=$(median <"$dir/theirs")
pairs "apply_all(), 10000 migrations of one table" many_10000 \
	"$dir/many_10000.sql" "SELECT count(*) FROM migrate.apply_all()"
large=$(median <"$dir/ours")
plain=$(median <"$dir/theirs")

for kind in tables mixed inserts; do
	"hundred_$kind" >"$dir/hundred_$kind.sql"
	one "hundred_$kind" "$dir/hundred_$kind.sql"
	pairs "apply(), one migration of 100 $kind" "hundred_$kind" "$dir/hundred_$kind.sql" \
		"SELECT migrate.apply('one')"
done

awk "BEGIN {printf \"\\ntime per migration, 10000 against 1000: %.2f (per statement of the file by psql: %.2f)\\n\",
	$large / 10 / $small, $plain / 10 / $small_plain}"

# status() over 10,000 applied ones, inside the server
fresh many_10000
sql -d work -c "SELECT count(*) FROM migrate.apply_all()" -c "VACUUM ANALYZE" >/dev/null
for ((i = 0; i < RUNS; i++)); do
	sql -d work -c "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON) SELECT * FROM migrate.status()" |
		sed -n 's/^Execution Time: \([0-9.]*\) ms$/\1/p'
done >"$dir/status"
printf 'status() over 10000 migrations: %.1f ms\n' "$(median <"$dir/status")"

bash "$here/locks.sh"
