#!/usr/bin/env bash
#
# sync.sh  what it costs a statement that writes a table to keep two columns in
# step: by migrate.sync(), by the trigger that people write by hand, and by the
# pair of triggers that pgroll makes, if there is a pgroll.
#
# Called by run.sh.  Each statement runs on unlogged tables of SYNC_ROWS rows, one
# table after the other: without a trigger (it writes both columns then, so that the
# rows are the same), with one in PL/pgSQL, with ours, with pgroll's.  What is told
# is the processor time that the trigger adds to a row, as the scheduler counts it;
# medians of RUNS rounds, of the ratios as well.
#
# SYNC_ROWS    rows of a table
# PGROLL       the program of that name, if it is not on the PATH

set -euo pipefail
# shellcheck source=test/bench/lib.sh
. "$(dirname "$0")/lib.sh"

SYNC_ROWS=${SYNC_ROWS:-300000}
RUNS=${RUNS:-7}
PGROLL=${PGROLL:-$(command -v pgroll || true)}
WHATS="insert old new other single"
HOWS="none hand ours ${PGROLL:+pgroll}"
dir=$WORK/sync
begin=$SECONDS
trap 'stop_servers "$dir"' EXIT

start_fill_server "$dir" "jit = off" "fsync = off"
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

# prepare HOW  a table "t" with that trigger, in a schema or a database of its own
prepare()
{
	local with="WITH (fillfactor = 45)"

	if [ "$1" = pgroll ]; then
		prepare_pgroll "$with"
		return
	fi
	sql -d sync -c "DROP SCHEMA IF EXISTS $1 CASCADE" -c "CREATE SCHEMA $1" \
		-c "CREATE UNLOGGED TABLE $1.t (LIKE empty INCLUDING ALL) $with"
	case $1 in
		hand) sql -d sync -c "CREATE TRIGGER sync BEFORE INSERT OR UPDATE ON hand.t FOR EACH ROW EXECUTE FUNCTION by_hand()" ;;
		ours) sql -d sync -c "SELECT migrate.sync_begin('ours.t', '{age}', 'age_new', 'age::int', 'age_new::text')" >/dev/null ;;
	esac
}

# pgroll_command ARG...
pgroll_command()
{
	"$PGROLL" --postgres-url "postgres://$PGUSER@/pgroll?host=$PGHOST&port=$PGPORT" "$@"
}

# prepare_pgroll WITH  The new column is pgroll's own, in the place of ours.
prepare_pgroll()
{
	sql -d postgres -c "DROP DATABASE IF EXISTS pgroll WITH (FORCE)" -c "CREATE DATABASE pgroll"
	sql -d pgroll -c "CREATE UNLOGGED TABLE t (id int PRIMARY KEY, age text, note text DEFAULT 'some text as there is in rows') $1"
	rm -rf "$dir/pgroll"
	{
		pgroll_command init
		pgroll_command baseline --yes 1_old "$dir/pgroll"
		cat >"$dir/pgroll/2_new.json" <<-JSON
			{"operations": [{"alter_column": {"table": "t", "column": "age", "type": "int",
			  "up": "age::int", "down": "age::text"}}]}
		JSON
		pgroll_command start "$dir/pgroll/2_new.json"
	} >"$dir/pgroll.log" 2>&1 || { cat "$dir/pgroll.log" >&2; return 1; }
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
		single-*) echo "DO 'BEGIN FOR i IN 1..$SYNC_ROWS LOOP UPDATE t SET age = (id + 3)::text WHERE id = i; END LOOP; END'" ;;
	esac
}

# path WHAT HOW  the search_path for it
path()
{
	case $2-$1 in
		pgroll-new) echo public_2_new ;;
		pgroll-*) echo public ;;
		*) echo "$2, public" ;;
	esac
}

# cpu WHAT HOW  nanoseconds of processor time of the server process that runs it
cpu()
{
	local database=sync time="SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)"

	[ "$2" != pgroll ] || database=pgroll
	sql -d "$database" -c "VACUUM" -c "SET search_path = $(path "$1" "$2")" \
		-c "$time" -c "$(statement "$1" "$2")" -c "$time" |
		awk 'NR == 1 {first = $1} {last = $1} END {printf "%d\n", last - first}'
}

# The rows have to be right as well.
check()
{
	local column=age_new database=sync table=$1.t

	if [ "$1" = pgroll ]; then column=_pgroll_new_age database=pgroll table=public.t; fi
	[ "$(sql -d "$database" -c "SELECT count(*) FILTER (WHERE age = (id + 3)::text AND $column = id + 3) FROM $table")" = "$SYNC_ROWS" ] ||
		die "rows are not in step: $1"
}

for ((round = 1; round <= RUNS; round++)); do
	for how in $HOWS; do prepare "$how"; done
	for what in $WHATS; do
		for how in $HOWS; do
			echo "$round $(cpu "$what" "$how")" >>"$dir/$what.$how"
		done
	done
	for how in $HOWS; do check "$how"; done
done

# added WHAT HOW  microseconds that the trigger adds to a row
added()
{
	join "$dir/$1.$2" "$dir/$1.none" | awk -v rows="$SYNC_ROWS" '{print ($2 - $3) / 1000 / rows}' |
		median
}

# ratio WHAT HOW  what ours adds to what that one adds
ratio()
{
	join "$dir/$1.ours" "$dir/$1.$2" | join - "$dir/$1.none" | awk '{print ($2 - $4) / ($3 - $4)}' |
		median
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
	esac
}

printf '\n## Columns in step\n\n'
describe_machine fsync shared_buffers autovacuum jit
printf -- '- %s rows, medians of %s rounds%s\n\n' "$SYNC_ROWS" "$RUNS" \
	"${PGROLL:+; $("${PGROLL:-true}" --version)}"
printf 'Microseconds of processor time that a trigger adds to a row:\n\n'
printf '| | row without | PL/pgSQL | pgmigrate | ratio |%s\n' "${PGROLL:+ pgroll | ratio |}"
printf '|---|---:|---:|---:|---:|%s\n' "${PGROLL:+---:|---:|}"
for what in $WHATS; do
	plain=$(awk -v rows="$SYNC_ROWS" '{print $2 / 1000 / rows}' "$dir/$what.none" | median)
	printf '| %s | %.2f | %.2f | %.2f | %.2f |' "$(title "$what")" "$plain" "$(added "$what" hand)" \
		"$(added "$what" ours)" "$(ratio "$what" hand)"
	if [ -n "$PGROLL" ]; then
		printf ' %.2f | %.3f |' "$(added "$what" pgroll)" "$(ratio "$what" pgroll)"
	fi
	printf '\n'
done
printf '\n### What is to be reached\n\n| | measured | bound | |\n|---|---:|---:|---|\n'
for what in $WHATS; do
	target "$(title "$what"): to PL/pgSQL" "$(calc "$(ratio "$what" hand)" %.3f)" 0.333
done
for what in $WHATS; do
	[ -z "$PGROLL" ] || target "$(title "$what"): to pgroll" "$(calc "$(ratio "$what" pgroll)" %.3f)" 0.100
done
printf '\n%s seconds\n' $((SECONDS - begin))
