#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Programs whose files are not where their names say: deleted, replaced, behind other roots and
# namespaces; and files that were laid out to harm the reader.

load helper

@test "places: a program that was deleted" {
	cp "$TARGETS/shares" gone
	start_ready ./gone
	rm gone
	record_cpu 0.5 -F 999
	at_least 99 "main;run;$(levels)work_" 'level_30;work_'
	whole
}
@test "places: a program that was replaced by another" {
	cp "$TARGETS/shares" changed
	start_ready ./changed
	cp "$TARGETS/inline" new
	mv new changed
	record_cpu 0.5 -F 999
	at_least 99 "main;run;$(levels)work_" 'level_30;work_'
	holds "$(percent 'deep::|thrown::') == 0"
}
@test "places: behind another root" {
	need_root
	mkdir -p root/bin
	cp "$TARGETS/shares-static" root/bin/program
	start_ready chroot root /bin/program
	record_cpu 0.5 -F 999
	at_least 99 "main;run;$(levels)work_" 'level_30;work_'
}
@test "places: JIT names by the PID and the /tmp of the target's own namespaces" {
	need_root
	unshare --mount --pid --fork true 2>/dev/null || skip 'no namespaces here'
	# It is started by descriptor, because the program itself may lie below /tmp.
	start_ready unshare --mount --pid --fork --kill-child bash -c \
		"exec 9<'$TARGETS/jit'; mount -t tmpfs none /tmp && cd / && exec /proc/self/fd/9"
	PID=$(pgrep -P "$PID")
	[ ! -e "/tmp/perf-$PID.map" ]
	record_cpu 0.5 -F 999
	at_least 98 'main;run_jit;jit_outer;jit_inner with spaces' 'jit_inner'
	holds "$(percent 'jit_inner') > 50"
}
@test "places: a perf map of 10 GB costs neither memory nor time" {
	target jit
	truncate -s 10G "/tmp/perf-$PID.map"
	# Reading it would take ten seconds of CPU time, whatever else runs.
	profiler cpu -p "$PID" -d 0 -F 499 -f folded -o "$FOLDED"
	used 0.3
	profiler_end
	rm -f "/tmp/perf-$PID.map"
	holds "$(sed -n 's/^cprof: cost: \([0-9.]*\) s of CPU.*/\1/p' "$ERR") < 3"
	holds "$(sed -n 's/.* \([0-9]*\) MB of memory.*/\1/p' "$ERR") < 100"
}
@test "places: a perf map of somebody else's is not believed" {
	need_root
	target jit
	chown 65534 "/tmp/perf-$PID.map"
	record_cpu 0.3 -F 499
	rm -f "/tmp/perf-$PID.map"
	holds "$(percent 'jit_inner') == 0"
}
# Used in front of a command: it runs without any rights, as user and group 4711.
AS_USER=(setpriv --reuid 4711 --regid 4711 --clear-groups)

