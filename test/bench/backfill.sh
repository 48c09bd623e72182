#!/usr/bin/env bash
#
# backfill.sh  measures backfills beside what else fills a column, on one
# throw-away server, and prints the tables of doc/performance.md.
#
# The job: "users" has got a column full_name, and every row is to have its
# first and last name in it.  In each round the methods do it one after the
# other, each on a fresh copy of the table; the next round has them in the
# opposite order.  One plain UPDATE is the measure of all.  What is there for
# comparison, and takes its time, does only one round.
#
# ROWS, RUNS   size of the tables, and number of rounds
# STEPS        what to do, of: shapes loop growth memory progress
# SHAPES       table shapes, of: three pk uuid wide fillfactor partitioned
# METHODS      for all of these shapes, of: plain engine engine2 unpacked keyset
#              rewrite pgroll loop
# ALL_RUNS     1: all rounds for all
# PGROLL       the program of that name, if it is not on the PATH
# FSYNC        setting of the server

set -euo pipefail
here=$(dirname "$0")
# shellcheck source=test/bench/lib.sh
. "$here/lib.sh"

RUNS=${RUNS:-3}
STEPS=${STEPS:-shapes loop growth memory progress}
SHAPES=${SHAPES:-three pk uuid wide fillfactor partitioned}
ONCE="unpacked keyset pgroll rewrite"
PGROLL=${PGROLL:-$(command -v pgroll || true)}
dir=$WORK/backfill
mkdir -p "$dir"
trap 'stop_servers "$dir"' EXIT
begin=$SECONDS
start_fill_server "$dir" "fsync = ${FSYNC:-off}"

# default_methods SHAPE
default_methods()
{
	case $1 in
		three) echo "plain engine engine2 unpacked keyset ${PGROLL:+pgroll} rewrite" ;;
		*) echo "plain engine" ;;
	esac
}

# title NAME  of a shape, or of a method
title()
{
	case $1 in
		three) echo "Three indexes" ;;
		pk) echo "Primary key only" ;;
		uuid) echo "uuid key, two more indexes" ;;
		wide) echo "Wide rows with TOAST, three indexes" ;;
		fillfactor) echo "Fillfactor 70, three indexes" ;;
		partitioned) echo "Four partitions, three indexes each" ;;
		plain) echo "one plain UPDATE" ;;
		engine) echo "backfill, one lane" ;;
		engine2) echo "backfill, two lanes" ;;
		unpacked) echo "backfill, one lane, packing off" ;;
		keyset) echo "procedure by key, COMMIT per 1000 rows" ;;
		rewrite) echo "GENERATED STORED column (rewrite, table locked)" ;;
		pgroll) echo "pgroll start" ;;
		loop) echo "the guides' loop, LIMIT 1000" ;;
	esac
}

# rows_of SHAPE  The wide ones take some twenty times the space.
rows_of()
{
	case $1 in
		wide) echo $((ROWS / 10)) ;;
		*) echo "$ROWS" ;;
	esac
}

# rounds_of SHAPE
rounds_of()
{
	case $1 in
		three | pk | uuid) echo "$RUNS" ;;
		*) if [ "${ALL_RUNS:-}" = 1 ]; then echo "$RUNS"; else echo 1; fi ;;
	esac
}

# has WORD LIST
has()
{
	case " $2 " in *" $1 "*) ;; *) return 1 ;; esac
}

# pgroll_command ARG...
pgroll_command()
{
	"$PGROLL" --postgres-url "postgres://$PGUSER@/work?host=$PGHOST&port=$PGPORT" "$@"
}

# prepare METHOD  what is not timed: all but the filling, where that can be told apart
prepare()
{
	case $1 in
		rewrite) ;;
		pgroll)
			pgroll_command init
			pgroll_command baseline --yes 1_baseline "$dir/pgroll"
			cat >"$dir/pgroll/2_fill.json" <<-JSON
				{"operations": [{"add_column": {"table": "users", "up": "$FULL_NAME",
				  "column": {"name": "full_name", "type": "text", "nullable": true}}}]}
			JSON
			;;
		*) sql -d work -c "ALTER TABLE users ADD COLUMN full_name text" ;;
	esac >"$dir/prepare.log" 2>&1 || { cat "$dir/prepare.log" >&2; return 1; }
	case $1 in
		keyset) keyset_procedure ;;
		loop) loop_procedure ;;
		unpacked) sql -d work -c "ALTER DATABASE work SET pgmigrate.backfill_packing = off" ;;
	esac
	sql -d postgres -c CHECKPOINT
}

