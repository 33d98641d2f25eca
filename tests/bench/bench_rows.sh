#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures rows per second from .eh_frame: of a C library, and of the 100 MB library in clang's
# package.
set -euo pipefail
build=${BUILD:-build}

echo 'unwind rows from .eh_frame, medians of five:'
for file in /lib/x86_64-linux-gnu/libc.so.6 /usr/lib/llvm-14/lib/libLLVM-14.so.1; do
	[ ! -e "$file" ] || "$build/bench/bench_rows" "$file" 5
done
