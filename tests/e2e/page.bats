#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The page in a real browser: cases of tests/page/cases.mjs on known profiles, and on a fresh one.

load helper

setup_file() {
	local why
	export PLAYWRIGHT=${BUILD:-$BATS_TEST_DIRNAME/../../build}/playwright
	if ! why=$(timeout 250 "$BATS_TEST_DIRNAME/../page/setup.sh" "$PLAYWRIGHT"); then
		export NO_BROWSER=$why
		return
	fi
	for page in cpu heap wall diff shorter names evil empty; do
		"${TARGETS:-$BATS_TEST_DIRNAME/../../build/targets}/make-page" $page >"$BATS_FILE_TMPDIR/$page.html"
	done
	node "$BATS_TEST_DIRNAME/../page/serve.mjs" >"$BATS_FILE_TMPDIR/browser" 2>&1 3>&- </dev/null &
	export SERVER=$!
	soon grep -q ^ws: "$BATS_FILE_TMPDIR/browser"
	BROWSER_AT=$(cat "$BATS_FILE_TMPDIR/browser")
	export BROWSER_AT
}

teardown_file() { [ -z "${SERVER:-}" ] || kill "$SERVER"; }

# page CASE runs it in a browser on the pages of this file; the page must not report errors, nor
# request anything.
page() {
	[ -z "${NO_BROWSER:-}" ] || skip "$NO_BROWSER"
	cd "$BATS_FILE_TMPDIR" || return 1
	timeout 250 node "$ROOT/tests/page/run.mjs" "$1"
}

@test "page: opens with header, shares, legend" { page load; }
@test "page: an empty profile says so" { page empty; }
@test "page: zooms by click, crumbs, wheel and drag" { page zoom; }
@test "page: search by regular expression, with the share that matches" { page find; }
@test "page: tooltip with lines; the same function is marked elsewhere" { page highlight; }
@test "page: sample types of a heap profile" { page types; }
@test "page: idle stacks can be hidden" { page idle; }
@test "page: grouping by thread" { page grouping; }
@test "page: sandwich, recursion counted once" { page sandwich; }
@test "page: table of functions" { page table; }
@test "page: two profiles compared" { page diff; }
@test "page: recordings of different length are compared per second" { page durations; }
@test "page: long names in the table look different if they are" { page distinct; }
@test "page: the root stays in place when sizes change" { page resizing; }
@test "page: light and dark" { page theme; }
@test "page: everything works by keyboard" { page keyboard; }
@test "page: SVG, PNG, print" { page pictures; }
@test "page: the address keeps the view" { page address; }
@test "page: names are text wherever they come" { page escaping; }

@test "page: nothing in a stranger's profile runs, in a page, a comparison or a picture" {
	"$BATS_TEST_DIRNAME/hostile.py" make hostile.pb.gz markup
	"$BATS_TEST_DIRNAME/hostile.py" make more.pb.gz markup 3
	"$CPROF" convert hostile.pb.gz -q -o "$BATS_FILE_TMPDIR/hostile.html"
	"$CPROF" convert hostile.pb.gz -q -o "$BATS_FILE_TMPDIR/hostile.svg"
	"$CPROF" diff hostile.pb.gz more.pb.gz -q -o "$BATS_FILE_TMPDIR/hostile-diff.html"
	page strangers
}
@test "page: long names are shortened" { page names; }

@test "page: self and total of every function are those of go tool pprof" {
	command -v go >/dev/null || skip 'no go'
	local make_page=${TARGETS:-$ROOT/build/targets}/make-page
	"$make_page" big2000 >"$BATS_FILE_TMPDIR/many.html"
	"$make_page" big2000 pprof >many.pb.gz
	go tool pprof -top -nodecount=100000 -nodefraction=0 -edgefraction=0 -sample_index=cpu -unit=ns many.pb.gz \
		>"$BATS_FILE_TMPDIR/top.txt" 2>/dev/null
	page numbers
}

@test "page: calls the same changes noise as cprof diff" {
	local make_page=${TARGETS:-$ROOT/build/targets}/make-page
	"$make_page" before pprof >before.pb.gz
	"$make_page" cpu pprof >after.pb.gz
	"$CPROF" diff before.pb.gz after.pb.gz -q -o "$BATS_FILE_TMPDIR/compared.html"
	"$CPROF" diff before.pb.gz after.pb.gz --cum --top 0 --full-names --color never >"$BATS_FILE_TMPDIR/diff.txt"
	page chance
}

