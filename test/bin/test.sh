#!/usr/bin/env bash
#
# test.sh  runs the suites and counts; see "make help" for what can be chosen.
#
# Every suite runs, also after one that failed, on throw-away servers in a work
# directory that is removed at the end.  A test is a file for pg_regress and
# isolation, an assertion for pgTAP and TAP, a check for lint.  A suite that
# dies, or ran no test, or a test that was skipped, counts as failed: the last
# line must not look better than what was run.

set -euo pipefail
# shellcheck source=test/bin/lib.sh
. "$(dirname "$0")/lib.sh"

SUITES=${SUITES:-lint regress isolation pgtap tap faults}
TESTS=${TESTS:-}
if [ -n "${FULL:-}" ]; then export PGMIGRATE_FULL=1; fi
passed=0
failed=0
broken=()

# count NAME LOG STATUS OK NOTOK  adds what LOG counts by these two patterns
count()
{
	local ok notok

	ok=$(grep -cE "$4" "$2" || true)
	notok=$(grep -cE "$5" "$2" || true)
	if [ "$notok" = 0 ] && { [ "$3" != 0 ] || [ "$ok" = 0 ]; }; then
		notok=1
	fi
	passed=$((passed + ok))
	failed=$((failed + notok))
	if [ "$notok" = 0 ]; then
		say "ok - $1 ($ok)"
	else
		say "not ok - $1 ($ok passed, $notok failed)"
		broken+=("$1")
		return 1
	fi
}

# chosen NAME  is it among TESTS?
chosen()
{
	[ -z "$TESTS" ] && return
	case " $TESTS " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# files PATTERN...  the chosen ones of these files
files()
{
	local file

	for file in "$@"; do
		if [ -e "$file" ] && chosen "$(basename "${file%.*}")"; then say "$file"; fi
	done
}

# The lists of the Makefile, with PGXS's own call of pg_regress.
run_pgxs()
{
	local suite=$1 other=$2 list=$3 diffs=$4 log=$WORK/$1.log status=0
	local args=("$other=" TAP_TESTS= "EXTRA_REGRESS_OPTS=--temp-instance=$WORK/$suite/server")

	if [ -n "$TESTS" ]; then args+=("$list=$TESTS"); fi
	as_user mkdir "$WORK/$suite"
	as_user make -s -C "$SRC" "PG_CONFIG=$PG_CONFIG" installcheck "${args[@]}" \
		>"$log" 2>&1 </dev/null || status=$?
	grep -E '^(test .*|ok [0-9]+ .*|not ok [0-9]+ .*| +[^ ]+ +\.\.\. .*)$' "$log" || true
	count "$suite" "$log" "$status" '^(test)? .*\.\.\. ok|^ok [0-9]' \
		'\.\.\. FAILED|^not ok [0-9]' || cat "$SRC/$diffs" 2>/dev/null || cat "$log"
}

suite_regress()
{
	run_pgxs regress ISOLATION REGRESS regression.diffs
}

suite_isolation()
{
	run_pgxs isolation REGRESS ISOLATION output_iso/regression.diffs
}

# run_prove NAME FILE ARG...  one file under prove
run_prove()
{
	local name=$1 file=$2 log=$WORK/$1.log status=0
	shift 2

	mkdir -p "$(dirname "$log")"
	as_user env "PATH=$BINDIR:$PATH:/usr/sbin" prove --verbose --norc --failures \
		--merge "$@" "$file" >"$log" 2>&1 </dev/null || status=$?
	# a test marked as to do may fail, one that was skipped was not run
	sed -i -E 's/^not (ok [0-9]+.*# *todo)/\1/I; s/^ok ([0-9]+.*# *skip)/not ok \1/I' "$log"
	count "$name" "$log" "$status" '^ok [0-9]' '^not ok [0-9]' || { cat "$log"; return 1; }
}

suite_pgtap()
{
	local file server=$WORK/pgtap-server log=$WORK/pgtap.log

	if [ ! -e "$("$PG_CONFIG" --sharedir)/extension/pgtap.control" ]; then
		say "pgtap: not run, this server has no pgTAP"
		if [ -n "$CHOSEN_SERVER" ]; then return; fi
	fi
	if ! { start_server "$server" "pgmigrate.record_failures = off" &&
		as_user "$BINDIR/createdb" pgtap &&
		as_user "$BINDIR/psql" -XqAt -v ON_ERROR_STOP=1 -d pgtap \
			-c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION pgmigrate'; } >"$log" 2>&1
	then
		count pgtap "$log" 1 '^ok ' '^not ok ' || cat "$log"
		return
	fi
	cd "$SRC"
	for file in $(files test/pgtap/*.sql); do
		PGDATABASE=pgtap run_prove "pgtap/$(basename "$file" .sql)" "$file" --ext .sql \
			--exec "$BINDIR/psql -XqAt -v ON_ERROR_STOP=1 -f" || true
	done
	stop_server "$server"
	unset PGHOST PGPORT PGUSER
}

# run_tap NAME  the files of test/NAME
run_tap()
{
	local file dir lib name=$1
	lib=$(dirname "$("$PG_CONFIG" --pgxs)")/../test

	cd "$SRC"
	for file in $(files "test/$name"/*.pl); do
		dir=$WORK/$name/$(basename "$file" .pl)
		as_user mkdir -p "$dir/log"
		TESTDIR=$dir TESTDATADIR=$dir TESTLOGDIR=$dir/log PGPORT=65432 \
			PG_REGRESS=$lib/regress/pg_regress \
			run_prove "$name/$(basename "$file" .pl)" "$file" -I "$lib/perl" -I test/tap ||
			find "$dir" -path '*/log/*.log' -exec tail -n 40 {} +
	done
}

suite_tap()
{
	run_tap tap
}

# servers and workers that are killed again and again: a sample, or with FULL all
suite_faults()
{
	run_tap faults
}

suite_lint()
{
	local log=$WORK/lint.log status=0

	as_user env SRC="$SRC" BUILD_LOG="$WORK/build.log" bash "$SRC/test/bin/lint.sh" \
		>"$log" 2>&1 </dev/null || status=$?
	cat "$log"
	count lint "$log" "$status" '^ok - ' '^not ok - ' || true
}

# has_tests SUITE
has_tests()
{
	case $1 in
		lint) true ;;
		regress) compgen -G "$SRC/sql/*.sql" >/dev/null ;;
		isolation) compgen -G "$SRC/test/isolation/specs/*.spec" >/dev/null ;;
		pgtap) compgen -G "$SRC/test/pgtap/*.sql" >/dev/null ;;
		tap | faults) compgen -G "$SRC/test/$1/*.pl" >/dev/null ;;
	esac
}

CHOSEN_SERVER=${PG_CONFIG:-}
for suite in $SUITES; do
	declare -F "suite_$suite" >/dev/null || die "there is no suite \"$suite\""
done
"$TOP/test/bin/deps.sh" test
set_up test
say "== $("$PG_CONFIG" --version)"
built=yes
build || { built=no; tail -n 40 "$WORK/build.log"; }
for suite in $SUITES; do
	has_tests "$suite" || { say "== $suite: no tests yet"; continue; }
	say "== $suite"
	if [ $built = no ] && [ "$suite" != lint ]; then
		: >"$WORK/$suite.log"
		count "$suite" "$WORK/$suite.log" 1 '^ok' '^not ok' || true
		continue
	fi
	"suite_$suite"
	cd "$WORK"
done

[ "${#broken[@]}" = 0 ] || say "failed: ${broken[*]}"
say "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
