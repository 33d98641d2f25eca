#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh CPROF TARGET profiles the sample program for three seconds and shows the result.
set -eu
cprof=$1
target=$2
out=demo.pb.gz
page=demo.html

"$target" >/dev/null &
pid=$!
trap 'kill $pid 2>/dev/null; wait $pid 2>/dev/null || true' EXIT

if [ "$(id -u)" != 0 ]; then
	echo "Not root: user-mode stacks only, through perf events."
fi
echo "\$ $cprof cpu -p $pid -d 3s -o $out      # $target, which knows nothing of this"
"$cprof" cpu -p $pid -d 3s -o $out
echo
echo "\$ $cprof convert $out -o $page"
"$cprof" convert $out -o $page
echo
echo "\$ $cprof report $out --top 12"
"$cprof" report $out --top 12
echo
echo "The flame graph is $PWD/$page: open it in a browser (it loads nothing from anywhere)."
echo "The profile is $PWD/$out. See who calls what with"
echo "    $cprof report $out --tree"
echo "or look at it with any pprof viewer, for example go tool pprof -http=: $out"