keyset_procedure()
{
	sql -d work <<-SQL
		CREATE PROCEDURE fill() LANGUAGE plpgsql AS \$\$
		DECLARE
			done bigint := 0;
			upto bigint;
		BEGIN
			LOOP
				SELECT max(id) INTO upto
					FROM (SELECT id FROM users WHERE id > done ORDER BY id LIMIT 1000) batch;
				EXIT WHEN upto IS NULL;
				UPDATE users SET full_name = $FULL_NAME WHERE id > done AND id <= upto;
				COMMIT;
				done := upto;
			END LOOP;
		END \$\$;
	SQL
}

loop_procedure()
{
	sql -d work <<-SQL
		CREATE PROCEDURE fill() LANGUAGE plpgsql AS \$\$
		BEGIN
			LOOP
				UPDATE users SET full_name = $FULL_NAME
					WHERE id IN (SELECT id FROM users WHERE full_name IS NULL LIMIT 1000);
				EXIT WHEN NOT FOUND;
				COMMIT;
			END LOOP;
		END \$\$;
	SQL
}

# fill METHOD  what is timed
fill()
{
	case $1 in
		plain) sql -d work -c "UPDATE users SET full_name = $FULL_NAME" ;;
		keyset | loop) sql -d work -c "CALL fill()" ;;
		rewrite) sql -d work -c "ALTER TABLE users ADD COLUMN full_name text
			GENERATED ALWAYS AS ($FULL_NAME) STORED" ;;
		pgroll) pgroll_command start "$dir/pgroll/2_fill.json" >"$dir/pgroll.log" 2>&1 ||
			{ cat "$dir/pgroll.log" >&2; return 1; } ;;
		engine | unpacked) fill_with_engine 1 ;;
		engine2) fill_with_engine 2 ;;
	esac
}

# sizes [TABLE]  prints the bytes of a table, without its maps, and of its indexes
sizes()
{
	sql -d work -F ' ' -c "SELECT sum(pg_relation_size(oid) +
			coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0)), sum(pg_indexes_size(oid))
		FROM pg_class WHERE oid = '${1:-users}'::regclass OR
			oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '${1:-users}'::regclass)"
}

# fresh_size SHAPE  prints the bytes that the rows take in a new table
fresh_size()
{
	local with=""

	if [ "$1" = fillfactor ]; then with="WITH (fillfactor = 70)"; fi
	sql -d work -c "CREATE TABLE copy (LIKE users INCLUDING STORAGE) $with" \
		-c "INSERT INTO copy SELECT * FROM users"
	sizes copy | cut -d ' ' -f 1
	sql -d work -c "DROP TABLE copy"
}

# engine_figures  prints the share of HOT updates in percent, the milliseconds
# from the first batch to the end, and the number of batches
engine_figures()
{
	sql -d work -F ' ' -c "SELECT round(100.0 * sum(hot_rows) / greatest(sum(rows), 1), 1),
			(SELECT round(duration_ms) FROM migrate.backfill_history WHERE name = 'fill'),
			sum(batches)
		FROM migrate.backfill_lane"
}

