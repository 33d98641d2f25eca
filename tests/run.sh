#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh PART=COMMAND... runs each part, which prints TAP, shows what failed with its output, and
# ends with the sum as the last line: "N passed, N failed, N skipped".
set -u

passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Prints the counts of one TAP log, and on stderr the failures with the lines around them, because
# diagnostics may come before their result (unit) or after it (bats).
# shellcheck disable=SC2016 # awk's dollars, not the shell's
sum_up='
	function shown(line) { print "    " line > "/dev/stderr" }
	function held_show(  i) { for (i = 1; i <= nheld; i++) shown(held[i]) }
	/^not ok / && !/# *(TODO|todo)/ { bad++; held_show(); nheld = 0; shown($0); show = 1; next }
	/^ok /     { if (tolower($0) ~ /# *skip/) { skip++; print "    " $0 > "/dev/stderr" } else good++
		     nheld = 0; show = 0; next }
	/^1\.\.[0-9]+/ { split($0, plan, /\.\.| /); want = plan[2] + 0; planned = 1; next }
	{ if (show) shown($0); else held[++nheld] = $0 }
	END {
		total = good + bad + skip
		if (planned && want != total) {
			shown("planned " want " tests, saw " total); held_show(); bad++
		} else if (!total || (status && !bad)) {
			shown("exit status " status " after " total " tests"); held_show(); bad++
		}
		print good + 0, bad + 0, skip + 0
	}'

for part in "$@"; do
	name=${part%%=*}
	began=$SECONDS
	printf '== %s\n' "$name"
	bash -c "${part#*=}" </dev/null >"$log" 2>&1
	status=$?
	read -r good bad skip < <(awk -v status="$status" "$sum_up" "$log")
	printf '   %s: %d passed, %d failed, %d skipped, %d s\n' \
		"$name" "$good" "$bad" "$skip" $((SECONDS - began))
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
done

printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
