#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cli_agree.sh CPROF [BUILD] checks that -h, the man pages and the completions agree with the option
# table. Every disagreement is a line, and the status is 1 if there is one.
set -u
cprof=$1
overview=${2:-$(dirname "$(realpath "$1")")}/man/cprof.1
cd "$(dirname "$0")/.." || exit 1
failed=0

disagree() {
	echo "$*"
	failed=1
}

# Prints "-p --pid PID[,PID...]" from the table, one a line.
table_of() {
	"$cprof" --list-options "$1" | awk -F '\t' '{
		print ($1 == "" ? "" : "-" $1 " ") "--" $2 ($3 == "" ? "" : " " $3) }'
}

# Prints the same from the headings of the entries in a man page's OPTIONS.
man_of() {
	awk '/^\.SH/ { inside = $2 == "OPTIONS" } inside' "$1" | awk '
		tagged && /^\.BR? / {
			sub(/^\.BR? /, "")
			gsub(/\\fI|\\fR|"|\\/, "")
			gsub(/ *, */, ",")
			print
		}
		{ tagged = /^\.TP/ }' |
		sed -E 's/^-([a-zA-Z]),--/-\1 --/; s/ +/ /g; s/ $//; /^-- /d'
}

# Prints the same from -h.
help_of() {
	"$cprof" "$1" -h | sed -nE 's/^ {2,6}((-[a-zA-Z], )?--[^ ]+( [^ ]+)?)( .*)?$/\1/p' |
		sed -E 's/^(-[a-zA-Z]),/\1/; s/ +$//'
}

compare() { # WHAT TABLE OTHER
	local difference
	difference=$(diff <(sort <<<"$2") <(sort <<<"$3") | grep '^[<>]') || return
	while read -r side line; do
		if [ "$side" = '<' ]; then
			disagree "$1 lacks: $line"
		else
			disagree "$1 has what the table has not: $line"
		fi
	done <<<"$difference"
}

# Prints what bash offers after "cprof VERB -".
bash_of() {
	bash -c '
		source completions/cprof.bash
		COMP_WORDS=("$1" "$2" -) COMP_CWORD=2
		_cprof
		printf "%s\n" "${COMPREPLY[@]}"' bash "$cprof" "$1"
}

check_options() {
	local verb=$1 table
	table=$(table_of "$verb")
	[ -n "$table" ] || disagree "cprof $verb: the table is empty"
	compare "cprof $verb -h" "$table" "$(help_of "$verb")"
	compare "man/cprof-$verb.1" "$table" "$(man_of "man/cprof-$verb.1")"
	compare "bash completion of $verb" \
		"$(tr ' ' '\n' <<<"$table" | grep '^-')" "$(bash_of "$verb")"
	for list in event format; do
		while read -r value; do
			grep -qE "^\.BR? ${value//-/\\\\-}( |$)" "man/cprof-$verb.1" ||
				disagree "man/cprof-$verb.1 lacks the $list $value"
			"$cprof" "$verb" -h | grep -qE "^  $value +" ||
				disagree "cprof $verb -h lacks the $list $value"
		done < <("$cprof" --list-options "$verb" "$list")
	done
}

while IFS=$'\t' read -r verb summary; do
	"$cprof" help | grep -qF "  $verb " || disagree "cprof help lacks $verb"
	grep -qE "^\.B $verb$" "$overview" || disagree "$overview lacks the verb $verb"
	"$cprof" help "$verb" | grep -qF "$summary" || disagree "cprof help $verb lacks its summary"
	[ -z "$("$cprof" --list-options "$verb")" ] || check_options "$verb"
done < <("$cprof" --list-options)

# Completions whose shell is not here must at least read the table.
for completion in completions/_cprof completions/cprof.fish; do
	grep -q -- '--list-options' "$completion" || disagree "$completion has a list of its own"
done
exit $failed