# run GROUP TEMPLATE METHOD ROUND  one run on a fresh copy, and a line in
# "figures": group, method, round, ms, WAL, heap, indexes / before, HOT, own ms, batches
run()
{
	local group=$1 method=$3 before from ms wal heap indexes column=full_name engine="- - -"

	fresh_fill "$2"
	before=$(sizes | cut -d ' ' -f 2)
	prepare "$method"
	from=$(sql -d work -c "SELECT pg_current_wal_insert_lsn()")
	ms=$(millis fill "$method")
	wal=$(sql -d work -c "SELECT pg_current_wal_insert_lsn() - '$from'")
	read -r heap indexes < <(sizes)
	case $method in
		engine* | unpacked) engine=$(engine_figures) ;;
		pgroll) column=_pgroll_new_full_name ;;
	esac
	check_fill "$column"
	printf '%s %s %s %s %s %s %s %s\n' "$group" "$method" "$4" "$ms" "$wal" "$heap" \
		"$(calc "$indexes / $before" %.4f)" "$engine" >>"$dir/figures"
}

# warm_up TEMPLATE  The first run of a server makes the files of the WAL, which
# those after it use again.
warm_up()
{
	[ ! -e "$dir/warm" ] || return 0
	fresh_fill "$1"
	prepare plain
	fill plain
	: >"$dir/warm"
}

# rounds GROUP TEMPLATE SHAPE ROUNDS METHOD...  all methods, to and fro; those
# that are there for comparison in the first round only
rounds()
{
	local group=$1 template=$2 shape=$3 rounds=$4 round list method
	shift 4

	warm_up "$template"
	for ((round = 1; round <= rounds; round++)); do
		list=()
		for method in "$@"; do
			if ((round > 1)) && [ "${ALL_RUNS:-}" != 1 ] && has "$method" "$ONCE"; then continue; fi
			if ((round % 2)); then list+=("$method"); else list=("$method" ${list[@]+"${list[@]}"}); fi
		done
		for method in "${list[@]}"; do
			run "$group" "$template" "$method" "$round"
			if [ "$method" = plain ] && [ "$round" = 1 ]; then
				printf '%s %s\n' "$group" "$(fresh_size "$shape")" >>"$dir/fresh"
			fi
		done
	done
}

# values GROUP METHOD COLUMN [per]  prints a column of "figures" for a method, in
# each round; with "per", what it is to that of the plain UPDATE, or of the
# method "per", in the same round
values()
{
	awk -v group="$1" -v method="$2" -v column="$3" -v per="${4:-}" '
		$1 != group {next}
		per != "" && $2 == per {base[$3] = $column}
		$2 == method {value[$3] = $column}
		END {
			for (round in value)
				if (per == "") print value[round]
				else if (base[round] > 0) print value[round] / base[round]
		}' "$dir/figures"
}

# figure GROUP METHOD COLUMN [PER] [FORMAT]  their median, or "-"
figure()
{
	local value

	value=$(values "$1" "$2" "$3" "${4:-}" | sed '/^-$/d' | median)
	case $value in
		-) echo - ;;
		*) calc "$value" "${5:-%.2f}" ;;
	esac
}

# heap_figure GROUP METHOD  the heap against a new table with the same rows
heap_figure()
{
	local fresh

	fresh=$(awk -v group="$1" '$1 == group {print $2; exit}' "$dir/fresh" 2>/dev/null) || true
	calc "$(figure "$1" "$2" 6 '' %d) / ${fresh:-0}"
}

table_head()
{
	printf '| method | seconds | time | WAL | heap | indexes | HOT |\n'
	printf '|---|---:|---:|---:|---:|---:|---:|\n'
}

# table_line GROUP METHOD [NAME]
table_line()
{
	local hot

	hot=$(figure "$1" "$2" 8 '' %.0f%%)
	printf '| %s | %s | %s | %s | %s | %s | %s |\n' "${3:-$(title "$2")}" \
		"$(calc "$(figure "$1" "$2" 4 '' %.3f) / 1000")" "$(figure "$1" "$2" 4 plain)" \
		"$(figure "$1" "$2" 5 plain)" "$(heap_figure "$1" "$2")" "$(figure "$1" "$2" 7)" "$hot"
}

measure_shapes()
{
	local shape methods method

	for shape in $SHAPES; do
		create_users "$shape" "$shape" "$(rows_of "$shape")"
		methods=${METHODS:-$(default_methods "$shape")}
		# shellcheck disable=SC2086
		rounds "$shape" "$shape" "$shape" "$(rounds_of "$shape")" $methods
		printf '\n### %s, %s rows\n\n' "$(title "$shape")" "$(rows_of "$shape")"
		table_head
		for method in $methods; do table_line "$shape" "$method"; done
	done
}

