/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes, within bounds, what the kernel writes into a perf ring (perf_event_open(2), "MMAP
 * layout"; include/uapi/linux/perf_event.h: enum perf_event_type). One format, PERF_RECORD_FORMAT,
 * serves all events of a recording, so the time of any record is found before it is decoded.
 */
#ifndef CPROF_COLLECT_PERF_RECORD_H
#define CPROF_COLLECT_PERF_RECORD_H

#include <linux/perf_event.h>

#include "base/bpf_shared.h"
#include "base/bytes.h"
#include "base/types.h"

/* attr.sample_type, to which PERF_SAMPLE_CALLCHAIN may be added. attr.sample_id_all must be set. */
#define PERF_RECORD_FORMAT                                                                        \
	(PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_ID | PERF_SAMPLE_CPU | \
	 PERF_SAMPLE_PERIOD | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER)

/* The offset of a record's time, from the start of a sample and from the end of all others. */
#define PERF_SAMPLE_TIME_AT 24
#define PERF_TRAILER_TIME_AT 24
#define PERF_TRAILER_SIZE 32

struct perf_sample {
	u64 ip, id, period;
	u32 pid, tid, cpu;
	bool user_mode; /* interrupted in user mode and not in the kernel */
	const u8 *chain; /* u64s, unaligned */
	u64 chain_len;
	u64 abi; /* PERF_SAMPLE_REGS_ABI_*; NONE if there are no user registers */
	struct user_regs regs;
	struct bytes stack; /* what could be copied, from regs.sp on */
};

struct perf_mapped { /* an executable mapping appeared */
	u32 pid, tid, maj, min;
	u64 start, len, offset, inode;
	const char *path; /* "//anon", "[vdso]", or a file's */
};

struct perf_task { /* a thread started or ended */
	u32 pid, ppid, tid, ptid;
};

struct perf_comm {
	u32 pid, tid;
	bool exec; /* the old mappings are gone */
	const char *name;
};

struct perf_record {
	/* PERF_RECORD_*: says which member is filled in; types not listed here are to be ignored */
	u32 type;
	union {
		struct perf_sample sample; /* PERF_RECORD_SAMPLE */
		struct perf_mapped mapped; /* PERF_RECORD_MMAP2 */
		struct perf_task task; /* PERF_RECORD_FORK, PERF_RECORD_EXIT */
		struct perf_comm comm; /* PERF_RECORD_COMM */
		u64 lost; /* PERF_RECORD_LOST, PERF_RECORD_LOST_SAMPLES */
	};
};

/* `raw` is one whole record and must outlive `out`. `chain` says that samples contain a call chain.
 * Returns -EBADMSG for an invalid record. */
int perf_record_decode(struct bytes raw, bool chain, struct perf_record *out) MUST_CHECK;

#endif
