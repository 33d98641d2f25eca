#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Compares what cprof says about profiles, view by view, with go tool pprof on the same files.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CPROF=${CPROF:-$ROOT/cprof}

setup_file() {
	python3 "$BATS_TEST_DIRNAME/pprof_make.py" 300 200 60 7 "$BATS_FILE_TMPDIR/p.pb.gz"
	python3 "$BATS_TEST_DIRNAME/pprof_make.py" 500 200 60 8 "$BATS_FILE_TMPDIR/q.pb.gz"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	P=$BATS_FILE_TMPDIR/p.pb.gz
	Q=$BATS_FILE_TMPDIR/q.pb.gz
}

need_go() { command -v go >/dev/null || skip 'no go'; }

# The kernel is called [kernel.kallsyms] here, and not [[kernel.kallsyms]].
pprof() {
	go tool pprof -nodefraction=0 -edgefraction=0 -nodecount=1000000 "$@" 2>/dev/null |
		sed 's/\[\[\([a-z.]*\)\]\]/[\1]/'
}

# Prints the rows of -top (flat, cum, function) in any order.
top_rows() { awk 'seen { print $1, $4, $6, $7 } $1 == "flat" { seen = 1 }' | sort; }

# same_top FILE CPROF-OPTIONS -- PPROF-OPTIONS
same_top() {
	local file=$1 ours=()
	shift
	while [ "$1" != -- ]; do
		ours+=("$1")
		shift
	done
	shift
	pprof -top "$@" "$file" | top_rows >theirs
	"$CPROF" report "$file" --top 0 --full-names "${ours[@]}" | top_rows >ours
	[ "$(wc -l <ours)" -gt 2 ]
	diff theirs ours
}

# Prints the blocks between separators, each sorted, in any order.
blocks() {
	awk '/^--*\+-*$/ { n++; next } n > 1 { sub(/ +$/, ""); print n "\t" $0 }' |
		awk -F '\t' '{
			if ($1 != last) { if (last) print text; text = ""; last = $1 }
			text = text "\\" $2
		} END { print text }' | sort
}

@test "report: -top has the numbers of go tool pprof" {
	need_go
	same_top "$P" --
	same_top "$P" --cum -- -cum
	same_top "$P" --sample-type samples -- -sample_index=samples
}

@test "report: filters have the effects of go tool pprof's" {
	need_go
	same_top "$P" --focus 'func_2' -- -focus 'func_2'
	same_top "$P" --focus 'libfoo' -- -focus 'libfoo'
	same_top "$P" --ignore 'func_(1|20)$' -- -ignore 'func_(1|20)$'
	same_top "$P" --hide 'func_1' -- -hide 'func_1'
	same_top "$P" --hide 'kallsyms' -- -hide 'kallsyms'
	same_top "$P" --show-from 'func_3' -- -show_from 'func_3'
	same_top "$P" --focus func_2 --ignore func_30 --hide file_3 --show-from func_4 -- \
		-focus func_2 -ignore func_30 -hide file_3 -show_from func_4
	same_top "$P" --label thread=worker-3 -- -tagfocus 'thread=^worker-3$'
}

@test "report: groups are those of go tool pprof" {
	need_go
	# pprof also distinguishes the start lines of functions and their modules.
	python3 "$BATS_TEST_DIRNAME/pprof_make.py" 300 200 60 7 plain.pb.gz plain
	pprof -top -files plain.pb.gz | top_rows >theirs
	"$CPROF" report plain.pb.gz --top 0 -g file | top_rows >ours
	diff theirs ours
	pprof -top -lines "$P" | top_rows >theirs
	"$CPROF" report "$P" --top 0 --full-names -g line | top_rows >ours
	diff theirs ours
	"$CPROF" report "$P" -g module | grep -q '100%.*\[libfoo.so.1\]' ||
		"$CPROF" report "$P" -g module | grep -F '[libfoo.so.1]'
	"$CPROF" report "$P" -g thread | grep -q worker-7
}

