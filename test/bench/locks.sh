#!/usr/bin/env bash
#
# locks.sh  how long other queries wait while a column is added to a table that
# a long query reads: by plain ALTER TABLE, and by migrate.apply().
#
# Called by run.sh, with a server running.  A reader holds the table for READ
# seconds; meanwhile one session wants to add a column, and another one runs
# short queries on the table, one after the other, and keeps its longest time.

set -euo pipefail

READ=${READ:-10}

sql()
{
	"$BINDIR/psql" -XqAt -v ON_ERROR_STOP=1 -d locks "$@"
}
export PGOPTIONS="-c client_min_messages=warning"

"$BINDIR/psql" -XqAt -d postgres -c "DROP DATABASE IF EXISTS locks" -c "CREATE DATABASE locks"
sql -c "CREATE EXTENSION pgmigrate" \
	-c "CREATE TABLE hot (id int PRIMARY KEY, n int)" \
	-c "INSERT INTO hot SELECT i, 0 FROM generate_series(1, 1000) i" \
	-c "SELECT migrate.register('add-column', 'ALTER TABLE hot ADD COLUMN b text')" >/dev/null

# longest COMMAND...  runs it beside the reader, prints the longest query in ms
longest()
{
	local reader change

	sql -c "BEGIN" -c "SELECT count(*) FROM hot" -c "SELECT pg_sleep($READ)" -c "COMMIT" >/dev/null &
	reader=$!
	until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE relation = 'hot'::regclass AND granted")" -gt 0 ]; do :; done
	"$@" >/dev/null 2>&1 &
	change=$!
	# psql measures each query itself, without the time to start it
	while kill -0 "$reader" 2>/dev/null; do
		printf '\\timing on\n'
		for _ in 1 2 3 4 5 6 7 8 9 10; do printf 'SELECT n FROM hot WHERE id = 1;\n'; done
	done | sql -f - | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sort -g | tail -n 1
	wait "$reader" "$change"
}

printf '\nlongest wait of a short query while a column is added beside a %s s reader\n' "$READ"
printf '%-44s %10.1f ms\n' "ALTER TABLE hot ADD COLUMN" \
	"$(longest sql -c 'ALTER TABLE hot ADD COLUMN a text')"
printf '%-44s %10.1f ms\n' "migrate.apply() of the same" \
	"$(longest sql -c "SELECT migrate.apply('add-column')")"
