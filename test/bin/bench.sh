#!/usr/bin/env bash
#
# bench.sh  runs test/bench/run.sh with the extension installed into a private
# copy of the server: PG_CONFIG and BINDIR name it, WORK is a directory for the
# benchmark's files, and the benchmark starts its servers with lib.sh.

set -euo pipefail
# shellcheck source=test/bin/lib.sh
. "$(dirname "$0")/lib.sh"

"$TOP/test/bin/deps.sh"
set_up bench
build || { cat "$WORK/build.log" >&2; die "the build failed"; }
[ -e "$SRC/test/bench/run.sh" ] || die "there is no benchmark: test/bench/run.sh"
cd "$SRC"
export BINDIR WORK
as_user bash test/bench/run.sh "$@"
if [ -n "${PLOTS:-}" ]; then cp "$WORK"/results/*.svg "$TOP/doc/"; fi