# The loop looks for its rows from the start of the table each time, so that its
# time may grow with the square: two sizes, where it ends.
measure_loop()
{
	local rows group groups=()

	for rows in $((ROWS / 8)) $((ROWS / 2)); do
		group=loop_$rows
		create_users "$group" three "$rows"
		rounds "$group" "$group" three 1 plain loop
		groups+=("$group")
	done
	printf '\n### The loop of the guides, three indexes\n\n'
	table_head
	for group in "${groups[@]}"; do
		table_line "$group" plain "$(title plain), ${group#loop_} rows"
		table_line "$group" loop "$(title loop), ${group#loop_} rows"
	done
}

# growth_sizes  an eighth, a half and the double of ROWS
growth_sizes()
{
	echo $((ROWS / 8)) $((ROWS / 2)) $((ROWS * 2))
}

# growth_rounds ROWS  The largest takes its time, and is steadier.
growth_rounds()
{
	if [ "$1" -gt "$ROWS" ] && [ "${ALL_RUNS:-}" != 1 ]; then echo 1; else echo "$RUNS"; fi
}

measure_growth()
{
	local rows group us small=""

	for rows in $(growth_sizes); do
		create_users "growth_$rows" three "$rows"
		rounds "growth_$rows" "growth_$rows" three "$(growth_rounds "$rows")" engine
	done
	printf '\n### Growth, three indexes, one lane\n\n'
	printf '| rows | seconds | us per row | to the smallest | us per row from the first batch to the end |\n'
	printf '|---:|---:|---:|---:|---:|\n'
	for rows in $(growth_sizes); do
		group=growth_$rows
		us=$(calc "$(figure "$group" engine 4 '' %.3f) * 1000 / $rows" %.4f)
		small=${small:-$us}
		calc "$us / $small" >"$dir/growth"
		printf '| %s | %s | %s | %s | %s |\n' "$rows" \
			"$(calc "$(figure "$group" engine 4 '' %.3f) / 1000")" \
			"$(calc "$us")" "$(cat "$dir/growth")" \
			"$(calc "$(figure "$group" engine 9 '' %.3f) * 1000 / $rows")"
	done
}

# worker_memory  prints the kB of private memory that the workers have
worker_memory()
{
	local pid sum=0 part

	for pid in $(sql -d postgres -c "SELECT pid FROM pg_stat_activity
			WHERE datname = 'work' AND backend_type LIKE 'pgmigrate%'"); do
		part=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB$/\1/p' "/proc/$pid/status" 2>/dev/null) || part=0
		sum=$((sum + ${part:-0}))
	done
	echo "$sum"
}

# A job of very small batches: what it holds after a tenth of them, when every
# cache is filled, and at the end.  Samples without a worker do not count.
measure_memory()
{
	local rows=$((ROWS / 2)) job batches

	create_users memory pk "$rows"
	fresh_fill memory
	prepare engine
	sql -d work -c "SELECT migrate.backfill('users', \$\$full_name = $FULL_NAME\$\$,
			filter => 'full_name IS NULL', name => 'fill', lanes => 1, batch_rows => 10)" \
		-c "CALL migrate.wait('fill'::text)" >"$dir/memory.log" 2>&1 &
	job=$!
	while kill -0 "$job" 2>/dev/null; do
		printf '%s %s\n' "$(sql -d work -c "SELECT coalesce(sum(batches), 0) FROM migrate.backfill_lane")" \
			"$(worker_memory)"
		sleep 0.2
	done >"$dir/memory"
	wait "$job" || { cat "$dir/memory.log" >&2; die "the backfill failed"; }
	check_fill
	read -r _ _ batches < <(engine_figures)
	awk -v batches="$batches" '$2 > 0 && $1 >= batches / 10 {print $2}' "$dir/memory" >"$dir/samples"
	printf '\n### Memory of the worker, %s batches\n\n' "$batches"
	printf '| after a tenth, kB | at the end, kB | growth, kB |\n|---:|---:|---:|\n'
	awk 'NR == 1 {first = $1} {last = $1}
		END {if (NR) printf "| %d | %d | %d |\n", first, last, last - first; else print "| - | - | - |"}' \
		"$dir/samples" | tee "$dir/memory_line"
}

