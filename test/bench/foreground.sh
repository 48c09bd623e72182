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
# The p99 of a machine that is not alone on its host changes tenfold from one
# minute to the next.  So the backfill is also paused and resumed, for SLICE
# seconds each, and each slice with it is compared with the one after it, without.
#
# ROWS, RUNS   twice the size of the table, and number of rounds of the turns
# CASES        of: alone plain engine turns
# ALONE        seconds of the case "alone"
# TURNS, SLICE slices of each kind in a round, and their seconds
# SHARE        percent, see above
# RATE         transactions per second, instead of SHARE
# FSYNC        setting of the server

set -euo pipefail
here=$(dirname "$0")
# shellcheck source=test/bench/lib.sh
. "$here/lib.sh"

RUNS=${RUNS:-3}
CASES=${CASES:-alone plain engine turns}
ALONE=${ALONE:-15}
TURNS=${TURNS:-20}
SLICE=${SLICE:-2}
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
		off) echo "in turns: the backfill paused" ;;
		on) echo "in turns: beside the backfill" ;;
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
		engine) submit && sql -d work -c "CALL migrate.wait('fill'::text)" ;;
		turns) take_turns ;;
	esac >/dev/null
}

submit()
{
	sql -d work -c "SELECT migrate.backfill('users', \$\$full_name = $FULL_NAME\$\$,
		filter => 'full_name IS NULL', name => 'fill')" >/dev/null
}

# take_turns  has the backfill on and off, until there is nothing left or enough is
# measured, and writes down when: on or off, from, to.  A slice begins when the
# change has had time to take effect.
take_turns()
{
	local turn from

	submit
	: >"$dir/turns"
	for ((turn = 0; turn < TURNS; turn++)); do
		sleep 0.2
		from=$(date +%s.%N)
		sleep "$SLICE"
		[ "$(sql -d work -c "SELECT state FROM migrate.progress WHERE name = 'fill'")" = running ] ||
			break
		echo "on $from $(date +%s.%N)" >>"$dir/turns"
		sql -d work -c "SELECT migrate.pause('fill'::text)"
		sleep 0.2
		from=$(date +%s.%N)
		sleep "$SLICE"
		echo "off $from $(date +%s.%N)" >>"$dir/turns"
		sql -d work -c "SELECT migrate.resume('fill'::text)"
	done
	sql -d work -c "SELECT migrate.cancel('fill'::text) FROM migrate.progress
		WHERE name = 'fill' AND state <> 'done'"
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
	if [ "$1" = plain ] || [ "$1" = engine ]; then
		[ "$(sql -d work -c "SELECT count(*) FROM users WHERE full_name IS NULL")" = 0 ] ||
			die "there are rows that are not filled"
	fi
	if [ "$1" = turns ]; then
		turn_figures "$name"
	else
		echo "$1 $from $to" >"$dir/slice"
		figures "$dir/slice" "$name" >>"$dir/figures"
		buckets "$from" "$to" "$name" >"$RESULTS/p99_$1.dat"
	fi
}

# figures SLICES NAME  a line: case, seconds, transactions per second, and p50,
# p99, p99.9, longest in ms, of the transactions that were due or ended in the
# slices, which are lines of: case, from, to
figures()
{
	cat "$dir/$2".[0-9]* | awk '
		NR == FNR {name = $1; from[++n] = $2; to[n] = $3; seconds += $3 - $2; next}
		{
			end = $5 + $6 / 1e6
			for (i = 1; i <= n; i++)
				if (end >= from[i] && end - $3 / 1e6 <= to[i]) {
					print $3 / 1000
					ended += end <= to[i]
					break
				}
		}
		END {print "all", name, seconds, ended / seconds}' "$1" - | sort -g | awk '
		function rank(share, i) {i = int(share * n); return v[i < n ? i + 1 : n]}
		$1 == "all" {what = $2 " " $3 " " $4; next}
		{v[++n] = $1}
		END {print what, rank(0.5), rank(0.99), rank(0.999), v[n]}'
}

# turn_figures NAME  the same of all slices of a kind, and of each pair of
# neighbours what the p99 beside the backfill is to the other
turn_figures()
{
	local kind

	for kind in off on; do
		grep "^$kind " "$dir/turns" >"$dir/slices"
		figures "$dir/slices" "$1" >>"$dir/figures"
	done
	while read -r slice; do
		echo "$slice" >"$dir/slice"
		figures "$dir/slice" "$1"
	done <"$dir/turns" | awk '$1 == "on" {on = $5} $1 == "off" && $5 > 0 {print on / $5}' >>"$dir/ratios"
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

# figure CASE COLUMN  the median over the rounds
figure()
{
	awk -v name="$1" -v column="$2" '$1 == name {print $column}' "$dir/figures" | median
}

# to_alone CASE  the p99 to that of pgbench alone
to_alone()
{
	case $1 in
		on) calc "$(median <"$dir/ratios")" ;;
		off) calc 1 ;;
		*) calc "$(figure "$1" 5) / $(figure alone 5)" ;;
	esac
}

# lines  the cases of the table
lines()
{
	local name

	for name in $CASES; do
		case $name in
			turns) echo off on ;;
			*) echo "$name" ;;
		esac
	done
}

print_table()
{
	local name

	printf '| | seconds | tps | p50 ms | p99 ms | p99 to alone | p99.9 ms | longest ms |\n'
	printf '|---|---:|---:|---:|---:|---:|---:|---:|\n'
	for name in $(lines); do
		printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$(title "$name")" \
			"$(calc "$(figure "$name" 2)" %.1f)" "$(calc "$(figure "$name" 3)" %.0f)" \
			"$(calc "$(figure "$name" 4)")" "$(calc "$(figure "$name" 5)")" \
			"$(to_alone "$name")" "$(calc "$(figure "$name" 6)")" \
			"$(calc "$(figure "$name" 7)" %.1f)"
	done
}

print_targets()
{
	local longest

	longest=$(awk '($1 == "engine" || $1 == "on") && $7 > longest {longest = $7}
		END {print longest == "" ? "-" : longest}' "$dir/figures")
	printf '\n### What is to be reached beside an application\n\n'
	printf '| | measured | bound | |\n|---|---:|---:|---|\n'
	target "p99 beside the backfill, to pgbench alone" "$(to_alone on)" 1.25
	target "longest stall beside the backfill" "$(calc "$longest" %.1f)" 250 " ms"
	printf '| longest stall without it | %s ms | - | - |\n' \
		"$(awk '($1 == "alone" || $1 == "off") && $7 > longest {longest = $7}
			END {print longest == "" ? "-" : longest}' "$dir/figures")"
}

: >"$dir/figures"
: >"$dir/ratios"
create_users users three "$rows"
full=$(tps_alone)
RATE=${RATE:-$((full * SHARE / 100))}
printf '\n## Beside an application\n\n'
describe_machine fsync synchronous_commit full_page_writes shared_buffers max_wal_size autovacuum
printf -- '- %s rows, three indexes\n' "$rows"
printf -- '- pgbench: %s clients, %s transactions/s alone and unlimited, held to %s\n' \
	"$CLIENTS" "$full" "$RATE"
printf -- '- in turns: %s s each, for %s rounds of %s at most; the median of the ratios of neighbours\n\n' \
	"$SLICE" "$RUNS" "$TURNS"
for name in $CASES; do
	rounds=1
	if [ "$name" = turns ]; then rounds=$RUNS; fi
	for ((round = 1; round <= rounds; round++)); do run "$name" "$round"; done
done
print_table
print_targets
printf '\n%s seconds\n' $((SECONDS - begin))
