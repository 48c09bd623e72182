#!/usr/bin/env bash
#
# run.sh  runs the parts of the benchmark, one after the other.
#
# "make bench" calls it, with PG_CONFIG and BINDIR of a private copy of the
# server that has the extension, and a directory WORK.  BENCH names the parts,
# each a script beside this one: migrations, backfill, foreground, online, sync.
# Plots are left in RESULTS.

set -euo pipefail
here=$(dirname "$0")

BENCH=${BENCH:-migrations backfill foreground online sync}
export RESULTS=${RESULTS:-$WORK/results}
mkdir -p "$RESULTS"

for part in $BENCH; do
	[ -e "$here/$part.sh" ] || { echo "there is no part \"$part\"" >&2; exit 1; }
	bash "$here/$part.sh"
done
bash "$here/plots.sh" "$RESULTS"
