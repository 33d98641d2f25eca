#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Debug files from a debuginfod server on this machine, and from servers that do not answer.

load helper

INLINED='deep::hot;deep::first;deep::second;deep::third.*;.*innermost'

# prepare makes ./stripped, whose debug file is only in ./served.
prepare() {
	[ -x "$TARGETS/inline" ] || skip 'inline was not built here'
	export HOME=$BATS_TEST_TMPDIR/home XDG_CACHE_HOME='' DEBUGINFOD_CACHE_PATH='' DEBUGINFOD_URLS=''
	unset XDG_CACHE_HOME DEBUGINFOD_CACHE_PATH SUDO_UID PKEXEC_UID
	mkdir -p "$HOME" served
	cp "$TARGETS/inline" stripped
	objcopy --only-keep-debug stripped served/stripped.debug
	strip stripped
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

indexed() {
	python3 -c '
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:%s/metrics" % sys.argv[1]).read().decode())' \
		"$PORT" 2>/dev/null | grep -q '^thread_work_total{role="traverse"} [1-9]'
}

# serve starts the server and returns when it has read the file.
serve() {
	command -v debuginfod >/dev/null || skip 'debuginfod is not installed'
	PORT=$(free_port)
	start debuginfod -p "$PORT" -d "$BATS_TEST_TMPDIR/db" -F served
	SERVER=$PID
	soon indexed
}

# Accepts connections and never answers.
be_silent() {
	PORT=$(free_port)
	start python3 -c '
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(16)
print("ready", flush=True)
time.sleep(600)' "$PORT"
	said ready
}

# names_are_missing: the summary says so, unless it has a cut stack to tell of in that line.
names_are_missing() { grep -E 'no debug information for|cut stacks:' "$ERR"; }

@test "debuginfod: hot files get their lines and inlined functions" {
	prepare
	serve
	start_ready ./stripped
	record -p "$PID" -d 1 -F 499 --user --debuginfod "http://127.0.0.1:$PORT"
	at_least 98 "$INLINED" 'deep::hot'
	holds "$(percent 'innermost') > 5"
	grep -E '^cprof: debuginfod: stripped \([0-9.]+ MB\)' "$ERR"
	ls "$HOME"/.cache/debuginfod_client/*/debuginfo
	# The cache serves without the server.
	kill "$SERVER"
	DEBUGINFOD_URLS=http://127.0.0.1:$PORT record -p "$PID" -d 0.5 -F 499 --user
	at_least 98 "$INLINED" 'deep::hot'
	holds "$(percent 'innermost') > 5"
	DEBUGINFOD_URLS=http://127.0.0.1:$PORT record -p "$PID" -d 0.5 -F 499 --user --no-debuginfod
	holds "$(percent 'innermost') == 0"
	! grep debuginfod "$ERR"
	names_are_missing
}

@test "debuginfod: nothing is loaded or asked without a server" {
	prepare
	start_ready ./stripped
	strace -f -e trace=openat,connect -o trace "$CPROF" cpu -p "$PID" -d 0.3 -F 499 -q -o x.folded
	! grep -E 'libdebuginfod|AF_INET' trace
}

@test "debuginfod: a server that does not answer is not waited for" {
	prepare
	be_silent
	start_ready ./stripped
	local from=$EPOCHREALTIME
	record -p "$PID" -d 1 -F 499 --user --debuginfod "http://127.0.0.1:$PORT"
	local to=$EPOCHREALTIME
	grep 'debuginfod: stripped: the server did not answer' "$ERR"
	holds "$(percent .) == 100"
	# libdebuginfod itself would wait for 90 s.
	holds "$(((${to/./} - ${from/./}) / 1000)) < 10000"
}

@test "debuginfod: a server that is not there" {
	prepare
	start_ready ./stripped
	record -p "$PID" -d 0.5 -F 499 --user --debuginfod "http://127.0.0.1:$(free_port)"
	grep 'debuginfod: stripped: the server cannot be reached' "$ERR"
	names_are_missing
}

@test "debuginfod: a file of another build is not used" {
	prepare
	start python3 -c '
import http.server
wrong = open("served/stripped.debug", "rb").read().replace(b"GNU\0", b"GNU\0\1", 1)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(wrong)))
        self.end_headers()
        self.wfile.write(wrong)
s = http.server.HTTPServer(("127.0.0.1", 0), H)
print("port", s.server_port, flush=True)
s.serve_forever()'
	said port
	PORT=$(awk '{ print $2 }' "$BATS_TEST_TMPDIR/target.out")
	start_ready ./stripped
	record -p "$PID" -d 0.5 -F 499 --user --debuginfod "http://127.0.0.1:$PORT"
	holds "$(percent 'innermost') == 0"
	names_are_missing
}
