#!/usr/bin/env bash
#
# lint.sh  checks what a machine can check of the house rules, without a server.
#
# test.sh calls it ("make lint" too) in its copy of the checkout, after the
# build: the objects and BUILD_LOG are there.  Prints "ok - ..." or
# "not ok - ..." for each check, with the places below.

# shellcheck disable=SC2317	# the functions are called by name

set -euo pipefail
cd "${SRC:?}"
shopt -s nullglob globstar
status=0

sources=(src/*.[ch] src/*/*.[ch])
version=$(sed -n 's/^EXTVERSION = //p' Makefile)

# check TEXT COMMAND...  a check passes when its command prints nothing
check()
{
	local text=$1 out rc=0
	shift

	out=$("$@" 2>&1) || rc=$?
	if [ -z "$out" ] && [ "$rc" = 0 ]; then
		printf 'ok - %s\n' "$text"
	else
		printf 'not ok - %s\n' "$text"
		printf '%s\n' "${out:-exit status $rc}" | head -n 40 | sed 's/^/#   /'
		status=1
	fi
}

# except FILE COMMAND ARG...  runs it on all sources but those matching FILE
except()
{
	local pattern=$1 file list=()
	shift

	for file in "${sources[@]}"; do
		# shellcheck disable=SC2254
		case $file in $pattern) ;; *) list+=("$file") ;; esac
	done
	[ "${#list[@]}" = 0 ] || "$@" "${list[@]}"
}

cstyle()
{
	perl test/bin/cstyle.pl "$@"
}

# A room may include from itself and from rooms on a lower floor.
floor()
{
	case $1 in
		base) echo 0 ;;
		script | store) echo 1 ;;
		plan | backfill | swap | sync) echo 2 ;;
		exec) echo 3 ;;
		atomic | online) echo 4 ;;
		worker) echo 5 ;;
		api) echo 6 ;;
		top) echo 9 ;;
		*) return 1 ;;
	esac
}

