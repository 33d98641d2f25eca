#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files of other profilers: what cprof reads of them, and what it says about those that it cannot
# read.

load helper

# Prints a column of the row of a function: flat, flat%, sum%, cum or cum%.
row() { "$CPROF" report "$1" --top 0 --full-names "${@:4}" | awk -v n="$2" -v c="$3" '$6 == n { print $c }'; }

@test "reading: folded counts may have fractions" {
	printf 'main;a 0.4\nmain;b 0.35\nmain;c .25\n' >f.folded
	[ "$(row f.folded a 2)" = 40.00% ]
	[ "$(row f.folded a 1)" = 0.40 ]
	[ "$("$CPROF" report f.folded | awk '$1 == "Total:" { print $2 }')" = 1 ]
	"$CPROF" convert f.folded -q -o f.pb.gz
	[ "$("$CPROF" convert f.pb.gz -f folded)" = $'main;a 0.4\nmain;b 0.35\nmain;c 0.25' ]
}

@test "reading: the two counts of difffolded.pl are two sample types" {
	printf 'main;work;inner 10 25\nmain;idle 30 5\n' >f.folded
	[ "$("$CPROF" convert f.folded -f folded)" = $'main;idle 5\nmain;work;inner 25' ]
	[ "$("$CPROF" convert f.folded -f folded --sample-type samples_before)" = $'main;idle 30\nmain;work;inner 10' ]
}

@test "reading: lines without a count are left out, counted and named" {
	printf '\xef\xbb\xbf# a comment 5\r\nmain;a 3\r\n\r\nno count\r\nmain;b\t4\r\nmain;c 5%%\r\n' >f.folded
	run --separate-stderr "$CPROF" convert f.folded -f folded
	[ "$output" = $'main;a 3\nmain;b 4' ]
	[ "$stderr" = 'cprof: f.folded: 2 lines do not end in a count and are left out (the first is line 4)' ]
}

@test "reading: jemalloc's own profile has its totals and its functions" {
	lib=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
	[ -e "$lib" ] || skip 'no jemalloc here'
	start_ready env LD_PRELOAD="$lib" MALLOC_CONF=prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:own \
		"$TARGETS/heap_leaks" 16 2000
	kill -USR1 "$PID"
	said done
	target_end
	mv own.*.heap own.heap || skip 'this jemalloc cannot profile'
	read -r objects bytes < <(awk '$1 == "t*:" { print $2 + 0, $3 + 0; exit }' own.heap)
	[ "$objects" -gt 100 ]
	"$CPROF" convert own.heap -q -f folded --sample-type objects >objects.folded
	"$CPROF" convert own.heap -q -f folded >bytes.folded
	[ "$(awk '{ sum += $NF } END { print sum }' objects.folded)" = "$objects" ]
	[ "$(awk '{ sum += $NF } END { print sum }' bytes.folded)" = "$bytes" ]
	grep -q 'main;.*leak' bytes.folded
}

@test "reading: text profiles of Go have the numbers of go tool pprof" {
	command -v go >/dev/null || skip 'no go'
	cat >heap.txt <<-'END'
		heap profile: 3: 1048576 [4: 1572864] @ heap/1048576
		2: 524288 [3: 1048576] @ 0x420cef 0x422151
		1: 524288 [1: 524288] @ 0x420cef 0x74920f
	END
	for type in inuse_space inuse_objects alloc_space alloc_objects; do
		total=$("$CPROF" convert heap.txt -q -f folded --sample-type $type | awk '{ sum += $NF } END { print sum }')
		theirs=$(go tool pprof -raw heap.txt 2>/dev/null | awk -v t=$type '
			/^Samples:/ { getline; n = split($0, names, /[ \/]/); for (i = 1; i < n; i += 2) at[names[i]] = (i + 1) / 2 }
			/^ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+:/ { gsub(/:/, ""); sum += $at[t] } END { print sum }')
		[ "$total" = "$theirs" ] || { echo "$type: $total, not $theirs"; return 1; }
	done
}

@test "reading: errors say what the file was recognised as" {
	says() {
		run --separate-stderr "$CPROF" report "$1"
		[ "$status" -eq 1 ]
		[[ $stderr == "cprof: cannot read $1: this is $2"* ]] || { echo "$stderr"; return 1; }
	}
	printf 'heap_v2/1\n@ 0x1\n  t*: many\n' >jemalloc.heap
	says jemalloc.heap 'a heap profile of jemalloc, but a line of it is damaged'
	printf 'goroutine profile: total 1\n1 at\n' >goroutine.txt
	says goroutine.txt 'a text profile of Go, but a line of it is damaged'
	printf 'PERFILE2\0\0' >perf.data
	says perf.data 'a recording of perf, which cprof does not read: perf script'
	cp /bin/sh program
	says program 'a program or a library'
	echo 'nothing to see' >words
	says words 'text, but no line of it ends in a count'
}