@test "report: tags, as frames and as a list, are those of go tool pprof" {
	need_go
	# go tool pprof calls all frames of missing labels <unknown>.
	same_top "$P" --label thread --tagroot thread -- -tagfocus 'thread=.' -tagroot thread
	same_top "$P" --label thread --tagleaf thread -- -tagfocus 'thread=.' -tagleaf thread
	same_top "$P" --cum --label thread --tagroot thread --tagleaf thread -- \
		-cum -tagfocus 'thread=.' -tagroot thread -tagleaf thread
	same_top "$P" --label 'thread~worker-[12]' -- -tagfocus 'thread=worker-[12]'
	# Its shares are of all samples or of those with the label, depending on its version.
	values() { sed -n 's/^ *[^ ]* ( *[0-9.]*%): \(.*\)/\1/p' | tr -d ' '; }
	go tool pprof -tags "$P" 2>/dev/null | values >theirs
	"$CPROF" report "$P" --tags --top 0 | values >ours
	[ "$(wc -l <ours)" -gt 2 ]
	diff theirs ours
}

@test "report: --tree has the numbers of go tool pprof" {
	need_go
	pprof -tree "$P" | sed -n '/^---/,$p' | awk '{ gsub(/ +[0-9.e-]+% +[0-9.e-]+%  /, " "); print }' |
		blocks >theirs
	"$CPROF" report "$P" --tree --top 0 --full-names | sed -n '/^---/,$p' |
		awk '{ gsub(/ +[0-9.e-]+% +[0-9.e-]+%  /, " "); print }' | blocks >ours
	[ "$(wc -l <ours)" -gt 50 ]
	# The running sum and the order of equal entries differ, but not the numbers.
	edges='[0-9.]+m?s +[0-9. ]+[0-9]% \|   ns::func_[0-9]+( .inline.)?'
	diff <(grep -oE "$edges" theirs | sort) <(grep -oE "$edges" ours | sort)
	nodes() { grep -oE '\\ *[0-9.]+m?s? +[0-9.]+m?s? +[0-9.]+% +\| ns::func_[0-9]+' "$1" | tr -s ' ' | sort; }
	nodes theirs >a
	nodes ours >b
	[ "$(wc -l <b)" -gt 50 ]
	diff a b
}

@test "report: --peek, --callers and --callees are parts of go tool pprof's -peek" {
	need_go
	edges() { sed -n '/context/,$p' | grep -oE '[0-9.]+s +[0-9.]+% \|   .*' | sed 's/ *$//' | sort; }
	pprof -peek 'func_20$' "$P" | edges >theirs
	"$CPROF" report "$P" --peek 'func_20$' --full-names | edges >ours
	[ -s ours ]
	diff theirs ours
	{ "$CPROF" report "$P" --callers 'func_20$'; "$CPROF" report "$P" --callees 'func_20$'; } | edges >parts
	diff theirs parts
	run --separate-stderr "$CPROF" report "$P" --callers nothing_like_that
	[ "$status" -eq 1 ]
	[ "$stderr" = 'cprof: no function matches "nothing_like_that"' ]
}

@test "report: --traces has every stack of go tool pprof" {
	need_go
	stacks() {
		sed -n '/^---/,$p' | awk '/^-+\+/ { if (text) print text; text = ""; next }
			{ gsub(/ +/, " "); text = text "|" $0 }' | sort
	}
	pprof -traces "$P" | stacks >theirs
	"$CPROF" report "$P" --traces --full-names | stacks >ours
	[ "$(wc -l <ours)" -gt 100 ]
	diff theirs ours
}

@test "report: --list has the lines and sums of go tool pprof" {
	need_go
	mkdir src
	for i in $(seq 0 19); do seq -f 'line %g' 120 >"src/file_$i.cc"; done
	# Prints the sums of each routine, and its lines with values.
	lines() { awk '/^ROUTINE/ || /flat, cum/ || (/line [0-9]+$/ && ($1 != "." || $2 != ".")) {
		gsub(/ +/, " "); print }'; }
	pprof -list 'func_4' "$P" | lines >theirs
	"$CPROF" report "$P" --list 'func_4' --full-names | lines >ours
	[ "$(wc -l <ours)" -gt 20 ]
	diff theirs ours
	# Here functions are in several modules at once.
	python3 "$BATS_TEST_DIRNAME/pprof_make.py" 80 40 50 202 r.pb.gz
	pprof -list 'func_1' r.pb.gz | lines >theirs
	"$CPROF" report r.pb.gz --list 'func_1' --full-names | lines | diff theirs -
	rm -r src
	"$CPROF" report "$P" --list 'func_4$' | grep -q 'source is not here'
}

