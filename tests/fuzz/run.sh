#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS|corpus DIR runs each harness in DIR for so long, or once over its committed corpus,
# and prints TAP. A finding stays in DIR as crash-*; move it to tests/fuzz/corpus/<name>/ with its
# fix.
set -u
how=$1
dir=$2
cd "$(dirname "$0")/../.." || exit 1

count=0 failed=0
for source in tests/fuzz/fuzz_*.c; do
	[ -e "$source" ] || continue
	name=$(basename "$source" .c)
	name=${name#fuzz_}
	corpus=tests/fuzz/corpus/$name
	count=$((count + 1))
	arguments=(-artifact_prefix="$dir/" -rss_limit_mb=2048 -timeout=10)
	if [ "$how" = corpus ]; then
		mapfile -t inputs < <(find "$corpus" -type f 2>/dev/null | sort)
		arguments+=("${inputs[@]}")
		[ "${#inputs[@]}" -gt 0 ] || arguments+=(-runs=1000)
	else
		mkdir -p "$dir/found/$name" "$corpus"
		arguments+=(-max_total_time="$how" "$dir/found/$name" "$corpus")
	fi
	if output=$("$dir/fuzz_$name" "${arguments[@]}" 2>&1); then
		echo "ok $count - fuzz $name ($how)"
		[ "$how" = corpus ] || grep -E '^#[0-9]+.*DONE' <<<"$output" | sed 's/^/# /'
	else
		tail -n 40 <<<"$output" | sed 's/^/# /'
		echo "not ok $count - fuzz $name ($how)"
		failed=1
	fi
done
[ "$count" -gt 0 ] || echo 'ok 1 - fuzz # skip no harness yet'
echo "1..$((count > 0 ? count : 1))"
exit $failed
