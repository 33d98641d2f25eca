#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures what libcprof-heap.so adds to a malloc+free pair: medians of pairs of runs, native and
# preloaded in turn; and heaptrack's own preloaded library in the same run if it is installed.
set -euo pipefail
build=${BUILD:-build}
runs=${RUNS:-7}
library=$build/libcprof-heap.so
loop=$build/bench/bench_preload
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", v[int((NR + 1) / 2)] }'; }

# Prints one line of the table from "NATIVE OTHER" lines: medians, the median difference, the ratio.
row() { # WHAT THREADS
	local pairs=$work/pairs native other added
	native=$(awk '{ print $1 }' "$pairs" | median)
	other=$(awk '{ print $2 }' "$pairs" | median)
	added=$(awk '{ print $2 - $1 }' "$pairs" | median)
	awk -v what="$1" -v threads="$2" -v native="$native" -v other="$other" -v added="$added" 'BEGIN {
		printf "  %-38s %7d %10.2f %10.2f %10.2f %8.2f\n",
			what, threads, native, other, added, other / native }'
}

# compare WHAT THREADS PAIRS RUNS COMMAND...: COMMAND runs the loop with the library to compare;
# $live blocks are held.
live=1
compare() {
	local what=$1 threads=$2 pairs=$3 times=$4
	shift 4
	for ((i = 0; i < times; i++)); do
		echo "$("$loop" "$threads" "$pairs" "$live") $("$@" "$loop" "$threads" "$pairs" "$live" | tail -n 1)"
	done >"$work/pairs"
	row "$what" "$threads"
}

with_heaptrack() {
	heaptrack -o "$work/heaptrack" "$@" 2>/dev/null | grep -xE '[0-9]+\.[0-9]+'
}

echo "a malloc+free pair, ns of a CPU; medians of $runs pairs of runs:"
printf '  %-38s %7s %10s %10s %10s %8s\n' '' threads native with added ratio
for threads in 1 2 4; do
	compare 'libcprof-heap, 512 KiB' "$threads" 20000000 "$runs" env LD_PRELOAD="$library"
done
live=1000000
compare 'libcprof-heap, a million blocks live' 1 3000000 "$runs" env LD_PRELOAD="$library"
live=1
compare 'libcprof-heap, every allocation' 1 1000000 "$runs" \
	env LD_PRELOAD="$library" CPROF_HEAP_RATE=1
if command -v heaptrack >/dev/null; then
	for threads in 1 2; do
		compare 'heaptrack' "$threads" 300000 3 with_heaptrack
	done
fi
