# SPDX-License-Identifier: Apache-2.0
# Has what the build needs for x86-64 only.

ARCH_LIBS := -lZydis
# The call that may replace a probe of the sampler writes below the stack pointer.
ARCH_PRELOAD_CFLAGS := -mno-red-zone