@test "report: profiles that Go wrote" {
	need_go
	mkdir x
	cat >x/x.go <<-'END'
		package main
		import ("os"; "runtime"; "runtime/pprof")
		var keep [][]byte
		func grow(n int) { for i := 0; i < n; i++ { keep = append(keep, make([]byte, 1<<14)) } }
		func main() {
			runtime.MemProfileRate = 1
			grow(50); runtime.GC()
			f, _ := os.Create("heap.pb.gz"); pprof.WriteHeapProfile(f); f.Close()
			g, _ := os.Create("routines.pb.gz"); pprof.Lookup("goroutine").WriteTo(g, 0); g.Close()
		}
	END
	GOCACHE=${GOCACHE:-$BATS_TEST_TMPDIR/cache} GO111MODULE=off go build -o prog x/x.go
	./prog
	same_top heap.pb.gz --
	same_top heap.pb.gz --sample-type alloc_objects -- -sample_index=alloc_objects
	"$CPROF" report heap.pb.gz | grep -q 'Type: inuse_space'
	"$CPROF" report routines.pb.gz | grep -q 'Type: goroutine'
}

@test "diff: values are those of go tool pprof -diff_base" {
	need_go
	pprof -top -diff_base "$P" "$Q" |
		awk 'seen && $1 != "0" { sub(/s$/, "", $1); print $6, $1 + 0 } $1 == "flat" { seen = 1 }' |
		grep '^ns' | sort >theirs
	"$CPROF" diff "$P" "$Q" --top 0 --full-names | awk '/ns::func/ {
		for (i = 1; $i !~ /^ns::/; i++) ;
		sum[$i] += $3 * ($3 ~ /ms$/ ? 0.001 : 1) }
		END { for (f in sum) if (sum[f] > 0.0049 || sum[f] < -0.0049) printf "%s %g\n", f, sum[f] }' | sort >ours
	[ "$(wc -l <ours)" -gt 30 ]
	diff theirs ours
}

@test "diff: a profile and itself differ in nothing" {
	"$CPROF" diff "$P" "$P" --top 0 | tee out | grep -q '; 0 changed, 0 of them'
	"$CPROF" diff "$P" "$Q" --normalize | grep -q 'base is multiplied'
}

# with_duration FILE SECONDS prints the profile with this duration.
with_duration() {
	gunzip -c "$1"
	python3 -c 'import sys
n = int(float(sys.argv[1]) * 1e9)
out = bytearray([10 << 3])
while n > 127:
    out.append(n & 127 | 128)
    n >>= 7
out.append(n)
sys.stdout.buffer.write(out)' "$2"
}

@test "diff: recordings of different length are compared per second" {
	with_duration "$P" 4 >four.pb
	with_duration "$P" 1 >one.pb
	"$CPROF" diff four.pb one.pb --top 0 >shown
	grep -q '^Compared per second of recording: the base took 4s, the new profile 1s, so the base is multiplied by 0.25' shown
	total() { sed -n 's/^Total: \(.*\)s -> \(.*\)s,.*, \(.*\)%$/\1 \2 \3/p'; }
	read -r base new percent < <(total <shown)
	# A fourth of the same total is three fourths less, so the new one is 300 % more.
	awk -v b="$base" -v n="$new" -v p="$percent" 'BEGIN { exit !(n > 3.9 * b && n < 4.1 * b && p > 299 && p < 301) }'
	"$CPROF" diff four.pb one.pb --raw --top 0 | grep -q '; 0 changed, 0 of them'
	"$CPROF" diff four.pb one.pb --normalize --top 0 | grep -q '; 0 changed, 0 of them'
	with_duration "$P" 4.02 >more.pb
	"$CPROF" diff four.pb more.pb --top 0 | grep -q '; 0 changed, 0 of them'
	run --separate-stderr "$CPROF" diff four.pb one.pb --raw --normalize
	[ "$status" -eq 2 ]
	[ "$stderr" = 'cprof: --raw and --normalize exclude each other: give one' ]
}

