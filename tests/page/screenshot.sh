#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# screenshot.sh CPROF DIR OUT.png makes the README's picture from a fresh profile of the sample
# program. DIR is where playwright-core is kept.
set -eu
cprof=$1 out=$3
here=$(dirname "$0")
"$here/setup.sh" "$2"
dir=$(mktemp -d -t shop-XXXX)
# Paths are replaced, so that they look alike on every machine.
g++ -O2 -g -pthread -fomit-frame-pointer -ffile-prefix-map="$PWD"=/src \
	-ffile-prefix-map="$here/../targets/demo.cpp"=shop.cpp -o "$dir/shop" "$here/../targets/demo.cpp"
"$dir/shop" >/dev/null &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null || true; rm -rf "$dir"' EXIT

"$cprof" cpu -p $pid -d 5s -F 499 -q -o "$dir/page.html"
mkdir -p "$(dirname "$out")"
PLAYWRIGHT=$2 node "$here/screenshot.mjs" "$dir/page.html" "$out"