@test "page: a million samples open within a second of CPU time, and are drawn in a thirtieth" {
	"${TARGETS:-$ROOT/build/targets}/make-page" big100000 >"$BATS_FILE_TMPDIR/large.html"
	page speed
}

@test "page: of a real profile, small, by -o and by -f" {
	target shares 8
	"$CPROF" cpu -p "$PID" -d 500ms -F 499 --label thread -o "$BATS_FILE_TMPDIR/real.html" 2>"$ERR"
	"$CPROF" cpu -p "$PID" -F 999 -d 300ms -f html 2>"$ERR" | grep -q '^<!doctype html>'
	target_end
	holds "$(stat -c %s "$BATS_FILE_TMPDIR/real.html") < 300000"
	grep -q work_a "$BATS_FILE_TMPDIR/real.html"
	page real
}

@test "page: works in Firefox as well" {
	command -v firefox-esr >/dev/null || skip 'no firefox'
	[ -s "$BATS_FILE_TMPDIR/cpu.html" ] || skip "$NO_BROWSER"
	export HOME=$PWD MOZ_DISABLE_CONTENT_SANDBOX=1
	timeout 250 node "$ROOT/tests/page/firefox.mjs" "$BATS_FILE_TMPDIR/cpu.html" "$PWD/firefox"
}

@test "page: --open calls xdg-open where there is a display, and says where the page is" {
	target shares 8
	mkdir bin
	printf '#!/bin/sh\necho "$1" >"%s/opened"\n' "$PWD" >bin/xdg-open
	chmod +x bin/xdg-open
	env -u SUDO_UID -u PKEXEC_UID -u WAYLAND_DISPLAY DISPLAY=:99 PATH="$PWD/bin:$PATH" \
		"$CPROF" cpu -p "$PID" -F 999 -d 200ms --open -o x.html 2>"$ERR"
	grep -q "opening $PWD/x.html" "$ERR"
	soon test -s opened
	[ "$(cat opened)" = "$PWD/x.html" ]
	env -u SUDO_UID -u PKEXEC_UID -u DISPLAY -u WAYLAND_DISPLAY "$CPROF" cpu -p "$PID" -F 999 -d 200ms --open 2>"$ERR"
	grep -qE "no display here: open /.*cprof-cpu-shares.*\.html" "$ERR"
	[ -s cprof-cpu-shares*.html ]
	env DISPLAY=:99 PATH="$PWD" "$CPROF" cpu -p "$PID" -F 999 -d 200ms --open -o y.html 2>"$ERR"
	grep -q 'no xdg-open here' "$ERR"
}

@test "page: --open gives up root's rights for the user behind sudo" {
	need_root
	id nobody >/dev/null || skip 'no user nobody'
	target shares 8
	# Only root can access the directories of the tests.
	local uid dir
	uid=$(id -u nobody)
	dir=$(mktemp -d)
	chmod 755 "$dir"
	mkdir -m 777 "$dir/out"
	printf '#!/bin/sh\n(id -u; id -G; echo "$HOME $XDG_RUNTIME_DIR") >%s/out/who\n' "$dir" >"$dir/xdg-open"
	chmod 755 "$dir/xdg-open"
	SUDO_UID=$uid DISPLAY=:99 PATH="$dir:$PATH" "$CPROF" cpu -p "$PID" -F 999 -d 200ms --open -o x.html 2>"$ERR"
	soon test -s "$dir/out/who"
	mv "$dir/out/who" who
	rm -r "$dir"
	[ "$(head -n 1 who)" = "$uid" ]
	run ! grep -qw 0 <(sed -n 2p who)
	grep -q "/run/user/$uid" who
}

@test "page: --open with what is not a page is refused" {
	for options in '-f folded' '-o x.pb.gz' '-o -'; do
		# shellcheck disable=SC2086 # two words
		run --separate-stderr "$CPROF" cpu -p 1 --open $options
		[ "$status" -eq 2 ]
		# shellcheck disable=SC2154
		[[ $stderr == *--open* ]]
	done
}
