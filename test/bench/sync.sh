#!/usr/bin/env bash
#
# sync.sh  what it costs a statement that writes a table to keep two columns in
# step: by migrate.sync(), by the trigger that people write by hand, and by the
# pair of triggers that pgroll makes, if there is a pgroll.
#
# Called by run.sh.  Each statement runs on unlogged tables of SYNC_ROWS rows, in a
# session that takes one table after the other, RUNS times: without a trigger (it
# writes both columns then, so that the rows are the same), with one in PL/pgSQL, with
# ours, with pgroll's.  What is told is the processor time that the trigger adds to a
# row, as the scheduler counts it.  How fast a processor is changes with what else goes
# on in the machine, within seconds.  So the tables are small, the times of a round are
# taken within some 50 ms, and what a trigger adds is the median of the differences in
# the rounds.  Where a process has its memory, and the server its code, makes a
# difference that lasts as long as they do.  So there are several sessions, each of a
# server that was started for it.
#
# A row is written before each statement, so that what a session prepares for a table
# is there: it has to do that again when the table has changed, or after a VACUUM, which
# is told apart.
#
# A trigger of the server itself, which finds that a row has changed and lets it pass,
# shows what any trigger before an UPDATE costs, since the row is locked for it.
#
# SYNC_ROWS    rows of a table
# SESSIONS     how many there are
# PGROLL       the program of that name, if it is not on the PATH

set -euo pipefail
# shellcheck source=test/bench/lib.sh
. "$(dirname "$0")/lib.sh"

SYNC_ROWS=${SYNC_ROWS:-2000}
RUNS=${RUNS:-15}
SESSIONS=${SESSIONS:-20}
PGROLL=${PGROLL:-$(command -v pgroll || true)}
WHATS="insert old new other single commit"
HOWS="none server hand ours ${PGROLL:+pgroll}"
dir=$WORK/sync
begin=$SECONDS
trap 'stop_servers "$dir"' EXIT

start_fill_server "$dir" "jit = off" "fsync = off" "synchronous_commit = off"
create_template sync

sql -d sync <<'SQL'
CREATE TABLE empty (id int PRIMARY KEY, age text, note text DEFAULT 'some text as there is in rows', age_new int);
CREATE FUNCTION by_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF NEW.age_new IS NULL THEN
			NEW.age_new := NEW.age::int;
		ELSIF NEW.age IS NULL THEN
			NEW.age := NEW.age_new::text;
		END IF;
	ELSIF NEW.age IS DISTINCT FROM OLD.age AND NEW.age_new IS NOT DISTINCT FROM OLD.age_new THEN
		NEW.age_new := NEW.age::int;
	ELSIF NEW.age_new IS DISTINCT FROM OLD.age_new AND NEW.age IS NOT DISTINCT FROM OLD.age THEN
		NEW.age := NEW.age_new::text;
	END IF;
	RETURN NEW;
END $$;
SQL

# prepare HOW  a table "t" with that trigger, in a schema of its own
prepare()
{
	sql -d sync -c "CREATE SCHEMA $1" \
		-c "CREATE UNLOGGED TABLE $1.t (LIKE empty INCLUDING ALL) WITH (fillfactor = 45)"
	case $1 in
		server) sql -d sync -c "CREATE TRIGGER sync BEFORE UPDATE ON server.t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()" ;;
		hand) sql -d sync -c "CREATE TRIGGER sync BEFORE INSERT OR UPDATE ON hand.t FOR EACH ROW EXECUTE FUNCTION by_hand()" ;;
		ours) sql -d sync -c "SELECT migrate.sync_begin('ours.t', '{age}', 'age_new', 'age::int', 'age_new::text')" >/dev/null ;;
		pgroll)
			# the new column is its own, in the place of ours
			sql -d sync -c "ALTER TABLE pgroll.t DROP age_new" -c "ALTER SCHEMA pgroll RENAME TO shop"
			start_pgroll >"$dir/pgroll.log" 2>&1 || { cat "$dir/pgroll.log" >&2; return 1; } ;;
	esac
}

