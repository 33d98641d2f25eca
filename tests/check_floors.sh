#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file in src/<floor>/ includes only its own floor and those below it; cmd/ stands on top.
set -eu
cd "$(dirname "$0")/.."

declare -A level=([base]=0 [elf]=1 [profile]=1 [target]=2 [view]=2 [format]=3 [unwind]=3 [symbol]=4
	[collect]=5 [cmd]=6)
bad=0
while IFS=: read -r file line text; do
	floor=${file#src/}
	floor=${floor%%/*}
	to=${text#*\"}
	to=${to%%/*}
	[ -n "${level[$floor]:-}" ] || { echo "$file: no floor is called $floor"; bad=1; continue; }
	[ -n "${level[$to]:-}" ] || continue # a header of the same folder, generated, or bpf/'s
	if [ "$floor" != "$to" ] && [ "${level[$to]}" -ge "${level[$floor]}" ]; then
		echo "$file:$line: $floor/ may not include $to/"
		bad=1
	fi
done < <(grep -Hno '^#include "[a-z]*/' -r src cmd --include='*.[ch]' || true)
exit $bad
