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
trap - EXIT INT TERM HUP
say
say "The server stays up until \"make demo-stop\". To look around:"
say
say "    $WORK/bin/psql -h $WORK/socket -U postgres demo"
