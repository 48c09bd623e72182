#!/usr/bin/env bash
#
# foreground.sh  measures what an application feels while a column is filled
# beside it, on one throw-away server, and prints the table of
# doc/performance.md.
#
# The application is pgbench, with transactions of its own on the same table: a
# row read by its key, another one updated, now and then one inserted.  It is
# held to SHARE percent of what the machine can do alone, since an application
# that takes all it can get would only measure how the two share the machine.
# What pgbench logs as the time of a transaction counts from when it was due:
# what stood in line behind a stall is in it.
#
# ROWS, RUNS   twice the size of the table, and number of rounds of all cases
# CASES        of: alone plain engine
# ALONE        seconds of the case "alone"
# SHARE        percent, see above
# RATE         transactions per second, instead of SHARE
# FSYNC        setting of the server

set -euo pipefail
here=$(dirname "$0")
# shellcheck source=test/bench/lib.sh
. "$here/lib.sh"

RUNS=${RUNS:-3}
CASES=${CASES:-alone plain engine}
ALONE=${ALONE:-15}
SHARE=${SHARE:-30}
CLIENTS=4
WARM=4
rows=$((ROWS / 2))
dir=$WORK/foreground
mkdir -p "$dir"
trap 'stop_servers "$dir"' EXIT
begin=$SECONDS
start_fill_server "$dir" "fsync = ${FSYNC:-on}"

title()
{
	case $1 in
		alone) echo "pgbench alone" ;;
		plain) echo "beside one plain UPDATE" ;;
		engine) echo "beside the backfill" ;;
	esac
}

cat >"$dir/script.sql" <<'SQL'
\set read random(1, :rows)
\set write random(1, :rows)
\set die random(1, 20)
BEGIN;
SELECT first_name, last_name, balance FROM users WHERE id = :read;
UPDATE users SET balance = balance + 1 WHERE id = :write;
\if :die = 1
INSERT INTO users VALUES (nextval('users_new'), now(), 0, true, 'New', 'User',
	'new@example.com', 'Town', '+1', 'New User');
\endif
COMMIT;
SQL

# application NAME ARG...  pgbench, with its log and output under that name
application()
{
	local name=$1
	shift

	"$BINDIR/pgbench" -n -M prepared -c "$CLIENTS" -j 2 -f "$dir/script.sql" -D "rows=$rows" \
		--log --log-prefix="$dir/$name" "$@" work >"$dir/$name.out" 2>&1
}

# fresh_application  a fresh copy of the table, with the column to be filled.
# Checkpoints write in the background, with what was there before.
fresh_application()
{
	fresh_fill users
	sql -d work -c "ALTER TABLE users ADD COLUMN full_name text" \
		-c "CREATE SEQUENCE users_new START $((rows + 1))"
	sql -d postgres -c CHECKPOINT
	sync -f "$dir/data"
}

# tps_alone  prints what the application can do if nothing holds it
tps_alone()
{
	fresh_application
	application full -T $((WARM + 6))
	awk -v warm="$WARM" '{s = $5 + $6 / 1e6; if (from == "" || s < from) from = s; at[NR] = s}
		END {
			for (i in at) if (at[i] >= from + warm) n++
			printf "%d\n", n / 6
		}' "$dir"/full.[0-9]*
}

# work_beside CASE
work_beside()
{
	case $1 in
		alone) sleep "$ALONE" ;;
		plain) sql -d work -c "UPDATE users SET full_name = $FULL_NAME WHERE full_name IS NULL" ;;
		engine) sql -d work -c "SELECT migrate.backfill('users', \$\$full_name = $FULL_NAME\$\$,
				filter => 'full_name IS NULL', name => 'fill')" \
			-c "CALL migrate.wait('fill'::text)" ;;
	esac >/dev/null
}

# catch_up NAME  waits until the application is in time again, a minute at most
catch_up()
{
	local i

	for ((i = 0; i < 60; i++)); do
		sleep 1.2
		if tail -n 1 "$dir/$1.out" | awk '/ lag / {for (i = 1; i < NF; i++) if ($i == "lag") lag = $(i + 1)}
			END {exit lag == "" || lag > 100}'; then return; fi
	done
}

