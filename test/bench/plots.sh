#!/usr/bin/env bash
#
# plots.sh [RESULTS]  draws the plots of doc/performance.md from what the
# benchmark left in a directory, into the same.  Without gnuplot there are none.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export GNUPLOT_LIB=$here
cd "${1:-$RESULTS}"

command -v gnuplot >/dev/null || { echo "no gnuplot: no plots"; exit; }
if [ -e progress_plain.dat ] && [ -e progress_engine.dat ]; then
	gnuplot "$here/progress.gp"
	echo "$PWD/backfill-progress.svg"
fi
if [ -e p99_alone.dat ] && [ -e p99_plain.dat ] && [ -e p99_engine.dat ]; then
	gnuplot "$here/p99.gp"
	echo "$PWD/foreground-p99.svg"
fi