@test "places: root reads nothing for a target that the target's user may not read" {
	need_root
	"${AS_USER[@]}" unshare --user --mount --map-root-user true 2>/dev/null || skip 'users may make no namespaces here'
	local secret
	secret=$(mktemp /var/tmp/cprof-test.XXXXXX)
	echo '0 ffffffffffff secret_of_root' >"$secret"
	# In its own namespaces the user is root, and may put root's file over its perf map.
	start "${AS_USER[@]}" unshare --user --mount --map-root-user bash -c "
		mount -t tmpfs none /tmp && cp /proc/self/fd/9 /tmp/jit && chmod 755 /tmp/jit
		/tmp/jit & while [ ! -s /tmp/perf-\$!.map ]; do sleep 0.05; done
		mount --bind '$secret' /tmp/perf-\$!.map && echo bound; wait" 9<"$TARGETS/jit"
	said bound
	PID=$(pgrep -P "$PID" jit)
	STARTED+=("$PID")
	record_cpu 0.3 -F 499
	rm -f "$secret"
	holds "$(percent 'secret_of_root') == 0"
	grep -q "JIT names of process $PID are not used: .*: the process' user may not read it" "$ERR"
}
@test "places: another user's JIT names are read with that user's rights" {
	need_root
	cp "$TARGETS/jit" /var/tmp/cprof-test-jit.$$
	chmod 755 /var/tmp/cprof-test-jit.$$
	start_ready "${AS_USER[@]}" /var/tmp/cprof-test-jit.$$
	rm -f /var/tmp/cprof-test-jit.$$
	chmod 600 "/tmp/perf-$PID.map"
	record_cpu 0.3 -F 499
	holds "$(percent 'jit_inner with spaces') > 50"
	chmod 0 "/tmp/perf-$PID.map"
	record_cpu 0.3 -F 499
	holds "$(percent 'jit_inner') == 0"
	# A file with a second name may be anything.
	chmod 600 "/tmp/perf-$PID.map"
	ln "/tmp/perf-$PID.map" "/tmp/cprof-test-$PID.map"
	record_cpu 0.3 -F 499
	rm -f "/tmp/perf-$PID.map" "/tmp/cprof-test-$PID.map"
	holds "$(percent 'jit_inner') == 0"
}
split_inline='deep::hot[^;]*;[^;]*first[^;]*;[^;]*second[^;]*;[^;]*third[^;]*;[^;]*innermost'

# build_split DIR makes DIR/inline and its .dwo file.
build_split() {
	command -v g++ >/dev/null || skip 'g++ is not installed'
	mkdir -p "$1"
	(cd "$1" && g++ -O2 -g -gsplit-dwarf -I"$ROOT/tests/targets" -o inline "$ROOT/tests/targets/inline.cpp")
}
@test "places: split debug information in a mount namespace of its own" {
	need_root
	unshare --mount true 2>/dev/null || skip 'no namespaces here'
	build_split build
	mv build away
	mkdir build
	start_ready unshare --mount bash -c \
		"mount -t tmpfs none build && cp away/* build && mount -t tmpfs none away && exec build/inline"
	[ ! -e build/inline ]
	record_cpu 1 -F 999
	at_least 98 "main;$split_inline" 'deep::hot'
	holds "$(percent 'innermost') > 5"
}
@test "places: split debug information is read with the rights of the program's user" {
	need_root
	local dir dwo
	dir=$(mktemp -d /var/tmp/cprof-test.XXXXXX)
	chmod 755 "$dir"
	build_split "$dir"
	dwo=$(echo "$dir"/*.dwo)
	mv "$dwo" secret.dwo
	chmod 600 secret.dwo
	chmod 755 .
	ln -s "$PWD/secret.dwo" "$dwo"
	start_ready "${AS_USER[@]}" "$dir/inline"
	record_cpu 0.5 -F 499
	rm -rf "$dir"
	holds "$(percent 'innermost') == 0"
	grep -E "debug information of inline .* cannot be read: 1 of 1 files with its split part: $dwo \(permission denied\)" "$ERR"
}
@test "places: a program without sections still gets whole stacks" {
	# If e_shoff and e_shnum (bytes 40 and 60 of the header) are 0, there are only segments.
	cp "$TARGETS/shares" sectionless
	head -c 8 /dev/zero | dd of=sectionless bs=1 seek=40 conv=notrunc status=none
	head -c 4 /dev/zero | dd of=sectionless bs=1 seek=60 conv=notrunc status=none
	start_ready ./sectionless
	record_cpu 0.5 -F 999
	holds "$(percent 'sectionless') > 95"
	whole
}
@test "places: a program whose section table is nowhere still gets whole stacks" {
	cp "$TARGETS/shares" astray
	head -c 6 /dev/zero | tr '\0' x | dd of=astray bs=1 seek=40 conv=notrunc status=none
	start_ready ./astray
	record_cpu 0.5 -F 999
	holds "$(percent 'astray') > 95"
	whole
}