# sample FILE FLAG QUERY  a line every quarter of a second, while FLAG is there
sample()
{
	while [ -e "$2" ]; do
		printf '%s;\n' "$3"
		sleep 0.25
	done | sql -d work -F ' ' -f - >"$1"
}

# record METHOD  rows that are committed, and MB of the table with its indexes,
# by seconds since the start.  A plain UPDATE has no rows until its end.
record()
{
	local method=$1 file=$RESULTS/progress_$1.dat rows sampler start end size

	fresh_fill three
	prepare "$method"
	case $method in
		plain) rows=0 ;;
		*) rows="(SELECT coalesce(sum(rows), 0) FROM migrate.backfill_lane)" ;;
	esac
	size="pg_total_relation_size('users') / 1e6"
	: >"$file.on"
	sample "$file.samples" "$file.on" \
		"SELECT extract(epoch FROM clock_timestamp()), $rows, $size" &
	sampler=$!
	sleep 1
	start=$(date +%s.%N)
	fill "$method" >/dev/null
	end=$(date +%s.%N)
	rm "$file.on"
	wait "$sampler"
	size=$(sql -d work -c "SELECT $size")
	awk -v start="$start" -v end="$end" -v rows="$ROWS" -v size="$size" '
		$1 < end {printf "%.2f %s %s\n", $1 - start, $2, $3; last = $2}
		END {
			end -= start
			if (last == 0) printf "%.2f 0 %s\n", end, size
			printf "%.2f %s %s\n", end, rows, size
		}' "$file.samples" >"$file"
	rm "$file.samples"
}

record_progress()
{
	if ! has three "$SHAPES" || ! has shapes "$STEPS"; then create_users three three "$ROWS"; fi
	record plain
	record engine
}

print_targets()
{
	local reached

	printf '\n### What is to be reached\n\n| | measured | bound | |\n|---|---:|---:|---|\n'
	if has shapes "$STEPS"; then
		reached=$(figure three engine 4 pgroll %.3f)
		target "three indexes: time" "$(figure three engine 4 plain)" 0.65
		target "three indexes: WAL" "$(figure three engine 5 plain)" 0.65
		target "three indexes: heap" "$(heap_figure three engine)" 1.10
		target "three indexes: indexes" "$(figure three engine 7)" 1.10
		target "primary key only: time" "$(figure pk engine 4 plain)" 1.00
		target "primary key only: WAL" "$(figure pk engine 5 plain)" 0.75
		target "uuid key: time" "$(figure uuid engine 4 plain)" 0.75
		target "two lanes against one" "$(figure three engine2 4 engine)" 0.65
		target "one lane against pgroll" "$reached" 0.25
		target "two lanes against pgroll" "$(figure three engine2 4 pgroll %.3f)" 0.20
	fi
	if has growth "$STEPS"; then
		target "time per row, sixteenfold rows" "$(cat "$dir/growth")" 1.15
	fi
	if has memory "$STEPS"; then
		target "memory of the worker grows by" "$(awk '{print $6}' "$dir/memory_line")" 5120 " kB"
	fi
}

: >"$dir/figures"
: >"$dir/fresh"
printf '\n## Filling a column\n\n'
describe_machine fsync full_page_writes shared_buffers max_wal_size autovacuum
printf -- '- medians of %s rounds' "$RUNS"
if [ -n "$PGROLL" ]; then printf '; pgroll: %s' "$("$PGROLL" --version)"; fi
printf '\n'
for step in $STEPS; do
	case $step in
		progress) record_progress ;;
		shapes | loop | growth | memory) "measure_$step" ;;
		*) die "there is no step \"$step\"" ;;
	esac
done
print_targets
printf '\n%s seconds\n' $((SECONDS - begin))
