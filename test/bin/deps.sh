#!/usr/bin/env bash
#
# deps.sh [test]  installs what "make demo", or "make test", needs and is missing.
#
# It looks for programs and files, not for packages, so a machine that has them
# from elsewhere is left alone, and one that has everything runs no apt-get at
# all.  Whatever is installed, no PostgreSQL cluster is made and no service is
# started or restarted.  With PG_CONFIG set that server is used as it is: no
# other version gets installed.

set -euo pipefail
# shellcheck source=test/bin/lib.sh
. "$(dirname "$0")/lib.sh"

have()
{
	command -v "$1" >/dev/null 2>&1
}

# The part that runs as root: PACKAGE...
# A package name of "postgresql" stands for the distribution's version.
install_packages()
{
	local made=() file list=() name version

	file=/etc/postgresql-common/createcluster.d/pgmigrate-no-cluster.conf
	mkdir -p "${file%/*}"
	say "create_main_cluster = false" >"$file"
	made+=("$file")
	file=/usr/sbin/policy-rc.d
	if [ ! -e "$file" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$file"
		chmod 755 "$file"
		made+=("$file")
	fi
	log=$(mktemp)
	made+=("$log")
	# shellcheck disable=SC2064
	trap "rm -f ${made[*]}
		rmdir --ignore-fail-on-non-empty /etc/postgresql-common/createcluster.d \
			/etc/postgresql-common 2>/dev/null || true" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	apt_get update
	for name in "$@"; do
		case $name in
			*@VERSION*)
				version=${version:-$(apt-cache depends postgresql |
					sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p')}
				[ "${version:-0}" -ge "$MIN_VERSION" ] ||
					die "this distribution has PostgreSQL ${version:-in no version}, $MIN_VERSION or later is needed"
				list+=("${name/@VERSION/$version}") ;;
			*)
				list+=("$name") ;;
		esac
	done
	say "pgmigrate: installing ${list[*]}"
	apt_get install "${list[@]}"
	case " $* " in *" pgbouncer "*)
		# The tests start their own; the package's service stays off.
		if have systemctl; then systemctl --quiet disable pgbouncer 2>/dev/null || true; fi
	esac
}

apt_get()
{
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -y -q \
		--no-install-recommends -o DPkg::Lock::Timeout=600 \
		-o Dpkg::Options::=--force-confold "$@" </dev/null >"$log" 2>&1 ||
		{ cat "$log" >&2; die "apt-get $1 failed"; }
}

if [ "${1:-}" = --install ]; then
	shift
	install_packages "$@"
	exit
fi

# What is missing?
need=()
have gcc || need+=(gcc)
[ -e /usr/include/stdio.h ] || need+=(libc6-dev)
have make || need+=(make)

version=@VERSION
if server=$(find_server); then
	case $("$server" --bindir) in
		/usr/lib/postgresql/*) version=$(server_version "$server") ;;
		*) version= ;;
	esac
fi

# missing FILE PACKAGE  the server lacks FILE, which this package has
missing()
{
	[ -n "$version" ] || die "$server: there is no $1"
	need+=("$2")
}

if [ -z "$server" ]; then
	need+=(postgresql-@VERSION postgresql-server-dev-@VERSION)
else
	for file in "$("$server" --bindir)"/{postgres,initdb,pg_ctl}; do
		[ -x "$file" ] || { missing "$file" "postgresql-$version"; break; }
	done
	file=$("$server" --includedir-server)/postgres.h
	is_dev "$server" || missing "$file" "postgresql-server-dev-$version"
fi

if [ "${1:-}" = test ]; then
	if [ -z "$server" ]; then
		need+=(postgresql-@VERSION-pgtap)
	elif [ ! -e "$("$server" --sharedir)/extension/pgtap.control" ] && [ -n "$version" ]; then
		need+=("postgresql-$version-pgtap")
	fi
	have prove && perl -MTAP::Harness -MJSON::PP -e1 2>/dev/null || need+=(perl)
	perl -MIPC::Run -e1 2>/dev/null || need+=(libipc-run-perl)
	have pgbouncer || [ -x /usr/sbin/pgbouncer ] || need+=(pgbouncer)
fi

[ "${#need[@]}" -gt 0 ] || exit 0
names=${need[*]//@VERSION/NN}
have apt-get || die "missing, and there is no apt-get to install it: $names"
if [ "$(id -u)" = 0 ]; then
	as_root=()
elif have sudo; then
	as_root=(sudo)
	[ -t 0 ] || as_root+=(-n)
	"${as_root[@]}" true 2>/dev/null ||
		die "missing, and sudo does not let you install it: $names"
else
	die "missing, and you are neither root nor have sudo: $names"
fi
say "pgmigrate: missing: $names; installing it with apt-get${as_root:+ through sudo}"
${as_root[@]+"${as_root[@]}"} "$TOP/test/bin/deps.sh" --install "${need[@]}"