layers()
{
	local file room line target other

	for file in "${sources[@]}"; do
		room=$(dirname "${file#src/}")
		[ "$room" != . ] || room=top
		floor "$room" >/dev/null || { echo "$file: the room \"$room\" has no floor"; continue; }
		{ grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file" || true; } |
			while IFS= read -r line; do
				target=${line#*\"}
				target=${target%%\"*}
				if [[ $target == *..* ]]; then
					echo "$file:${line%%:*}: $target by a relative path"
				fi
				[ -e "src/$target" ] || continue
				other=$(dirname "$target")
				[ "$other" != . ] || other=top
				if [ "$other" != "$room" ] &&
					[ "$(floor "$other" || echo 99)" -ge "$(floor "$room")" ]; then
					echo "$file:${line%%:*}: $room includes $target"
				fi
			done
	done
}

# The objects, not the library: newer servers hide what is not marked, and a
# name that is only hidden would still clash where it is not.
symbols()
{
	local objects=(src/**/*.o)

	[ "${#objects[@]}" -gt 0 ] || { echo "nothing was built"; return; }
	nm -A -g --defined-only "${objects[@]}" | awk '{ print $1, $NF }' |
		grep -vE ' (pgm_|pgmigrate_|pg_finfo_pgmigrate_|Pg_magic_func$|_PG_(init|fini)$)' || true
}

warnings()
{
	grep -E '(warning|error|note):|Error [0-9]+$' "${BUILD_LOG:?}" || true
	[ -e pgmigrate.so ] || echo "there is no pgmigrate.so"
}

versions()
{
	[ -n "$version" ] || echo "Makefile: no EXTVERSION"
	grep -qxF "default_version = '$version'" pgmigrate.control ||
		echo "pgmigrate.control: default_version is not $version"
	perl test/bin/meta.pl META.json "$version"
	grep -m1 '^## ' CHANGELOG.md | grep -qF "## $version " ||
		echo "CHANGELOG.md: the first heading is not $version"
}

# Every source, fragment and test stands in a list of the Makefile.
listed()
{
	local file

	for file in src/*.c src/*/*.c; do
		grep -qE "^	${file%.c}\.o( |$)" Makefile || echo "$file is not in OBJS"
	done
	for file in src/sql/*.sql; do
		grep -qE "^	$file( |$)" Makefile || echo "$file is not in SQL_FRAGMENTS"
	done
	for file in sql/*.sql; do
		list REGRESS | grep -qxF "$(basename "$file" .sql)" || echo "$file is not in REGRESS"
	done
	for file in test/isolation/specs/*.spec; do
		list ISOLATION | grep -qxF "$(basename "$file" .spec)" || echo "$file is not in ISOLATION"
	done
}

# list NAME  prints the words of a variable of the Makefile
list()
{
	sed -n "/^$1 =/,/[^\\\\]\$/p" Makefile | sed "s/^$1 =//; s/\\\\\$//" | tr -s ' \t' '\n'
}

fragments()
{
	local blank='[[:space:]]'

	grep -nHiE "(^$blank*|CREATE$blank+)OR$blank+REPLACE|IF$blank+(NOT$blank+)?EXISTS" \
		src/sql/*.sql || true
}

# text_files  all that is text, except what is about other places by its nature
text_files()
{
	find . -type f ! -path './.git/*' ! -name '*.o' ! -name '*.so' ! -name '*.bc' \
		! -path ./test/bin/lint.sh -print0
}

marks()
{
	text_files | xargs -0 grep -nIwE 'TODO|FIXME|XXX|HACK' || true
}

# Paths of one machine, and hosts other than those of public documents.
places()
{
	text_files | xargs -0 grep -nIE '(^|[^[:alnum:]_./$}])/(work|home|root|Users)/' || true
	text_files | xargs -0 grep -nIoE \
		'https?://[^/ "<>)]+|[a-z0-9.-]+\.(debian|ubuntu)\.(org|com)' |
		grep -vE '://(www\.|wiki\.|git\.)?postgresql\.org$|://(www\.)?pgxn\.org$|://github\.com$|://badge\.fury\.io$|://semver\.org$|://keepachangelog\.com$|://www\.pgbouncer\.org$|://www\.w3\.org$' || true
}

shell()
{
	local file

	for file in test/bin/*.sh test/bench/*.sh .ci/run; do
		bash -n "$file"
		case $file in test/bench/* | test/bin/lib.sh) continue ;; esac
		[ -x "$file" ] || echo "$file cannot be executed"
	done
	if command -v shellcheck >/dev/null 2>&1; then
		shellcheck -x test/bin/*.sh test/bench/*.sh .ci/run
	fi
	for file in test/bin/*.pl; do
		perl -wc "$file" 2>&1 | grep -v 'syntax OK$' || true
	done
}

check "rooms include from lower floors only" layers
check "exported symbols carry our prefix" symbols
check "compiles without a warning" warnings
check "SQL on the extension's tables is in store" except 'src/store/*' cstyle tables
check "version conditions are in base/compat.h" \
	except src/base/compat.h cstyle word 'PG_VERSION_NUM|PG_MAJORVERSION(_NUM)?|PG_VERSION'
check "settings are defined in base/guc.c" \
	except src/base/guc.c cstyle word 'DefineCustom\w+Variable|MarkGUCPrefixReserved'
check "one place waits on latches" \
	except src/base/wait.c cstyle word 'WaitLatch\w*|WaitEventSetWait|pg_usleep'
check "errors have an SQLSTATE" except '' cstyle errcode
check "messages are in the server's style" except '' cstyle message
check "functions have at most 100 lines, files 600" except '' cstyle length
check "versions agree" versions
check "sources and tests are listed in the Makefile" listed
check "the install script uses plain CREATE" fragments
check "META.json is valid for PGXN" perl test/bin/meta.pl META.json
check "no marks left over" marks
check "no machine's paths and hosts" places
check "scripts are sound" shell
if test/bin/indent.sh --find >/dev/null; then
	check "sources are as pgindent leaves them" test/bin/indent.sh --check
else
	echo "# not checked: indentation, since there is no pgindent"
fi
exit $status
