#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that no comment line has more than 100 columns, with tabs of eight, in C, shell, bats files
# and Makefiles. clang-format does not break comments, and does not read scripts.
set -eu
cd "$(dirname "$0")/.."
# shellcheck disable=SC2016 # dollars of awk
{
	find Makefile ./*.mk .ci/run bpf src cmd preload tests -type f \
		\( -name '*.[ch]' -o -name '*.bats' -o -name '*.bash' -o -name '*.sh' -o -name '*.mk' \
		-o -name Makefile -o -path .ci/run \) -print0
} | xargs -0 awk '
	length($0) <= 100 && !/\t/ { next }
	length($0) <= 12 { next }
	{
		hash = FILENAME !~ /\.[ch]$/
		if (hash ? $0 !~ /^[ \t]*#/ : $0 !~ /\/\*|\/\/|\*\/|^[ \t]*\*/)
			next
		width = 0
		for (i = 1; i <= length($0); i++)
			width += substr($0, i, 1) == "\t" ? 8 - width % 8 : 1
		if (width > 100) {
			printf "%s:%d: the comment has %d columns, more than 100\n", FILENAME, FNR, width
			bad = 1
		}
	}
	END { exit bad }'
