# SPDX-License-Identifier: Apache-2.0
# bash completion for cprof. The options come from the program itself: cprof --list-options.
# shellcheck shell=bash

_cprof_pids() {
	local dir
	for dir in /proc/[0-9]*; do
		printf '%s\n' "${dir#/proc/}"
	done
}

_cprof_names() {
	cat /proc/[0-9]*/comm 2>/dev/null | tr ' ' '?' | sort -u
}

# _cprof_option PROGRAM VERB TYPED prints the long name of the option that is typed as $3, if it
# takes a value.
_cprof_option() {
	"$1" --list-options "$2" 2>/dev/null | awk -F '\t' -v typed="$3" \
		'$3 != "" && (typed == "-" $1 || typed == "--" $2) { print $2 }'
}

_cprof_offer() {
	local IFS=$'\n'
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_cprof_value() { # PROGRAM VERB OPTION WORD
	local prefix=
	case $3 in
	pid)
		[[ $4 == *,* ]] && prefix=${4%,*},
		_cprof_offer "$(_cprof_pids | sed "s/^/$prefix/")" "$4"
		;;
	name) _cprof_offer "$(_cprof_names)" "$4" ;;
	output) mapfile -t COMPREPLY < <(compgen -f -- "$4") ;;
	cgroup) mapfile -t COMPREPLY < <(compgen -d -- "${4:-/sys/fs/cgroup/}") ;;
	*) _cprof_offer "$("$1" --list-options "$2" "$3" 2>/dev/null)" "$4" ;;
	esac
}

_cprof() {
	local program=${COMP_WORDS[0]} verb=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]} option i
	COMPREPLY=()
	if ((COMP_CWORD == 1)) || [[ $verb == help ]]; then
		_cprof_offer "$("$program" --list-options 2>/dev/null | cut -f 1)" "$word"
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			# What follows is a command with its own completion.
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			else
				mapfile -t COMPREPLY < <(compgen -c -- "$word")
			fi
			return
		fi
	done
	# bash splits --format=folded into three words.
	if [[ $word == '=' ]]; then
		word=
	elif [[ $before == '=' ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	option=$(_cprof_option "$program" "$verb" "$before")
	if [[ -n $option ]]; then
		_cprof_value "$program" "$verb" "$option" "$word"
	elif [[ $word != -* && $verb =~ ^(report|diff|convert|merge)$ ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	else
		_cprof_offer "$("$program" --list-options "$verb" 2>/dev/null |
			awk -F '\t' '{ print "--" $2; if ($1 != "") print "-" $1 }')" "$word"
	fi
}

complete -F _cprof cprof
