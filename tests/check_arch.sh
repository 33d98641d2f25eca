#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks that what is known of an architecture stands in bpf/arch/ and src/arch/ alone: names of
# registers and of fields of struct pt_regs, numbers of system calls and of ELF, bytes of code,
# assembly, the disassembler, and the kernel's folders.
set -eu
cd "$(dirname "$0")/.."

registers='[re][abcd]x|[re][bs]p|[re][sd]i|rip|r1[0-5]|r[89]|orig_ax|fsbase|ctx_id|pt_regs \{'
fields='(regs->|ctx->regs\.)(ip|sp|bp|bx|ax|cx|dx|si|di|r[89]|cs|flags)'
names='x86|amd64|X86_64|aarch64|AARCH64|arm64|psABI|TARGET_ARCH|PERF_REG_|[Zz][Yy][Dd][Ii][Ss]'
numbers='SYS_[A-Z]+[A-Z0-9_]* ='
code='__asm__|\basm volatile|\b(endbr64|int3)\b|u8 [a-z0-9_]+\[[A-Z0-9_]*\] = \{0x'

# Directories of Debian, and programs that run others, have such names on every architecture, and an
# empty line of assembly holds for all.
elsewhere='s/x86_64-linux-gnu|qemu-[a-z0-9_]+|__asm__ volatile\(""//g'

found=$(find bpf src cmd preload -name '*.[ch]' -not -path 'bpf/arch/*' -not -path 'src/arch/*' \
	-exec grep -HnE '' {} + | sed -E "$elsewhere" |
	grep -E "\b($registers)\b|\b$fields\b|$names|$numbers|$code" || true)
[ -z "$found" ] || {
	printf 'this belongs into bpf/arch/ or src/arch/:\n%s\n' "$found"
	exit 1
}