# pgroll_command ARG...
pgroll_command()
{
	"$PGROLL" --schema shop --postgres-url "postgres://$PGUSER@/sync?host=$PGHOST&port=$PGPORT" "$@"
}

start_pgroll()
{
	pgroll_command init
	pgroll_command baseline --yes 1_old "$dir/pgroll"
	cat >"$dir/pgroll/2_new.json" <<-JSON
		{"operations": [{"alter_column": {"table": "t", "column": "age", "type": "int",
		  "up": "age::int", "down": "age::text"}}]}
	JSON
	pgroll_command start "$dir/pgroll/2_new.json"
}

# statement WHAT HOW  prints the statement; the one without a trigger writes both
# columns.  With pgroll the old version of the application has the table, as before
# its first migration, and the new one a view in which the column has the old name.
statement()
{
	local both=${2/none/yes} new=age_new

	[ "$2" != pgroll ] || new=age
	case $1-$both in
		insert-yes) echo "INSERT INTO t (id, age, age_new) SELECT g, g::text, g FROM generate_series(1, $SYNC_ROWS) g" ;;
		insert-*) echo "INSERT INTO t (id, age) SELECT g, g::text FROM generate_series(1, $SYNC_ROWS) g" ;;
		old-yes) echo "UPDATE t SET age = (id + 1)::text, age_new = id + 1" ;;
		old-*) echo "UPDATE t SET age = (id + 1)::text" ;;
		new-yes) echo "UPDATE t SET age = (id + 2)::text, age_new = id + 2" ;;
		new-*) echo "UPDATE t SET $new = id + 2" ;;
		other-*) echo "UPDATE t SET note = 'another text as there is in rows'" ;;
		single-yes) echo "DO 'BEGIN FOR i IN 1..$SYNC_ROWS LOOP UPDATE t SET age = (id + 3)::text, age_new = id + 3 WHERE id = i; END LOOP; END'" ;;
		commit-yes) echo "DO 'BEGIN FOR i IN 1..$SYNC_ROWS LOOP UPDATE t SET age = (id + 4)::text, age_new = id + 4 WHERE id = i; COMMIT; END LOOP; END'" ;;
		commit-*) echo "DO 'BEGIN FOR i IN 1..$SYNC_ROWS LOOP UPDATE t SET age = (id + 4)::text WHERE id = i; COMMIT; END LOOP; END'" ;;
		single-*) echo "DO 'BEGIN FOR i IN 1..$SYNC_ROWS LOOP UPDATE t SET age = (id + 3)::text WHERE id = i; END LOOP; END'" ;;
	esac
}

# first WHAT  prints a statement that writes a row before that
first()
{
	case $1 in
		insert) echo "INSERT INTO t (id, age) VALUES (0, '0')" ;;
		*) echo "UPDATE t SET age = age WHERE id = 1" ;;
	esac
}

# path WHAT HOW  the search_path for it
path()
{
	case $2-$1 in
		pgroll-new) echo shop_2_new ;;
		pgroll-*) echo shop ;;
		*) echo "$2, public" ;;
	esac
}

# script ROUND  prints what a session does in a round; each table is the first in turn
script()
{
	local what how schema hows time="SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)"

	read -ra hows <<<"$HOWS"
	hows=("${hows[@]:$1 % ${#hows[@]}}" "${hows[@]:0:$1 % ${#hows[@]}}")
	for what in $WHATS; do
		for how in "${hows[@]}"; do
			schema=${how/pgroll/shop}
			if [ "$what" = insert ]; then echo "TRUNCATE $schema.t;"; fi
			echo "VACUUM $schema.t; SET search_path = $(path "$what" "$how");"
			echo "SELECT 'first-$what', '$how'; $time; $(first "$what"); $time;"
			echo "SELECT '$what', '$how'; $time; $(statement "$what" "$how"); $time;"
		done
	done
}

# The rows have to be right as well.
check()
{
	local column=age_new

	[ "$1" != pgroll ] || column=_pgroll_new_age
	[ "$(sql -d sync -c "SELECT count(*) FILTER (WHERE age = (id + 4)::text AND $column = id + 4) FROM ${1/pgroll/shop}.t")" = "$SYNC_ROWS" ] ||
		die "rows are not in step: $1"
}

