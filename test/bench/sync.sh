#!/usr/bin/env bash
#
# sync.sh  what it costs a statement that writes a table to keep two columns in
# step: by migrate.sync(), and by the trigger that people write by hand.
#
# Called by run.sh.  Each statement runs on an unlogged table of SYNC_ROWS rows,
# in turn without a trigger (it writes both columns then, so that the rows are the
# same), with one in PL/pgSQL and with ours.  What is told is the processor time
# that the trigger adds to a row, medians of RUNS rounds.

set -euo pipefail
# shellcheck source=test/bench/lib.sh
. "$(dirname "$0")/lib.sh"

SYNC_ROWS=${SYNC_ROWS:-300000}
RUNS=${RUNS:-5}

start_fill_server "$WORK/sync" "jit = off" "fsync = off"
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

# prepare HOW  a table "t" with that trigger
prepare()
{
	sql -d sync -c "DROP TABLE IF EXISTS t" \
		-c "CREATE UNLOGGED TABLE t (LIKE empty INCLUDING ALL) WITH (fillfactor = 45)"
	case $1 in
		hand) sql -d sync -c "CREATE TRIGGER sync BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION by_hand()" ;;
		ours) sql -d sync -c "SELECT migrate.sync_begin('t', '{age}', 'age_new', 'age::int', 'age_new::text')" >/dev/null ;;
	esac
}

# statement WHAT HOW  prints the statement; the one without a trigger writes both
statement()
{
	local both=${2/none/yes}

	case $1-$both in
		insert-yes) echo "INSERT INTO t (id, age, age_new) SELECT g, g::text, g FROM generate_series(1, $SYNC_ROWS) g" ;;
		insert-*) echo "INSERT INTO t (id, age) SELECT g, g::text FROM generate_series(1, $SYNC_ROWS) g" ;;
		old-yes) echo "UPDATE t SET age = (id + 1)::text, age_new = id + 1" ;;
		old-*) echo "UPDATE t SET age = (id + 1)::text" ;;
		new-yes) echo "UPDATE t SET age = (id + 2)::text, age_new = id + 2" ;;
		new-*) echo "UPDATE t SET age_new = id + 2" ;;
		other-*) echo "UPDATE t SET note = 'another text as there is in rows'" ;;
		single-yes) echo "DO 'BEGIN FOR i IN 1..$((SYNC_ROWS / 3)) LOOP UPDATE t SET age = (id + 3)::text, age_new = id + 3 WHERE id = i; END LOOP; END'" ;;
		single-*) echo "DO 'BEGIN FOR i IN 1..$((SYNC_ROWS / 3)) LOOP UPDATE t SET age = (id + 3)::text WHERE id = i; END LOOP; END'" ;;
	esac
}

# cpu_millis STATEMENT  processor time of the server process that runs it
cpu_millis()
{
	local ticks="SELECT sum(t::bigint) FROM unnest((string_to_array(pg_read_file('/proc/self/stat'), ' '))[14:15]) t"

	sql -d sync -c "$ticks" -c "$1" -c "$ticks" | awk -v hz="$(getconf CLK_TCK)" \
		'NR == 1 {first = $1} {last = $1} END {print (last - first) * 1000 / hz}'
}

for ((round = 1; round <= RUNS; round++)); do
	for how in none hand ours; do
		prepare "$how"
		for what in insert old new other single; do
			sql -d sync -c "VACUUM t"
			cpu_millis "$(statement "$what" "$how")" >>"$WORK/sync.$what.$how"
		done
	done
done

# added WHAT HOW  microseconds that the trigger adds to a row
added()
{
	local rows=$SYNC_ROWS

	[ "$1" != single ] || rows=$((SYNC_ROWS / 3))
	calc "($(median <"$WORK/sync.$1.$2") - $(median <"$WORK/sync.$1.none")) * 1000 / $rows"
}

printf '\nmicroseconds that a trigger adds to a row, to keep two columns in step\n'
printf '%-34s %10s %10s %10s %7s\n' "" "plain row" "PL/pgSQL" "pgmigrate" "ratio"
for what in insert old new other single; do
	case $what in
		insert) text="INSERT of the old column" ;;
		old) text="UPDATE of the old column" ;;
		new) text="UPDATE of the new column" ;;
		other) text="UPDATE of another column" ;;
		single) text="UPDATE of a row by its key" ;;
	esac
	rows=$SYNC_ROWS
	[ "$what" != single ] || rows=$((SYNC_ROWS / 3))
	hand=$(added "$what" hand)
	ours=$(added "$what" ours)
	printf '%-34s %10s %10s %10s %7s\n' "$text" \
		"$(calc "$(median <"$WORK/sync.$what.none") * 1000 / $rows")" "$hand" "$ours" \
		"$(calc "$ours / $hand")"
done