@test "convert: there and back keeps every number" {
	"$CPROF" convert "$P" -o a.folded
	"$CPROF" convert a.folded -o b.pb.gz
	"$CPROF" convert b.pb.gz -o c.folded
	diff a.folded c.folded
	"$CPROF" convert "$P" -o d.pb.gz
	for view in --tree --traces '-g line' '--sample-type samples' '-g thread'; do
		# shellcheck disable=SC2086
		diff <("$CPROF" report "$P" --top 0 $view) <("$CPROF" report d.pb.gz --top 0 $view)
	done
	gunzip -c "$P" >plain.pb
	diff <("$CPROF" report plain.pb --top 0) <("$CPROF" report "$P" --top 0)
	diff <("$CPROF" report - --top 0 <"$P") <("$CPROF" report "$P" --top 0)
}

@test "convert: JSON formats and pictures are well-formed" {
	for end in speedscope.json firefox.json trace.json; do
		"$CPROF" convert "$P" -q -o "x.$end"
		python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "x.$end"
	done
	"$CPROF" convert "$P" -q -o x.svg
	python3 -c 'import xml.dom.minidom, sys; xml.dom.minidom.parse(sys.argv[1])' x.svg
	# The values of speedscope and the trace must add up to those of the profile.
	python3 - <<-'END'
		import json
		s = json.load(open("x.speedscope.json"))
		cpu = s["profiles"][1]
		assert cpu["name"] == "cpu" and sum(cpu["weights"]) == cpu["endValue"]
		assert all(f < len(s["shared"]["frames"]) for st in cpu["samples"] for f in st)
		t = json.load(open("x.trace.json"))
		events = [e for e in t["traceEvents"] if e["ph"] == "X"]
		end = max(e["ts"] + e["dur"] for e in events)
		assert abs(end * 1000 - cpu["endValue"]) < 1e6, (end, cpu["endValue"])
		f = json.load(open("x.firefox.json"))
		weight = sum(sum(th["samples"]["weight"]) for th in f["threads"])
		assert abs(weight * 1e6 - cpu["endValue"]) < 1000, (weight, cpu["endValue"])
		for th in f["threads"]:
		    n = th["stackTable"]["length"]
		    assert len(th["stackTable"]["frame"]) == n == len(th["stackTable"]["prefix"])
		    assert all(p is None or p < i for i, p in enumerate(th["stackTable"]["prefix"]))
		    assert len(th["stringArray"]) == 2 * th["funcTable"]["length"]
	END
}

@test "convert: JSON and folded stacks agree, stack by stack" {
	for end in speedscope.json firefox.json trace.json; do
		"$CPROF" convert "$P" -q -o "x.$end"
	done
	for type in samples cpu; do
		"$CPROF" convert "$P" -f folded --sample-type $type >theirs
		python3 "$BATS_TEST_DIRNAME/refold.py" speedscope $type x.speedscope.json | diff theirs -
	done
	"$CPROF" convert "$P" -f folded --sample-type cpu >theirs
	python3 "$BATS_TEST_DIRNAME/refold.py" firefox cpu x.firefox.json | diff theirs -
	python3 "$BATS_TEST_DIRNAME/refold.py" trace cpu x.trace.json | diff theirs -
}

# rows_of FILE prints total, self and name of each function, as the sandwich view of speedscope in a
# browser shows them.
rows_of() {
	python3 -c '
import json, sys
one = [x for x in map(json.loads, open("shown")) if x["file"] == sys.argv[1]][0]
assert not one["faults"], one["faults"]
for total, own, name in one["rows"]:
    print(total.split()[0].replace(",", ""), own.split()[0].replace(",", ""), name)' "$1" | sort
}

