#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures the seconds for naming 8,268 distinct addresses of a 20,000-function program with inlined
# frames, by cprof and by its peers on the same addresses: medians of five runs, taken in turn.
# SLOW=1 adds eu-addr2line.
set -euo pipefail

build=${BUILD:-build}
dir=$build/bench/big
here=$(dirname "$0")
runs=${RUNS:-5}

"$here/../targets/gen_big_program.sh" "$dir"

seconds() {
	local from=$EPOCHREALTIME to
	"$@" < "$dir/addresses" > /dev/null 2>&1
	to=$EPOCHREALTIME
	echo $((${to/./} - ${from/./}))
}

tools=(cprof)
[ -z "$(command -v llvm-symbolizer)" ] || tools+=(llvm-symbolizer)
[ -z "$(command -v addr2line)" ] || tools+=(addr2line)
[ -z "${SLOW:-}" ] || [ -z "$(command -v eu-addr2line)" ] || tools+=(eu-addr2line)

run() {
	case $1 in
	cprof) seconds "$build/bench/bench_symbols" "$dir/big" ;;
	llvm-symbolizer) seconds llvm-symbolizer -e "$dir/big" ;;
	addr2line) seconds addr2line -f -i -C -e "$dir/big" ;;
	eu-addr2line) seconds eu-addr2line -f -i -C -e "$dir/big" ;;
	esac
}

declare -A times
for ((i = 0; i < runs; i++)); do
	for tool in "${tools[@]}"; do
		times[$tool]+="$(run "$tool")"$'\n'
	done
done

echo "naming $(wc -l < "$dir/addresses") addresses of $(($(stat -c %s "$dir/big") >> 20)) MB, whole process, seconds:"
for tool in "${tools[@]}"; do
	printf '%s' "${times[$tool]}" | sort -n |
		awk -v tool="$tool" '{ t[NR] = $1 } END { printf "  %-16s %.3f\n", tool, t[int((NR + 1) / 2)] / 1e6 }'
done
