/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Implements cprof cpu: at each tick of a perf event, the running task's stack is counted. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"
#include "stacks.bpf.h"
#include "lifetime.bpf.h"
#include "tick.bpf.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
