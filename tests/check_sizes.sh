#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that a function can be seen as a whole (60 lines at most), and that a file has one job (600
# lines at most). Generated files are left out, and so are those that are listed here to be split.
# With --print it also prints the median length of functions, without the tests and with them.
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

# lengths FOLDER... prints FILE:LINE:FUNCTION:LINES for each function. The braces of a body are in
# the first column, and the name is in the lines before.
lengths() {
	find "$@" -name '*.[ch]' -not -name 'vmlinux*' -exec awk '
		/^[A-Za-z].*\(/ { head = $0 }
		/^\{$/ { start = FNR }
		/^\}$/ && start {
			sub(/\(.*/, "", head)
			sub(/.*[ *]/, "", head)
			printf "%s:%d:%s:%d\n", FILENAME, start, head, FNR - start + 1
			start = 0
		}' {} +
}

while IFS=: read -r file line name lines; do
	if [ "$lines" -gt 60 ] && [ -z "${later[$file:$name]:-}" ]; then
		echo "$file:$line: $name() has $lines lines, of at most 60"
		bad=1
	fi
done < <(lengths src cmd bpf preload tests)

# median FOLDER... prints the middle of all lengths.
median() { lengths "$@" | cut -d: -f4 | sort -n | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)], "lines in", NR }'; }

if [ "${1:-}" = --print ]; then
	echo "median of functions: $(median src cmd bpf preload)"
	echo "with tests: $(median src cmd bpf preload tests)"
fi
exit "${bad:-0}"
