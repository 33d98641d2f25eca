#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file in src/<floor>/ includes only its own floor and those below it; cmd/ stands on top. A floor may have
# rooms, folders of its own with a level within the floor; what lies in the floor's own folder is below them.
set -eu
cd "$(dirname "$0")/.."

# Tens are floors, units are rooms within a floor. A room of src/collect that is not named here holds a kind.
declare -A level=([base]=0 [elf]=10 [profile]=10 [target]=20 [view]=20 [format]=30 [unwind]=30
	[symbol]=40 [collect]=50 [collect/session]=51 [collect/probe]=51 [collect/perf]=52
	[record]=60 [serve]=70 [cmd]=80)

for folder in src/collect/*/; do
	folder=${folder#src/}
	: "${level[${folder%/}]:=53}"
done

# room PATH: sets `room` to the longest folder of PATH that has a level, "" if none has.
find_room() {
	room=${1%/*}
	while [ -z "${level[$room]:-}" ]; do
		case $room in
		*/*) room=${room%/*} ;;
		*) room='' && return ;;
		esac
	done
}

bad=0
for folder in $(find src -mindepth 1 -type d -printf '%P\n' | sort); do
	find "src/$folder" -maxdepth 1 -name '*.[ch]' | grep -q . || continue
	[ -n "${level[$folder]:-}" ] || { echo "src/$folder has no level in tests/check_floors.sh"; bad=1; }
done
while IFS=: read -r file line text; do
	find_room "${file#src/}"
	from=$room
	to=${text#*\"}
	find_room "${to%\"}"
	[ -n "$room" ] || continue # a header of the same folder, generated, or bpf/'s
	if [ "$from" != "$room" ] && [ "${level[$room]}" -ge "${level[$from]}" ]; then
		echo "$file:$line: $from/ may not include $room/"
		bad=1
	fi
done < <(grep -Hno '^#include "[a-z_]*/[^"]*"' -r src cmd --include='*.[ch]' || true)
exit $bad
