/* SPDX-License-Identifier: Apache-2.0 */
/* Says what the ELF files and the kernel of this architecture name as they do on no other. */
#ifndef CPROF_ARCH_MACHINE_H
#define CPROF_ARCH_MACHINE_H

#include "base/types.h"

/* Returns whether cprof unwinds and probes code of an ELF file with this e_machine. */
bool arch_is_machine(u16 elf_machine);

/* Returns whether a relocation of this type puts an address of the file itself somewhere. */
bool arch_is_own_address(u32 relocation);

/* Returns the byte offset of a DWARF register, or of the program counter, in the kernel's struct
 * pt_regs; -1 if there is no such register. */
int arch_pt_regs_offset(u8 dwarf);

/* Returns the name of the line of /proc/PID/status with "shstk" if a thread has a shadow stack;
 * "" if there is none. */
const char *arch_thread_features(void);

/* Returns what the names of valgrind's tools end in: "amd64-linux". */
const char *arch_valgrind_platform(void);

/* Returns whether interrupts enter the kernel in this function of it. */
bool arch_is_interrupt_entry(const char *name);

#endif