@test "convert: speedscope itself opens our files as they are" {
	local why packages=${BUILD:-$ROOT/build}/playwright
	why=$(timeout 250 "$ROOT/tests/page/setup.sh" "$packages" speedscope) || skip "$why"
	python3 "$BATS_TEST_DIRNAME/speedscope_check.py" \
		"$packages"/node_modules/speedscope/dist/release/file-format-schema.json \
		<("$CPROF" convert "$P" -f speedscope)
	"$CPROF" convert "$P" -q -o x.folded
	"$CPROF" convert "$P" -q --sample-type samples -o x.speedscope.json
	"$CPROF" convert "$P" -q -o x.pb.gz
	PLAYWRIGHT=$packages timeout 250 node "$ROOT/tests/page/speedscope.mjs" \
		"$packages/node_modules/speedscope" x.folded x.speedscope.json x.pb.gz >shown
	"$CPROF" report "$P" --sample-type samples --top 0 --full-names |
		awk 'seen { print $4, $1, $6 } $1 == "flat" { seen = 1 }' | sort >ours
	[ "$(wc -l <ours)" -gt 50 ]
	rows_of x.folded | diff ours -
	rows_of x.speedscope.json | diff ours -
	# speedscope's reader of pprof files leaves inlined functions out.
	[ "$(rows_of x.pb.gz | wc -l)" -gt 30 ]
}

@test "convert: flamegraph.pl draws our folded stacks as they are" {
	local perl=/usr/share/perl5/Devel/NYTProf/flamegraph.pl
	[ -f $perl ] || skip 'no flamegraph.pl'
	"$CPROF" convert "$P" -q -o x.folded
	perl $perl x.folded >x.svg 2>complaints
	[ ! -s complaints ]
	# The outermost box has as many samples as the profile.
	total=$(awk '{ sum += $NF } END { print sum }' x.folded)
	grep -q "<title>all ($total samples, 100%)</title>" <(sed 's/,\([0-9]\)/\1/g' x.svg)
	for f in func_1 func_2; do
		grep -q "<title>ns::$f (" x.svg
	done
}

@test "convert: filters leave the same as in reports" {
	for filter in '--focus func_2' '--ignore func_1' '--hide func_1' '--show-from func_3' '--label thread=worker-3'; do
		# shellcheck disable=SC2086 # two words
		"$CPROF" convert "$P" $filter -q -o x.pb.gz
		# shellcheck disable=SC2086
		diff <("$CPROF" report "$P" $filter --sample-type samples --top 0 | top_rows) \
			<("$CPROF" report x.pb.gz --sample-type samples --top 0 | top_rows)
	done
}

@test "diff: a page has both profiles" {
	"$CPROF" diff "$P" "$Q" -q -o x.html
	"$CPROF" diff "$P" "$Q" -f html | cmp - x.html
	"$CPROF" convert "$Q" -q -o one.html
	grep -q '"base_about"' x.html
	run ! grep -q '"base_about"' one.html
	"$CPROF" diff "$P" "$Q" --normalize -f html | grep -q '"scale":"total"'
	"$CPROF" diff "$P" "$Q" -f html | grep -q '"scale":"second"'
	[ "$("$CPROF" diff "$P" "$Q" --focus 'func_2$' -f html | wc -c)" -lt "$(wc -c <x.html)" ]
	for how in '-f pprof' '-o x.folded' '-o x.xyz' '--open'; do
		# shellcheck disable=SC2086 # two words
		run --separate-stderr "$CPROF" diff "$P" "$Q" $how
		[ "$status" -eq 2 ]
	done
}

@test "diff: the page opens in a browser and requests nothing" {
	local why
	export PLAYWRIGHT=${BUILD:-$ROOT/build}/playwright
	why=$(timeout 250 "$ROOT/tests/page/setup.sh" "$PLAYWRIGHT") || skip "$why"
	"$CPROF" diff "$P" "$Q" -q -o real.html
	timeout 250 node "$ROOT/tests/page/run.mjs" real
}