for how in $HOWS; do prepare "$how"; done
for ((round = 1; round <= RUNS; round++)); do script "$round"; done >"$dir/script.sql"
for ((session = 1; session <= SESSIONS; session++)); do
	restart_server "$dir"
	sql -d sync -F ' ' -f "$dir/script.sql" | awk -v rows="$SYNC_ROWS" -v session="$session" '
		NF == 2 {name = $1 " " $2; next}
		name in begun {print session, name, ($1 - begun[name]) / 1000 / rows; delete begun[name]; next}
		{begun[name] = $1}'
done >"$dir/figures"
for how in ${HOWS/server/}; do check "$how"; done

# microseconds WHAT HOW [LESS]  of a row, the median of the rounds; less those of LESS
microseconds()
{
	awk -v what="$1" -v how="$2" -v less="${3:-}" '
		$2 != what {next}
		$3 == how {taken[$1, ++n[$1]] = $4}
		$3 == less {other[$1, ++m[$1]] = $4}
		END {for (round in taken) print taken[round] - other[round]}' "$dir/figures" | median
}

# added WHAT HOW  microseconds that the trigger adds to a row
added()
{
	microseconds "$1" "$2" none
}

# first_added HOW  microseconds that it adds to the first row of a table that changed
first_added()
{
	calc "$(added first-old "$1") * $SYNC_ROWS" %.0f
}

# floor WHAT  the same of any trigger, which is there for UPDATEs only
floor()
{
	if [ "$1" != insert ]; then calc "$(added "$1" server)" %.2f; fi
}

# ratio WHAT HOW  what ours adds to what that one adds
ratio()
{
	calc "$(added "$1" ours) / $(added "$1" "$2")" %.3f
}

# title WHAT
title()
{
	case $1 in
		insert) echo "INSERT of the old column" ;;
		old) echo "UPDATE of the old column" ;;
		new) echo "UPDATE of the new column" ;;
		other) echo "UPDATE of another column" ;;
		single) echo "UPDATE of the old column, row by row" ;;
		commit) echo "UPDATE of the old column, a row in a transaction" ;;
	esac
}

printf '\n## Columns in step\n\n'
describe_machine fsync shared_buffers autovacuum jit
printf -- '- %s rows, %s sessions of %s rounds%s\n\n' "$SYNC_ROWS" "$SESSIONS" "$RUNS" \
	"${PGROLL:+; $("${PGROLL:-true}" --version)}"
printf 'Microseconds of processor time that a trigger adds to a row:\n\n'
printf '| | row without | any trigger | PL/pgSQL | pgmigrate | ratio |%s\n' "${PGROLL:+ pgroll | ratio |}"
printf '|---|---:|---:|---:|---:|---:|%s\n' "${PGROLL:+---:|---:|}"
for what in $WHATS; do
	printf '| %s | %.2f | %s | %.2f | %.2f | %.2f |' "$(title "$what")" "$(microseconds "$what" none)" "$(floor "$what")" \
		"$(added "$what" hand)" "$(added "$what" ours)" "$(ratio "$what" hand)"
	if [ -n "$PGROLL" ]; then
		printf ' %.2f | %.3f |' "$(added "$what" pgroll)" "$(ratio "$what" pgroll)"
	fi
	printf '\n'
done
printf '\nThe first row that a session writes after a VACUUM of the table takes %s microseconds more\nwith this trigger, %s with that in PL/pgSQL.\n' \
	"$(first_added ours)" "$(first_added hand)"
printf '\n### What is to be reached\n\n| | measured | bound | |\n|---|---:|---:|---|\n'
for what in $WHATS; do
	target "$(title "$what"): to PL/pgSQL" "$(ratio "$what" hand)" 0.333
done
for what in $WHATS; do
	[ -z "$PGROLL" ] || target "$(title "$what"): to pgroll" "$(ratio "$what" pgroll)" 0.100
done
printf '\n%s seconds\n' $((SECONDS - begin))
