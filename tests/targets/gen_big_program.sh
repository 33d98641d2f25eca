#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the program that naming is measured on: UNITS translation units (half C, half C++) of
# FUNCTIONS functions each, -O1 -g with inlining three deep (-O2 takes four times as long to
# compile, for as much debug information); about 20,000 functions and 30 MB by default.
#   gen_big_program.sh DIR [UNITS] [FUNCTIONS]     -> DIR/big, DIR/addresses (sorted, hex, one a
#   line)
# The text is the same at every run, so figures can be compared.
set -euo pipefail

dir=${1:?usage: gen_big_program.sh DIR [UNITS] [FUNCTIONS]}
units=${2:-200}
functions=${3:-100}
wanted=${WANTED:-8268}

mkdir -p "$dir/src" "$dir/obj"
[ -x "$dir/big" ] && [ -s "$dir/addresses" ] && exit 0

cat > "$dir/src/common.h" <<'H'
#pragma once
#include <stdio.h>
#include <string.h>
struct item { int key; long weight; char name[24]; struct item *next; };
struct context { struct item *first; unsigned long seed, rounds; double mean; int table[64]; };
static inline unsigned long mix(struct context *c, unsigned long v)
{
	c->seed = c->seed * 6364136223846793005ul + v;
	return c->seed >> 33;
}
static inline int pick(struct context *c, int a, int b)
{
	unsigned long r = mix(c, (unsigned long)a * 31 + b);
	int slot = r & 63;
	c->table[slot] += a ^ b;
	return c->table[(slot + a) & 63];
}
static inline long weigh(struct context *c, struct item *it, int by)
{
	long sum = 0;
	for (; it; it = it->next) {
		int p = pick(c, it->key, by);
		sum += it->weight * p;
		if (sum & 1)
			it->weight -= by;
	}
	return sum;
}
H
cat > "$dir/src/common.hh" <<'H'
#pragma once
#include "common.h"
namespace big {
template <typename T> struct range {
	T *from, *to;
	T *begin() const { return from; }
	T *end() const { return to; }
	long size() const { return to - from; }
};
template <typename T, int N> class ring {
	T data[N]; unsigned at = 0;
public:
	void put(T v) { data[at++ % N] = v; }
	T get(unsigned back) const { return data[(at - back) % N]; }
	range<T> all() { return {data, data + N}; }
	template <typename F> T fold(T v, F f) { for (T &x : all()) v = f(v, x); return v; }
};
}
H

awk -v dir="$dir/src" -v units="$units" -v functions="$functions" '
function c_function(f, u, i) {
	printf "int work_%d_%d(struct context *c, int a, int b)\n{\n", u, i > f
	printf "\tint t = pick(c, a, %d);\n", u > f
	if (i % 4 == 0)
		printf "\tlong sum = weigh(c, c->first, b);\n" > f
	else
		printf "\tlong sum = t * %dl + mix(c, b);\n", i > f
	if (i)
		printf "\tif (sum & %d)\n\t\treturn work_%d_%d(c, t, (int)sum) + 1;\n", 1 + i % 7, u, i - 1 > f
	printf "\treturn t + (int)sum;\n}\n\n" > f
}
function cc_function(f, u, i) {
	printf "int step_%d_%d(context &c, int a, int b)\n{\n", u, i > f
	printf "\tring<int, %d> &r = *(ring<int, %d> *)c.table;\n", 4 + i % 3, 4 + i % 3 > f
	printf "\tint v = r.fold(b, [&](int x, int y) { return x * %d + pick(&c, x, y); });\n", i + 1 > f
	if (i)
		printf "\tif (v & %d)\n\t\treturn step_%d_%d(c, v, a) + 1;\n", 1 + i % 7, u, i - 1 > f
	printf "\treturn v;\n}\n\n" > f
}
BEGIN {
	main_file = dir "/main.cc"
	print "#include \"common.hh\"" > main_file
	for (u = 0; u < units; u++) {
		cc = u % 2
		f = sprintf("%s/unit%d.%s", dir, u, cc ? "cc" : "c")
		printf "#include \"common.%s\"\n\n", cc ? "hh" : "h" > f
		if (cc)
			print "namespace big {\n" > f
		for (i = 0; i < functions; i++) {
			if (cc)
				cc_function(f, u, i)
			else
				c_function(f, u, i)
		}
		if (cc)
			print "}" > f
		close(f)
		if (cc)
			printf "namespace big { int step_%d_%d(context &, int, int); }\n", u, functions - 1 > main_file
		else
			printf "extern \"C\" int work_%d_%d(context *, int, int);\n", u, functions - 1 > main_file
	}
	print "int main(int argc, char **argv)\n{\n\tstatic context c;\n\tint v = argc;" > main_file
	for (u = 0; u < units; u++)
		printf u % 2 ? "\tv += big::step_%d_%d(c, v & 15, argc);\n" : "\tv += work_%d_%d(&c, v & 15, argc);\n",
			u, functions - 1 > main_file
	print "\tprintf(\"%d\\n\", v);\n\treturn 0;\n}" > main_file
}
'

export dir
compile() {
	src=$1
	obj=$dir/obj/$(basename "${src%.*}").o
	[ "$obj" -nt "$src" ] && return
	case $src in
	*.cc) c++ -std=c++17 -O1 -g -c -o "$obj" "$src" ;;
	*) cc -O1 -g -c -o "$obj" "$src" ;;
	esac
}
export -f compile
printf '%s\n' "$dir"/src/*.c "$dir"/src/*.cc | xargs -P "${JOBS:-2}" -I{} bash -c 'compile {}'
c++ -o "$dir/big" "$dir"/obj/*.o

# This picks as many places in .text, evenly spread and then moved by a fixed sequence.
section=$(readelf -SW "$dir/big" | sed -n 's/^ *\[ *[0-9]*\] \.text  *[A-Z]*  *\([0-9a-f]*\) [0-9a-f]* \([0-9a-f]*\) .*/\1 \2/p')
start=$((16#${section% *}))
step=$((16#${section#* } / wanted))
r=1
for ((i = 0; i < wanted; i++)); do
	r=$(((r * 1103515245 + 12345) % 2147483648))
	printf '0x%x\n' $((start + i * step + r % step))
done > "$dir/addresses.tmp"
mv "$dir/addresses.tmp" "$dir/addresses"