@test "merge: values add up as go tool pprof adds them" {
	need_go
	"$CPROF" merge "$P" "$Q" -q -o m.pb.gz
	pprof -top "$P" "$Q" | top_rows >theirs
	"$CPROF" report m.pb.gz --top 0 --full-names | top_rows >ours
	diff theirs ours
	same_top m.pb.gz --
	# A pattern of the shell may expand to one file.
	"$CPROF" merge "$P" -q -o one.pb.gz
	diff <("$CPROF" report "$P" --tree --top 0) <("$CPROF" report one.pb.gz --tree --top 0)
}

@test "reading: files that are none get one line" {
	bad() {
		run --separate-stderr "$CPROF" report "$1"
		[ "$status" -eq 1 ] || { echo "status $status for $1"; return 1; }
		[ -z "$output" ]
		[[ $stderr == "cprof: cannot read $1: "* ]] || { echo "$stderr"; return 1; }
		[ "$(wc -l <<<"$stderr")" -eq 1 ]
	}
	bad missing.pb.gz
	: >empty
	bad empty
	head -c 3000 "$P" >cut.pb.gz
	bad cut.pb.gz
	gunzip -c "$P" | head -c 5000 >cut.pb
	bad cut.pb
	cp /bin/sh binary
	bad binary
	mkdir directory
	bad directory
	gunzip -c "$P" "$P" >twice.pb
	bad twice.pb
}

