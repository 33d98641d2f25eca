#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_cross.sh DIR compiles everything for arm64 in DIR, and checks that as long as there is no
# folder for it in src/arch/ and bpf/arch/, a build fails there, by name, and nowhere else.
set -eu
cd "$(dirname "$0")/.."
dir=$1

log=$(mktemp)
trap 'rm -f "$log"' EXIT
fail() {
	grep -vE '^  [A-Z]+ +[^ ]+$' "$log" | tail -n 40
	echo "cross build for arm64: $1"
	exit 1
}

# Flags and variables of a make that runs this are not those of the cross build.
status=0
env -u MAKEFLAGS -u MFLAGS make -j"$(nproc)" ARCH=arm64 CC=aarch64-linux-gnu-gcc O="$dir" \
	CFLAGS=-O0 WERROR=1 BTF=none all >"$log" 2>&1 || status=$?

while read -r source; do
	[ -f "$dir/${source%.c}.o" ] || fail "$source was not compiled"
done < <(find src cmd preload -name '*.c' -not -path 'src/arch/*')
for source in bpf/*.bpf.c; do
	[ -f "$dir/gen/$(basename "$source" .c).o" ] || fail "$source was not compiled"
done

missing=0
for folder in src/arch/arm64 bpf/arch/arm64; do
	[ -d $folder ] && continue
	missing=1
	grep -qx "$folder does not exist" "$log" || fail "it does not say that $folder is missing"
done
[ $missing = 1 ] || [ $status = 0 ] || fail 'it failed'
[ $missing = 0 ] || [ $status != 0 ] || fail 'it should have failed'
