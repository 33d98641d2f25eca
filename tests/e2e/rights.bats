#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# These tests run a cprof that has more rights than the user who starts it, by capabilities of its
# file or by the set-user-ID bit.
load helper

# privileged_copy: makes "$DIR/cprof", which has the capabilities that docs/safety.md names for
# recording.
privileged_copy() {
	need_root
	DIR=$BATS_RUN_TMPDIR/rights-$BATS_TEST_NUMBER
	mkdir "$DIR"
	chmod 755 "$BATS_RUN_TMPDIR" "$DIR"
	cp "$CPROF" "$DIR/cprof"
	chmod 755 "$DIR/cprof"
	# They are DAC_READ_SEARCH, SYS_PTRACE, PERFMON and BPF, in the format of capabilities(7),
	# "File capability extended attribute versioning".
	python3 - "$DIR/cprof" <<-'END' || skip 'no file capabilities here'
		import os, struct, sys
		low, high = 1 << 2 | 1 << 19, 1 << 38 - 32 | 1 << 39 - 32
		os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, low, 0, high, 0))
	END
}
as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

@test "rights: capabilities of the program do not read a profile that its user may not read" {
	privileged_copy
	echo 'main;secret 1' >"$DIR/p.folded"
	as_nobody "$DIR/cprof" report "$DIR/p.folded" | grep -q secret
	chmod 600 "$DIR/p.folded"
	for verb in report "convert -f folded" "diff $DIR/p.folded" "merge -f folded"; do
		# shellcheck disable=SC2086
		run as_nobody "$DIR/cprof" $verb "$DIR/p.folded"
		[ "$status" = 1 ]
		[[ $output == *"cannot read $DIR/p.folded: permission denied"* ]]
	done
}

@test "rights: capabilities of the program do not show sources that its user may not read" {
	privileged_copy
	printf 'open line\nhidden line\n' >"$DIR/s.c"
	python3 - "$DIR" <<-'END'
		import sys
		def varint(n):
		    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)
		def field(n, data):
		    return varint(n << 3 | 2) + varint(len(data)) + data if isinstance(data, bytes) else varint(n << 3) + varint(data)
		strings = b"".join(field(6, s.encode()) for s in ["", "cpu", "count", "f", sys.argv[1] + "/s.c"])
		profile = field(1, field(1, 1) + field(2, 2)) + field(2, field(1, b"\1") + field(2, b"\1"))
		profile += field(4, field(1, 1) + field(4, field(1, 1) + field(2, 2))) + strings
		profile += field(5, field(1, 1) + field(2, 3) + field(4, 4) + field(5, 1))
		open(sys.argv[1] + "/p.pb", "wb").write(profile)
	END
	as_nobody "$DIR/cprof" report "$DIR/p.pb" --list f | grep -q 'hidden line'
	chmod 600 "$DIR/s.c"
	run as_nobody "$DIR/cprof" report "$DIR/p.pb" --list f
	[ "$status" = 0 ]
	[[ $output != *"hidden line"* ]]
}

@test "rights: capabilities of the program let its user record" {
	privileged_copy
	target shares
	mkdir "$DIR/out"
	chmod 777 "$DIR/out"
	run --separate-stderr as_nobody "$DIR/cprof" cpu -p "$PID" -d 500ms -o "$DIR/out/p.folded"
	[[ $stderr != *"operation not permitted"* ]] || skip 'the kernel refuses'
	[ "$status" = 0 ]
	[ "$(stat -c %u "$DIR/out/p.folded")" = 65534 ]
}

@test "rights: cprof does not run as a set-user-ID program" {
	privileged_copy
	chmod 4755 "$DIR/cprof"
	run as_nobody "$DIR/cprof" version
	[ "$status" = 1 ]
	[[ $output == *"cannot run as a set-user-ID program"* ]]
}
