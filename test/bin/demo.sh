#!/usr/bin/env bash
#
# demo.sh start|stop  shows pgmigrate at work on a server of its own, and takes
# that away again.
#
# The server stays up for a look around, so its directory has a fixed name, one
# for each user.  The name lies in a place where others can write: a directory
# there that is not ours is refused.

set -euo pipefail
# shellcheck source=test/bin/lib.sh
. "$(dirname "$0")/lib.sh"

WORK=/tmp/pgmigrate-demo-$(id -u)

stop_demo()
{
	[ -e "$WORK" ] || [ -L "$WORK" ] || return 0
	{ [ -d "$WORK" ] && [ ! -L "$WORK" ] &&
		case $(stat -c %U "$WORK") in "$(id -un)" | "${RUN_AS:-$(id -un)}") true ;; *) false ;; esac; } ||
		die "$WORK is somebody else's"
	BINDIR=$WORK/bin
	stop_server "$WORK"
	cd /
	rm -rf "$WORK"
}

case ${1:-start} in
	stop)
		if [ -e "$WORK" ]; then stop_demo; say "The demo's server is stopped and removed."
		else say "There is no demo to stop."; fi
		exit ;;
	start) ;;
	*) die "usage: demo.sh start|stop" ;;
esac

"$TOP/test/bin/deps.sh"
stop_demo
mkdir -m 755 "$WORK"
trap 'stop_demo' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
set_up demo
ln -s "$BINDIR" "$WORK/bin"
say "Building pgmigrate for $("$PG_CONFIG" --version) ..."
build || { cat "$WORK/build.log" >&2; die "the build failed"; }
say "Starting a server in $WORK ..."
start_server "$WORK"
as_user "$BINDIR/createdb" demo
say
as_user "$BINDIR/psql" -X -a -v ON_ERROR_STOP=1 -P pager=off -d demo \
	-f "$SRC/test/bin/demo.sql" 2>&1 </dev/null
say
say "-- 7. A table of two million rows, with an application at work on it."
sql()
{
	as_user "$BINDIR/psql" -X -v ON_ERROR_STOP=1 -P pager=off -d demo "$@" 2>&1 </dev/null
}
sql -q -c "CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		first_name text NOT NULL, last_name text NOT NULL, visits integer NOT NULL DEFAULT 0)" \
	-c "INSERT INTO customer (first_name, last_name)
		SELECT 'First' || i % 1000, 'Last' || i % 777 FROM generate_series(1, 2000000) i" \
	-c "ALTER TABLE customer ADD COLUMN full_name text" -c "VACUUM ANALYZE customer"
as_user "$BINDIR/pgbench" -n -c 2 -R 200 -T 600 -f "$SRC/test/bin/demo_load.sql" demo \
	>"$WORK/load.log" 2>&1 </dev/null &
load=$!
sql -a -f "$SRC/test/bin/demo_backfill.sql"
kill "$load" 2>/dev/null || true
wait "$load" 2>/dev/null || true
say
say "-- Users and their orders, with an application at work on both. What it feels,"
say "-- every two seconds, stands behind \"application:\"."
sql -q -c "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		first_name text NOT NULL, last_name text NOT NULL, age text, visits integer NOT NULL DEFAULT 0)" \
	-c "INSERT INTO users (first_name, last_name, age)
		SELECT 'First' || i % 1000, 'Last' || i % 777, i % 90 FROM generate_series(1, 1000000) i" \
	-c "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		user_id bigint NOT NULL, amount bigint NOT NULL)" \
	-c "INSERT INTO orders (user_id, amount) SELECT 1 + i % 1000000, 1 FROM generate_series(1, 2000000) i" \
	-c "VACUUM ANALYZE users, orders"
as_user "$BINDIR/pgbench" -n -c 2 -R 200 -P 2 -T 600 -f "$SRC/test/bin/demo_online_load.sql" demo \
	2>&1 >"$WORK/load.log" </dev/null |
	sed -u -e '/terminating connection due to administrator command/d' \
		-e '/^pgbench: error: Run was aborted/d' -e 's/^progress:/        application:/' &
load=$!
sql -a -f "$SRC/test/bin/demo_online.sql"
sql -qAt -c "SELECT FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'pgbench') t" >/dev/null
wait "$load" 2>/dev/null || true
trap - EXIT INT TERM HUP
say
say "The server stays up until \"make demo-stop\". To look around:"
say
say "    $WORK/bin/psql -h $WORK/socket -U postgres demo"
