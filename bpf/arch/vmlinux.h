/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Selects the architecture that is built for: see docs/architecture.md. */
#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
#include "x86/vmlinux.h"
#elif defined(__TARGET_ARCH_arm64) || defined(__aarch64__)
#include "arm64/vmlinux.h"
#else
#error "cprof has no folder in bpf/arch/ for this architecture: see docs/architecture.md"
#endif
