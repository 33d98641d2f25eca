/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selects the instructions that the preloaded sampler (preload/) is made of. It is not part of the
 * library, so they are macros and inline functions.
 *
 * PROBE1(provider, name, a) and PROBE3(provider, name, a, b, c) define USDT probes as notes of
 * version 3 in .note.stapsdt (sourceware.org/systemtap/wiki/UserSpaceProbeImplementation), without
 * semaphores. The provider and the name are string literals. PROBE3_AT(at, ...) also gives the
 * probe's code the name `at`, for `extern arch_probe_code at`; it must be compiled once.
 *
 * bool arch_probe_is_idle(arch_probe_code at) returns whether no tracer is attached to that probe.
 * The kernel replaces its first bytes while one is.
 *
 * bool arch_reloc_is_address(uint32_t type) returns whether a dynamic relocation stores the address
 * of its symbol, and arch_reloc_is_lazy() whether that may be done at the first call.
 *
 * bool arch_is_on_valgrind(void) returns whether valgrind runs this process. Valgrind translates
 * the code that it reads, so it would take the breakpoints of probes for the program's own. It
 * recognizes its request RUNNING_ON_VALGRIND.
 */
#if defined(__x86_64__)
#include "x86/preload.h"
#elif defined(__aarch64__)
#include "arm64/preload.h"
#else
#error "cprof has no folder in src/arch/ for this architecture: see docs/architecture.md"
#endif
