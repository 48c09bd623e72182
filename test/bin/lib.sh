# shellcheck shell=bash
#
# lib.sh  what the scripts of this folder share; to be sourced.
#
# None of them touches the installed PostgreSQL or a cluster that is already
# there.  They work in a directory of their own, in which stand a copy of the
# checkout (so that the checkout stays clean, and any user can build it) and a
# private copy of the server's programs and files (so that "make install" needs
# no rights and leaves nothing behind).  A PostgreSQL server refuses to run as
# root: for root everything after the copying runs as an unprivileged user.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
MIN_VERSION=15

# What the caller's make and libpq settings would change must not reach the
# servers and makes started here; output must not depend on the locale.
unset MAKEFLAGS MFLAGS MAKELEVEL
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE \
	PGOPTIONS PGSERVICE PGSERVICEFILE PGSYSCONFDIR PGSSLMODE PGAPPNAME \
	PGCLIENTENCODING PGTZ PGDATESTYLE PGDATA PSQLRC
unset LANGUAGE LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME
export LANG=C.UTF-8

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf 'pgmigrate: %s\n' "$*" >&2
	exit 1
}

# As whom servers and tests run, when called by root.
if [ "$(id -u)" = 0 ]; then
	if id postgres >/dev/null 2>&1; then RUN_AS=postgres; else RUN_AS=nobody; fi
else
	RUN_AS=
fi

# as_user COMMAND...  runs it unprivileged
as_user()
{
	if [ -n "$RUN_AS" ]; then
		setpriv --reuid="$RUN_AS" --regid="$(id -g "$RUN_AS")" --init-groups \
			env HOME="${WORK:-/}" "$@"
	else
		"$@"
	fi
}

if [ -n "${PG_CONFIG:-}" ]; then
	"$PG_CONFIG" --bindir >/dev/null || die "cannot run PG_CONFIG=$PG_CONFIG"
fi

# is_dev PG_CONFIG  can an extension be built against it?
is_dev()
{
	[ -e "$("$1" --pgxs)" ] && [ -e "$("$1" --includedir-server)/postgres.h" ]
}

# find_server  prints the pg_config to use: the one PG_CONFIG names, else the
# newest one of the distribution's that can build, else one on the PATH
find_server()
{
	local v bin

	if [ -n "${PG_CONFIG:-}" ]; then
		say "$("$PG_CONFIG" --bindir)/pg_config"
		return
	fi
	for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5,5nr); do
		v=${bin#/usr/lib/postgresql/}
		v=${v%/bin}
		case $v in *[!0-9]*) continue ;; esac
		if [ "$v" -ge "$MIN_VERSION" ] && [ -x "$bin/pg_config" ] &&
			is_dev "$bin/pg_config"; then
			say "$bin/pg_config"
			return
		fi
	done
	if [ ! -d /etc/apt ] && bin=$(pg_config --bindir 2>/dev/null) &&
		is_dev "$bin/pg_config"; then
		say "$bin/pg_config"
		return
	fi
	return 1
}

# server_version PG_CONFIG  prints the major version
server_version()
{
	"$1" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'
}

