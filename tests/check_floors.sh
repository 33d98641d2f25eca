#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that a file in src/<floor>/ includes only its own floor and those below it; cmd/ is on top.
# A floor may have sub-folders with a level within the floor, and the files in the floor's own
# folder are below them.
set -eu
cd "$(dirname "$0")/.."

# Tens are floors, and units are sub-folders within a floor. A sub-folder of src/collect that is not
# named here holds a kind, and one of src/arch is an architecture.
declare -A level=([base]=0 [arch]=5 [elf]=10 [profile]=10 [target]=20 [view]=20 [format]=30
	[unwind]=30 [symbol]=40 [collect]=50 [collect/session]=51 [collect/probe]=52
	[collect/perf]=52 [collect/threads]=54 [record]=60 [serve]=70 [cmd]=80)

for folder in src/arch/*/; do
	folder=${folder#src/}
	level[${folder%/}]=6
done
for folder in src/collect/*/; do
	folder=${folder#src/}
	: "${level[${folder%/}]:=53}"
done

# find_folder PATH sets `folder` to the longest folder of PATH that has a level, or "" if none has.
find_folder() {
	folder=${1%/*}
	while [ -z "${level[$folder]:-}" ]; do
		case $folder in
		*/*) folder=${folder%/*} ;;
		*) folder='' && return ;;
		esac
	done
}

bad=0
for folder in $(find src -mindepth 1 -type d -printf '%P\n' | sort); do
	find "src/$folder" -maxdepth 1 -name '*.[ch]' | grep -q . || continue
	[ -n "${level[$folder]:-}" ] || { echo "src/$folder has no level in tests/check_floors.sh"; bad=1; }
done
while IFS=: read -r file line text; do
	find_folder "${file#src/}"
	from=$folder
	to=${text#*\"}
	find_folder "${to%\"}"
	[ -n "$folder" ] || continue # a header of the same folder, generated, or bpf/'s
	if [ "$from" != "$folder" ] && [ "${level[$folder]}" -ge "${level[$from]}" ]; then
		echo "$file:$line: $from/ may not include $folder/"
		bad=1
	fi
done < <(grep -Hno '^#include "[a-z_]*/[^"]*"' -r src cmd --include='*.[ch]' || true)
exit $bad
