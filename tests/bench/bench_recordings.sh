#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures how long the first recording of a process and later ones take until they are ready.
set -euo pipefail
build=${BUILD:-build}

echo "until a recording is ready, in ms (${RUNS:-30} runs):"
printf '  %-8s %-24s %8s %8s %8s %8s %8s\n' kind recording best median p99 'CPU' 'CPU p99'
for kind in cpu offcpu wall block mutex heap; do
	"$build/targets/shares" >/dev/null &
	target=$!
	sleep 0.5
	"$build/bench/bench_recordings" "$target" "$kind" "${RUNS:-30}"
	kill "$target" 2>/dev/null || true
	wait "$target" 2>/dev/null || true
done
