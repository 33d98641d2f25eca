#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A profile kind is four files (docs/architecture.md), so a copy of the tree with one more is built
# and run.
load helper

# copy_tree: copies the tree with what is built of it, so that only what the new kind changes is
# compiled.
copy_tree() {
	local built=${BUILD:-$ROOT/build}
	mkdir -p tree/build
	cp -a "$ROOT"/{bpf,cmd,completions,man,preload,proto,src,tests,Makefile,VERSION,install.mk} tree/
	cp -a "$built"/{cmd,gen,src,libcprof.a,libcprof-heap.so} tree/build/
}

add_kind() {
	local from=$ROOT/tests/e2e/new_kind
	mkdir -p tree/src/collect/yields
	cp "$from/yields.bpf.c" tree/bpf/yields.bpf.c
	cp "$from/yields.c" tree/src/collect/yields/yields.c
	cp "$from/verb.c" tree/cmd/yields.c
	cp "$from/cprof-yields.1" tree/man/
}

# sum TYPE: adds up the values of all stacks.
sum() { "$CPROF" convert out.pb.gz -f folded --sample-type "$1" | awk '{ n += $NF } END { print n }'; }

@test "new kind: four files make it a verb with options, help, a man page and a profile" {
	copy_tree
	add_kind
	make -s -C tree cprof build/man/cprof.1 >make.log 2>&1 || { tail -n 20 make.log; return 1; }
	tree/tests/check_floors.sh
	tree/tests/cli_agree.sh "$PWD/tree/build/cprof"
	tree/cprof help | grep -q '^  yields  *who gives the CPU away'
	grep -q '^\.B yields$' tree/build/man/cprof.1
	run -2 tree/cprof yields -p 1 --weight 1001
	[[ $output == *'"1001" is not a weight from 1 to 1000'* ]]
	run -2 tree/cprof yields -p 1 --weight 13
	[[ $output == *'13 is out of the question'* ]]
	run -2 tree/cprof cpu -p 1 --weight 2
	tree/cprof yields --weight 3 -o out.pb.gz -- python3 -c '
import os
for i in range(1000): os.sched_yield()' 2>"$ERR"
	grep -q 'each yield weighs 3' "$ERR"
	grep -q ' lost 0;' "$ERR"
	[ "$(sum yields)" = 1000 ]
	[ "$(sum weight)" = 3000 ]
}
