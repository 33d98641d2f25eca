#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Stacks are whole through each kind of binary: compilers, languages, runtimes, hand-written code.
# docs/measurements.md has the table; stacks.bats has kinds that need checks of their own.

load helper

# need PROGRAM PACKAGE
need() { command -v "$1" >/dev/null || skip "no $2"; }

# all_of CALLERS FUNCTION: each stack with the function has its callers, and there are some.
all_of() {
	at_least 99 "$1" "$2"
	holds "$(percent "$2") > 30"
}

@test "kind: with control-flow protection" {
	target shares-cet
	record_cpu 0.7 -F 1999 --user
	whole
	all_of "main;run;$(levels)work_" 'work_'
}
@test "kind: Rust that aborts instead of unwinding" {
	target rust-shares-abort
	record_cpu 0.7 -F 999 --user
	whole
	all_of '_start;.*rust_shares::main;.*work::slow' 'work::slow'
}
@test "kind: OCaml" {
	need ocamlopt ocaml
	cat >hot.ml <<-'END'
		let[@inline never] rec leaf n acc = if n = 0 then acc else leaf (n - 1) ((acc * 31 + n) mod 1000003)
		let[@inline never] middle n = let r = leaf n 1 in r + List.length (List.init 20 (fun i -> i + r))
		let[@inline never] outer n = List.fold_left (+) 0 (List.init 20 (fun i -> middle (n + i)))
		let () = print_string "ready\n"; flush stdout;
			while Sys.time () < 300. do ignore (Sys.opaque_identity (outer 2000)) done
	END
	ocamlopt -o hot hot.ml
	start_ready ./hot
	record_cpu 0.7 -F 999 --user
	whole
	all_of '_start;.*main;.*caml_program;camlHot__entry[^;]*;camlHot__outer[^;]*;.*camlHot__middle[^;]*;camlHot__leaf' 'camlHot__leaf'
}
@test "kind: LuaJIT" {
	need luajit luajit
	cat >hot.lua <<-'END'
		local function inner(n) local s = 0 for i = 1, n do s = (s * 31 + i) % 1000003 end return s end
		local function texts(n) local t = {} for i = 1, n do t[#t + 1] = tostring(i) .. "x" end return #table.concat(t) end
		print("ready") io.stdout:flush()
		while true do inner(100000) texts(1000) end
	END
	start_ready luajit hot.lua
	record_cpu 0.7 -F 999 --user
	whole
	all_of '_start;.*main;lua_cpcall;.*lua_pcall;\\[jit\\]' '\\[jit\\]'
}
@test "kind: Java with frame pointers" {
	need javac default-jdk
	cat >Hot.java <<-'END'
		public class Hot {
			static long inner(int n) { long s = 0; for (int i = 0; i < n; i++) s = (s * 31 + i) % 1000003; return s; }
			static long outer(int n) { return inner(n) + 1; }
			public static void main(String[] a) {
				long s = 0;
				for (int i = 0; i < 200; i++) s += outer(100000);
				System.out.println("ready");
				while (s != 1) s += outer(100000);
			}
		}
	END
	javac Hot.java
	start_ready java -XX:+UseSerialGC -XX:+PreserveFramePointer -cp . Hot
	record_cpu 0.7 -F 999 --user
	whole 99
	all_of '^clone3?;start_thread;.*JavaMain;.*JavaCalls::call_helper.*;\\[jit\\]' '\\[jit\\]'
}
@test "kind: Python that writes a perf map" {
	local python found=
	for python in python3.13 python3.12 ~/.pyenv/versions/3.1[2-9]*/bin/python3; do
		! command -v "$python" >/dev/null || found=$python
	done
	[ -n "$found" ] || skip 'no Python 3.12 or later'
	cat >hot.py <<-'END'
		def inner(n):
		    s = 0
		    for i in range(n): s += i * i
		    return s
		def outer(n): return inner(n) + 1
		def main():
		    print("ready", flush=True)
		    while True: outer(20000)
		main()
	END
	start_ready "$found" -X perf hot.py
	record_cpu 0.7 -F 999 --user
	rm -f "/tmp/perf-$PID.map"
	whole
	all_of '^_start;.*py::main:.*py::outer:.*py::inner:' 'py::inner:'
}
@test "kind: OpenBLAS" {
	compgen -G '/usr/lib/*/libopenblas.so.0' >/dev/null || skip 'no libopenblas0'
	target blas
	record_cpu 0.7 -F 999 --user
	whole
	all_of 'main;multiply;dgemm_;.*dgemm_kernel' 'dgemm_kernel'
}
@test "kind: ffmpeg and x264" {
	need ffmpeg ffmpeg
	start ffmpeg -v error -threads 1 -f lavfi -i testsrc2=s=320x240 -c:v libx264 -threads 1 -f null -
	used 0.3
	record_cpu 1 -F 999 --user
	whole 99
	holds "$(percent 'libx264') > 30"
}
