#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures the page of a profile with a million samples and 100,000 distinct stacks, and one with
# 200,000, in Chromium.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PLAYWRIGHT=${BUILD:-$PWD/build}/playwright
make_page=${TARGETS:-$PWD/build/targets}/make-page

echo '== page: opening and moving around in a large profile'
if ! why=$(tests/page/setup.sh "$PLAYWRIGHT"); then
	echo "skipped: $why"
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for stacks in 100000 200000; do
	"$make_page" big$stacks >"$dir/$stacks.html"
done
timeout 120 node tests/bench/bench_page.mjs "$dir/100000.html" "$dir/200000.html"
