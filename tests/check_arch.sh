#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that BPF programs keep what they know of an architecture in bpf/arch/ alone: names of
# registers and of fields of struct pt_regs, numbers of system calls, and the kernel's folders.
set -eu
cd "$(dirname "$0")/.."

registers='r[abcd]x|r[bs]p|r[sd]i|rip|r1[0-5]|orig_ax|fsbase|ctx_id|pt_regs \{'
fields='regs(->|\.)(ip|sp|bp|bx|ax|cx|dx|si|di|r[89]|cs|flags)'
numbers='__x86_64__|__TARGET_ARCH|SYS_[A-Z]+[A-Z0-9_]* =|arch/x86|psABI'

found=$(grep -nE "\b($registers)\b|\b$fields\b|$numbers" bpf/*.[ch] bpf/shared/*.h |
	grep -v 's->state\.regs\.\|st->regs\.\|r->regs\.' || true)
[ -z "$found" ] || {
	printf 'this belongs into bpf/arch/:\n%s\n' "$found"
	exit 1
}
