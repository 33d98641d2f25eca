/* SPDX-License-Identifier: Apache-2.0 */
/* Has x86-64's names for parts of ELF files and of the kernel: see machine.h. */
#include "arch/machine.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <sys/user.h>

bool arch_is_machine(u16 elf_machine)
{
	return elf_machine == EM_X86_64;
}

bool arch_is_own_address(u32 relocation)
{
	return relocation == R_X86_64_RELATIVE || relocation == R_X86_64_IRELATIVE;
}

/* struct user_regs_struct begins as struct pt_regs does (arch/x86/include/asm/ptrace.h). The index
 * is the DWARF number (psABI figure 3.36). */
int arch_pt_regs_offset(u8 dwarf)
{
#define AT(name) offsetof(struct user_regs_struct, name)
	static const u8 offsets[] = {AT(rax), AT(rdx), AT(rcx), AT(rbx), AT(rsi), AT(rdi),
				     AT(rbp), AT(rsp), AT(r8),  AT(r9),  AT(r10), AT(r11),
				     AT(r12), AT(r13), AT(r14), AT(r15), AT(rip)};
#undef AT

	return dwarf < ARRAY_LEN(offsets) ? offsets[dwarf] : -1;
}

/* Documentation/arch/x86/shstk.rst */
const char *arch_thread_features(void)
{
	return "x86_Thread_features";
}

const char *arch_valgrind_platform(void)
{
	return "amd64-linux";
}

/* arch/x86/include/asm/idtentry.h */
bool arch_is_interrupt_entry(const char *name)
{
	return !strncmp(name, "asm_sysvec_", 11) || !strncmp(name, "asm_common_interrupt", 20);
}
