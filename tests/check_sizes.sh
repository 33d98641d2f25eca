#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that a function can be seen as a whole (60 lines at most), and that a file has one job (600
# lines at most). Generated files are left out, and so are those that are listed here to be split.
set -eu
cd "$(dirname "$0")/.."

declare -A later=() # [file]=1, or [file:function]=1

while read -r file; do
	lines=$(wc -l <"$file")
	if [ "$lines" -gt 600 ] && [ -z "${later[$file]:-}" ]; then
		echo "$file: $lines lines, of at most 600"
		bad=1
	fi
done < <(find src cmd bpf preload tests -name '*.[ch]' -not -name 'vmlinux*')

# The braces of a body are in the first column, and the name is in the lines before.
while IFS=: read -r file line name lines; do
	[ -z "${later[$file:$name]:-}" ] || continue
	echo "$file:$line: $name() has $lines lines, of at most 60"
	bad=1
done < <(find src cmd bpf preload tests -name '*.[ch]' -not -name 'vmlinux*' -exec awk '
	/^[A-Za-z].*\(/ { head = $0 }
	/^\{$/ { start = FNR }
	/^\}$/ && start {
		if (FNR - start + 1 > 60) {
			sub(/\(.*/, "", head)
			sub(/.*[ *]/, "", head)
			printf "%s:%d:%s:%d\n", FILENAME, start, head, FNR - start + 1
		}
		start = 0
	}' {} +)
exit "${bad:-0}"