# run CASE ROUND  The application is ended by ending its sessions, so that it
# still writes its log; before that it gets the time to catch up.
run()
{
	local name=$1_$2 pid from to

	fresh_application
	application "$name" -T 3600 -R "$RATE" -P 1 &
	pid=$!
	sleep "$WARM"
	from=$(date +%s.%N)
	work_beside "$1"
	to=$(date +%s.%N)
	catch_up "$name"
	sql -d postgres -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = 'pgbench'" >/dev/null
	wait "$pid" || true
	if [ "$1" != alone ]; then
		[ "$(sql -d work -c "SELECT count(*) FROM users WHERE full_name IS NULL")" = 0 ] ||
			die "there are rows that are not filled"
	fi
	figures "$1" "$from" "$to" "$name" >>"$dir/figures"
	if [ "$2" = 1 ]; then buckets "$from" "$to" "$name" >"$RESULTS/p99_$1.dat"; fi
}

# figures CASE FROM TO NAME  a line: case, seconds, transactions per second, and
# p50, p99, p99.9, longest in ms, of the transactions that were due or ended in
# between
figures()
{
	cat "$dir/$4".[0-9]* | awk -v from="$2" -v to="$3" '
		{end = $5 + $6 / 1e6; if (end >= from && end - $3 / 1e6 <= to) print $3 / 1000}' |
		sort -g | awk -v name="$1" -v seconds="$(calc "$3 - $2" %.3f)" \
		-v ended="$(cat "$dir/$4".[0-9]* | awk -v from="$2" -v to="$3" '
			{end = $5 + $6 / 1e6; if (end >= from && end <= to) n++} END {print n + 0}')" '
		function rank(share) {i = int(share * NR); return v[i < NR ? i + 1 : NR]}
		{v[NR] = $1}
		END {print name, seconds, ended / seconds, rank(0.5), rank(0.99), rank(0.999), v[NR]}'
}

# buckets FROM TO NAME  p99 in ms for each second from the start of the work, by
# when the transactions were due
buckets()
{
	cat "$dir/$3".[0-9]* | awk -v from="$1" -v warm="$WARM" '
		{
			due = $5 + $6 / 1e6 - $3 / 1e6 - from
			if (due >= 1 - warm) printf "%d %.3f\n", int(due + warm) - warm, $3 / 1000
		}' | sort -k1,1n -k2,2g | awk '
		function finish() {if (n) print at, v[int(0.99 * n) < n ? int(0.99 * n) + 1 : n]}
		$1 != at {finish(); at = $1; n = 0}
		{v[++n] = $2}
		END {finish()}'
}

# figure CASE COLUMN [per]  the median over the rounds; with "per", of what it is
# to that of "alone" in the same round
figure()
{
	awk -v name="$1" -v column="$2" -v per="${3:-}" '
		$1 == "alone" {base[++a] = $column}
		$1 == name {value[++n] = $column}
		END {
			for (i = 1; i <= n; i++)
				if (per == "") print value[i]
				else if (base[i] > 0) print value[i] / base[i]
		}' "$dir/figures" | median
}

print_table()
{
	local name

	printf '| | seconds | tps | p50 ms | p99 ms | p99 to alone | p99.9 ms | longest ms |\n'
	printf '|---|---:|---:|---:|---:|---:|---:|---:|\n'
	for name in $CASES; do
		printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$(title "$name")" \
			"$(calc "$(figure "$name" 2)" %.1f)" "$(calc "$(figure "$name" 3)" %.0f)" \
			"$(calc "$(figure "$name" 4)")" "$(calc "$(figure "$name" 5)")" \
			"$(calc "$(figure "$name" 5 per)")" "$(calc "$(figure "$name" 6)")" \
			"$(calc "$(figure "$name" 7)" %.1f)"
	done
}

print_targets()
{
	printf '\n### What is to be reached beside an application\n\n'
	printf '| | measured | bound | |\n|---|---:|---:|---|\n'
	target "p99 beside the backfill, to pgbench alone" "$(calc "$(figure engine 5 per)")" 1.25
	target "longest stall beside the backfill" "$(calc "$(figure engine 7)" %.1f)" 250 " ms"
}

: >"$dir/figures"
create_users users three "$rows"
full=$(tps_alone)
RATE=${RATE:-$((full * SHARE / 100))}
printf '\n## Beside an application\n\n'
describe_machine fsync synchronous_commit full_page_writes shared_buffers max_wal_size autovacuum
printf -- '- %s rows, three indexes; medians of %s rounds\n' "$rows" "$RUNS"
printf -- '- pgbench: %s clients, %s transactions/s alone and unlimited, held to %s\n\n' \
	"$CLIENTS" "$full" "$RATE"
for ((round = 1; round <= RUNS; round++)); do
	list=()
	for name in $CASES; do
		if ((round % 2)); then list+=("$name"); else list=("$name" ${list[@]+"${list[@]}"}); fi
	done
	for name in "${list[@]}"; do run "$name" "$round"; done
done
print_table
print_targets
printf '\n%s seconds\n' $((SECONDS - begin))
