#!/usr/bin/env bash
#
# indent.sh [--check | --find]  runs pgindent over the C sources, or prints what
# it would change, or only where it is.  pgindent and the server's list of types come with the server's
# development files from PostgreSQL 17 on; ours are read from the sources.
# Exits with 3 where there is no pgindent.

set -euo pipefail
# shellcheck source=test/bin/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$TOP"

mine=
if server=$(find_server); then mine=$("$server" --bindir); fi
for bin in $mine $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5,5nr); do
	if [ -x "$bin/pgindent" ]; then
		typedefs=$("$bin/pg_config" --sharedir)/typedefs.list
		[ ! -e "$typedefs" ] || break
	fi
	bin=
done
if [ -z "${bin:-}" ]; then
	say "pgindent is not installed: postgresql-server-dev-17 and later have it"
	exit 3
fi
if [ "${1:-}" = --find ]; then
	say "$bin/pgindent"
	exit
fi

shopt -s nullglob
files=(src/*.[ch] src/*/*.[ch])
[ "${#files[@]}" -gt 0 ] || exit 0
ours=$(sed -n -E 's/^\} *([A-Za-z_][A-Za-z0-9_]*);.*/\1/p;
	s/^typedef .*[ *(]([A-Za-z_][A-Za-z0-9_]*)(\)\(.*)?;.*/\1/p' "${files[@]}" | sort -u)
check=()
[ "${1:-}" != --check ] || check=(--diff --check)
PATH=$bin:$PATH pgindent --typedefs="$typedefs" --list-of-typedefs="$ours" \
	${check[@]+"${check[@]}"} "${files[@]}"