# make_work NAME  makes the work directory WORK, removed at exit unless KEEP=1;
# not too deep, since the path of a socket is limited
make_work()
{
	local base

	for base in "${TMPDIR:-/tmp}" /tmp; do
		if as_user test -x "$base" && [ "${#base}" -lt 40 ]; then break; fi
	done
	WORK=$(mktemp -d "$base/pgmigrate-$1.XXXXXX")
	chmod 755 "$WORK"
	if [ "${KEEP:-}" = 1 ]; then say "keeping $WORK"; fi
	trap 'remove_work' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

remove_work()
{
	local status=$?

	trap '' INT TERM HUP
	stop_servers "$WORK"
	cd /
	[ "${KEEP:-}" = 1 ] || rm -rf "$WORK"
	return "$status"
}

# copy_checkout DIR  copies the checkout: what git tracks or would track, or
# everything when git cannot tell
copy_checkout()
{
	local file

	mkdir -p "$1"
	if git -c safe.directory="$TOP" -C "$TOP" rev-parse >/dev/null 2>&1; then
		git -c safe.directory="$TOP" -C "$TOP" \
			ls-files -z --cached --others --exclude-standard |
			while IFS= read -r -d '' file; do
				if [ -e "$TOP/$file" ]; then printf '%s\0' "$file"; fi
			done |
			tar -C "$TOP" --null --no-recursion -T - -cf - | tar -C "$1" -xof -
	else
		tar -C "$TOP" --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf - . |
			tar -C "$1" -xof -
	fi
}

# copy_server PG_CONFIG DIR  copies a server's tree below DIR and sets
# PG_CONFIG and BINDIR to the copy
#
# Every directory keeps its absolute path, below DIR.  The server finds its
# files relative to its programs, so this works for the distribution's layout
# and for any --prefix.  Programs are real copies, since it is their real path
# that counts; the directories an extension is installed into are filled with
# links, and all else is one link.
copy_server()
{
	local from=$1 root=$2 what dir entry

	dir=$("$from" --bindir)
	mkdir -p "$root$dir"
	cp -rL "$dir/." "$root$dir"
	PG_CONFIG=$root$dir/pg_config
	BINDIR=$root$dir
	for what in sharedir pkglibdir; do
		dir=$("$from" --$what)
		mkdir -p "$root$dir"
		cp -as "$dir/." "$root$dir"
		find "$root$dir" -name 'pgmigrate*' -prune -exec rm -rf {} +
	done
	dir=$("$from" --libdir)
	mkdir -p "$root$dir"
	case $("$from" --pkglibdir)/ in "$dir"/*)
		for entry in "$dir"/*; do
			[ -e "$root$entry" ] || ln -s "$entry" "$root$entry"
		done ;;
	esac
	for what in includedir includedir-server localedir; do
		dir=$("$from" --$what)
		if [ -e "$dir" ] && [ ! -e "$root$dir" ]; then
			mkdir -p "$(dirname "$root$dir")"
			ln -s "$dir" "$root$dir"
		fi
	done
	for what in bindir sharedir pkglibdir includedir-server pgxs; do
		[ "$("$PG_CONFIG" --$what)" = "$root$("$from" --$what)" ] ||
			die "$from cannot be copied: its --$what stays $("$PG_CONFIG" --$what)"
	done
	export PG_CONFIG
}

# set_up NAME  work directory with the checkout in $SRC and the server; makes
# them ready for as_user
set_up()
{
	local server

	server=$(find_server) || die "no PostgreSQL server with development files found"
	[ "$(server_version "$server")" -ge "$MIN_VERSION" ] ||
		die "PostgreSQL $MIN_VERSION or later is needed, $server is $("$server" --version)"
	[ -n "${WORK:-}" ] || make_work "$1"
	SRC=$WORK/src
	copy_checkout "$SRC"
	copy_server "$server" "$WORK/server"
	if [ -n "$RUN_AS" ]; then
		chown "$RUN_AS": "$WORK"
		chown -R "$RUN_AS": "$SRC" "$WORK/server"
	fi
	# what a killed test leaves behind goes with the rest
	as_user mkdir "$WORK/tmp"
	export TMPDIR=$WORK/tmp
	cd "$WORK" || exit
}

# build  builds and installs the extension into the private copy; the log goes
# to $WORK/build.log
build()
{
	local make=(make -C "$SRC" "PG_CONFIG=$PG_CONFIG" with_llvm=no)
	local warnings="-Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
-Wno-missing-field-initializers"

	as_user "${make[@]}" -j "$(nproc)" COPT="$warnings" >"$WORK/build.log" 2>&1 &&
		as_user "${make[@]}" install >>"$WORK/build.log" 2>&1
}

# start_server DIR [LINE...]  starts a throw-away server in DIR with these lines
# added to its configuration, and sets PGHOST, PGPORT and PGUSER to it.  It
# listens on a socket in DIR only, and only its own user can reach that.
start_server()
{
	local dir=$1 line
	shift

	mkdir -p "$dir/socket"
	if [ -n "$RUN_AS" ]; then chown "$RUN_AS": "$dir" "$dir/socket"; fi
	chmod 700 "$dir/socket"
	as_user "$BINDIR/initdb" -D "$dir/data" -U postgres -A trust -N \
		-E UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 ||
		{ cat "$dir/initdb.log" >&2; return 1; }
	for line in "listen_addresses = ''" "unix_socket_directories = '$dir/socket'" \
		"port = 5432" "fsync = off" "$@"; do
		say "$line"
	done >>"$dir/data/postgresql.conf"
	as_user "$BINDIR/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 start \
		>/dev/null || { cat "$dir/data/server.log" >&2; return 1; }
	export PGHOST=$dir/socket PGPORT=5432 PGUSER=postgres
}

# restart_server DIR  stops the server that start_server started in DIR, having it
# write all that it has, and starts it again
restart_server()
{
	as_user "$BINDIR/pg_ctl" -D "$1/data" -l "$1/data/server.log" -m fast -w -t 60 restart \
		>/dev/null || { cat "$1/data/server.log" >&2; return 1; }
}

# stop_server DIR  stops the server that start_server started in DIR
stop_server()
{
	stop_cluster "$1/data"
}

# stop_servers DIR  stops whatever server still runs below DIR
stop_servers()
{
	local file

	[ -n "${BINDIR:-}" ] || return 0
	find "$1" -name postmaster.pid 2>/dev/null | while IFS= read -r file; do
		stop_cluster "$(dirname "$file")"
	done
}

# stop_cluster DATADIR  The file with the process id may be left over from
# before a crash: it is that server only if it works in this directory, or
# answers on the cluster's own socket.
stop_cluster()
{
	local dir=$1 file=$1/postmaster.pid status=0

	[ -e "$file" ] || return 0
	if [ "$(readlink "/proc/$(sed -n 1p "$file")/cwd")" != "$dir" ]; then
		as_user "$BINDIR/pg_isready" -q -t 3 -h "$(sed -n 5p "$file")" \
			-p "$(sed -n 4p "$file")" </dev/null || status=$?
		[ "$status" -le 1 ] || return 0
	fi
	as_user "$BINDIR/pg_ctl" -D "$dir" -m immediate -w stop </dev/null >/dev/null || true
}
