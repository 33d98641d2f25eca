#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A stranger's profile in which every string is an attack goes through every output, and nothing may
# act on a terminal, in a browser or in a viewer. hostile.py makes the profiles and checks the
# output.

load helper

make_profiles() {
	local kind
	for kind in markup controls bytes; do
		"$BATS_TEST_DIRNAME/hostile.py" make $kind.pb.gz $kind
		"$BATS_TEST_DIRNAME/hostile.py" make $kind.more.pb.gz $kind 3
	done
	printf 'int a;\n\tint b; /* pwned \033]0;x\007 \302\233 \342\200\256 \377 \001 */\r\nint c;\n' >evil.c
}

@test "hostile: every report, on a pipe and on a terminal" {
	make_profiles
	local kind form n=0
	for kind in markup controls bytes; do
		for form in '' --cum --tree --traces '--peek .' '--callers .' '--callees .' '--list .' \
			'-g file' '-g line' '-g module' '-g thread'; do
			n=$((n + 1))
			# shellcheck disable=SC2086
			"$CPROF" report $kind.pb.gz $form >$n.out 2>&1
			# shellcheck disable=SC2086
			"$CPROF" report $kind.pb.gz $form --full-names --color always >$n.colored 2>&1
			script -qec "stty cols 90; '$CPROF' report --color never $kind.pb.gz $form" /dev/null </dev/null |
				sed 's/\r$//' >$n.tty
		done
		"$CPROF" diff $kind.pb.gz $kind.more.pb.gz --full-names >$kind.diff 2>&1
		"$CPROF" diff $kind.more.pb.gz $kind.pb.gz --color always >$kind.diff.colored 2>&1
	done
	"$BATS_TEST_DIRNAME/hostile.py" check ./*.out ./*.colored ./*.tty ./*.diff
	[ "$n" -eq 36 ]
}
@test "hostile: every format, and the error messages" {
	make_profiles
	local kind suffix
	for kind in markup controls bytes; do
		for suffix in folded txt html svg speedscope.json firefox.json trace.json; do
			"$CPROF" convert $kind.pb.gz -q -o $kind.$suffix
		done
		"$CPROF" diff $kind.pb.gz $kind.more.pb.gz -q -o $kind.diff.html
		run -1 --separate-stderr "$CPROF" report $kind.pb.gz --sample-type none
		echo "$stderr" >$kind.err
		# What was written as pprof is read back unchanged.
		"$CPROF" merge $kind.pb.gz -q -o $kind.merged.pb.gz
		cmp <("$CPROF" report $kind.pb.gz --traces) <("$CPROF" report $kind.merged.pb.gz --traces)
	done
	"$BATS_TEST_DIRNAME/hostile.py" check ./*.folded ./*.txt ./*.html ./*.svg ./*.json ./*.err
	# Folded text can be read again, and is then the same.
	"$CPROF" convert controls.folded -f folded -o - | cmp - controls.folded
}
@test "hostile: folded text and a pprof text heap profile with controls" {
	printf 'main;work 1\nmain;pwned\033]0;x\007\302\233\342\200\256\377 2\n' >a.folded
	printf 'heap profile: 1: 8 [ 1: 8] @ heap_v2/1\n 1: 8 [ 1: 8] @ 0x1800\n\nMAPPED_LIBRARIES:\n00001000-00002000 r-xp 00000000 00:00 1 /x/pwned\033[2J\302\233\377\n' >b.heap
	local file suffix
	for file in a.folded b.heap; do
		"$CPROF" report $file >$file.out 2>&1
		for suffix in folded txt html svg speedscope.json firefox.json trace.json; do
			"$CPROF" convert $file -q -o $file.$suffix
		done
	done
	"$BATS_TEST_DIRNAME/hostile.py" check ./*.out ./*.folded.* ./*.heap.*
}