@test "reading: no broken file costs more than an error" {
	for file in "$ROOT"/tests/fuzz/corpus/{pprof,folded}/*; do
		for verb in 'report --tree' 'convert -f html' 'convert -f svg' 'convert -f pprof' 'convert -f firefox'; do
			# shellcheck disable=SC2016,SC2086 # for the inner shell; two words
			run --separate-stderr bash -c 'ulimit -v 500000; exec timeout 100 "$@" >/dev/null' - "$CPROF" ${verb%% *} \
				"$file" ${verb#* }
			[ "$status" -le 1 ] || { echo "$verb $file: $status"; return 1; }
			[ "$status" -eq 0 ] || [[ $stderr == 'cprof: '* ]]
			[ "$(wc -l <<<"$stderr")" -eq 1 ]
		done
	done
}

@test "reading: a gzip bomb costs no memory" {
	# It has a beginning, and then one flushed block over and over, which makes 600 MB of zeros.
	python3 - <<-'END'
		import zlib
		gzip, zeros = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(1 << 20)
		first, next = (gzip.compress(zeros) + gzip.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
		open("bomb.pb.gz", "wb").write(first + 599 * next)
	END
	run --separate-stderr bash -c 'ulimit -v 500000; exec "$0" report bomb.pb.gz' "$CPROF"
	[ "$status" -eq 1 ]
	[[ $stderr == *"inflates to more than a profile would" ]]
}

@test "report: rows fit 80 columns on a terminal, colours only there" {
	command -v script >/dev/null || skip 'no script'
	fits() {
		script -qc "stty cols 80; $CPROF $* --color never" /dev/null </dev/null | tr -d '\r' |
			awk 'length($0) > 80 { print; bad = 1 } END { exit bad || NR < 5 }'
	}
	for view in '' --cum --tree '--peek func_2' --traces '-g line' '-g file' '-g module'; do
		fits report "$P" "$view"
	done
	fits diff "$P" "$Q"
	run ! grep -q $'\x1b' <("$CPROF" report "$P")
	"$CPROF" report "$P" --color always | grep -q $'\x1b'
}

@test "report: usage errors" {
	usage() {
		local text=$1
		shift
		run --separate-stderr "$CPROF" "$@"
		[ "$status" -eq 2 ]
		[ "$stderr" = "cprof: $text" ] || { echo "$stderr"; return 1; }
	}
	usage 'one file is read: give its name, or - for the standard input' report
	usage 'two files are compared: BASE NEW' diff "$P"
	usage 'merge what? Give the files' merge -o x.pb.gz
	usage 'convert into what? Give -o FILE, or -f FORMAT' convert "$P"
	usage 'no format has the suffix of "x.xyz": give -f FORMAT' convert "$P" -o x.xyz
	usage 'unknown group "day": one of function, file, line, module, thread, process, container, unit, label:KEY' report "$P" -g day
	run --separate-stderr "$CPROF" report "$P" --focus 'a('
	[ "$status" -eq 1 ]
	[[ $stderr == 'cprof: --focus "a(": '* ]]
}

# known_program spends its time in two functions and keeps memory in a third one.
known_program() {
	cat >g.c <<-'END'
		#include <stdlib.h>
		volatile unsigned long sink;
		__attribute__((noinline)) void heavy(int n) { for (int i = 0; i < n * 30000; i++) sink += i; }
		__attribute__((noinline)) void light(int n) { for (int i = 0; i < n * 10000; i++) sink ^= i; }
		__attribute__((noinline)) void *keep(int n) { char *p = malloc(n); p[0] = 1; return p; }
		__attribute__((noinline)) void both(void) { heavy(10); light(10); }
		void *kept[1000];
		int main(void) {
			for (int i = 0; i < 500; i++) both();
			for (int i = 0; i < 200; i++) kept[i] = keep(10000);
			for (int i = 0; i < 100; i++) free(kept[i]);
			return 0;
		}
	END
	gcc -O1 -g -fno-builtin -o g g.c
}

# Where both know a name, flat and cum are the same; pprof has no names for functions inside libc.
same_known_rows() {
	pprof -top "$@" | top_rows | grep -E 'heavy|light|both|main|keep' >theirs
	"$CPROF" report "${@: -1}" --top 0 | top_rows | grep -E ' (heavy|light|both|main|keep)' | grep -v libc >ours
	[ -s ours ]
	diff theirs ours
}

@test "reading: CPU and heap profiles that gperftools wrote" {
	need_go
	local lib=/usr/lib/x86_64-linux-gnu
	[ -e $lib/libprofiler.so.0 ] && [ -e $lib/libtcmalloc.so.4 ] || skip 'no gperftools'
	known_program
	LD_PRELOAD=$lib/libprofiler.so.0 CPUPROFILE=cpu.prof ./g 2>/dev/null
	same_known_rows cpu.prof
	"$CPROF" report cpu.prof --list heavy | grep -q 'sink += i'
	LD_PRELOAD=$lib/libtcmalloc.so.4 HEAPPROFILE=hp HEAP_PROFILE_ALLOCATION_INTERVAL=500000 ./g 2>/dev/null
	last=$(printf '%s\n' hp.*.heap | tail -n 1)
	same_known_rows "$last"
	"$CPROF" convert "$last" -q -o heap.pb.gz
	diff <("$CPROF" report "$last") <("$CPROF" report heap.pb.gz)
}

@test "report: a profile that cprof recorded has the numbers of go tool pprof" {
	need_go
	[ "$(id -u)" = 0 ] || skip 'needs root'
	known_program
	"$CPROF" cpu -q -F 999 -o own.pb.gz -- ./g
	same_top own.pb.gz --
	same_top own.pb.gz --sample-type samples -- -sample_index=samples
	pprof -traces own.pb.gz | grep -c '^-----------+' >theirs
	"$CPROF" report own.pb.gz --traces | grep -c '^-----------+' >ours
	diff theirs ours
}

@test "report: a large profile in little memory, and in half the CPU time of go tool pprof" {
	need_go
	python3 "$BATS_TEST_DIRNAME/pprof_make.py" 300000 30000 5000 9 large.pb.gz
	# This measures CPU time, because the machine has other work at times. The factor is 15 and
	# more.
	python3 - "$CPROF" <<-'END'
		import resource, subprocess, sys
		def cpu(command, **options):
		    def used():
		        r = resource.getrusage(resource.RUSAGE_CHILDREN)
		        return r.ru_utime + r.ru_stime
		    before = used()
		    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
		    return used() - before
		few = lambda: resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
		ours = cpu([sys.argv[1], "report", "large.pb.gz", "--top", "20"], preexec_fn=few)
		theirs = cpu(["go", "tool", "pprof", "-top", "large.pb.gz"])
		print("cprof %.2f s, go tool pprof %.2f s" % (ours, theirs))
		assert theirs > 2 * ours
	END
}
