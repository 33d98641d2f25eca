#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What cprof's BPF maps keep of threads, processes and locks goes when those do.

load helper

setup_file() { [ "$(id -u)" = 0 ] || skip 'needs root'; }

# There is room for 16,384 locks; no more than one of these has a waiter at any moment.
@test "lifetimes: 18,000 locks that have a waiter one after the other" {
	[ -x "$TARGETS/locks_many" ] || skip 'locks_many was not built here'
	profile_wait mutex -- "$TARGETS/locks_many" 18000
	! grep 'table of locks full' "$ERR"
	near "$(total contentions)" "$(truth waits)" "0.02 * $(truth waits)"
	holds "$(total delay) < $(truth delay) && $(total delay) > 0.3 * $(truth delay)"
}
