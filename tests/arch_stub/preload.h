/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for a folder of src/arch/ that does not exist: see regs.h. */
#ifndef CPROF_ARCH_STUB_PRELOAD_H
#define CPROF_ARCH_STUB_PRELOAD_H

#include <stdbool.h>

#define PROBE1(provider, name, a) ((void)(a))
#define PROBE3(provider, name, a, b, c) ((void)(a), (void)(b), (void)(c))

#define PROBE3_AT(at, provider, name, a, b, c) ((void)(a), (void)(b), (void)(c))

#define arch_reloc_is_address(type) ((void)(type), false)
#define arch_reloc_is_lazy(type) ((void)(type), false)

typedef const volatile unsigned char arch_probe_code[];

static inline bool arch_probe_is_idle(arch_probe_code at)
{
	(void)at;
	return true;
}

static inline bool arch_is_on_valgrind(void)
{
	return false;
}

#endif
