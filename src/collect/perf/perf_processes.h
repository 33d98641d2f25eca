/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes and threads of a recording in perf mode. Their names and mappings are kept up to
 * date from the records that the kernel sends along with samples.
 */
#ifndef CPROF_COLLECT_PERF_PROCESSES_H
#define CPROF_COLLECT_PERF_PROCESSES_H

#include "collect/perf/address_space.h"
#include "collect/perf/perf_modules.h"
#include "collect/perf/perf_record.h"
#include "collect/session/stack_store.h"

struct perf_process;
struct perf_processes;

/* `modules` is borrowed. */
int perf_processes_new(struct perf_modules *modules, struct perf_processes **out) MUST_CHECK;
void perf_processes_free(struct perf_processes *p);

/* Reads what /proc says about a process now, also for a known one. Returns -ESRCH, -EACCES or
 * -ENOMEM. */
int perf_processes_read(struct perf_processes *p, pid_t tgid) MUST_CHECK;
/* Adds a thread whose exit record is expected. */
int perf_processes_add_thread(struct perf_processes *p, pid_t tgid, pid_t tid) MUST_CHECK;

/* Processes any record that is not a sample. Returns 0 or -ENOMEM. */
int perf_processes_update(struct perf_processes *p, const struct perf_record *r) MUST_CHECK;

/* Requests the file of a mapping whose record is processed later. */
void perf_processes_ask(struct perf_processes *p, const struct perf_mapped *m);

/* Returns NULL if it is not known. */
struct perf_process *perf_processes_find(struct perf_processes *p, u32 tgid);
/* Adds the process without mappings if it is not known; NULL without memory. */
struct perf_process *perf_processes_ensure(struct perf_processes *p, u32 tgid);
const struct address_space *perf_process_space(const struct perf_process *proc);
/* Returns whether its mappings may be read again because an address was outside of them, which is
 * at most once a second for each process. */
bool perf_process_may_refresh(struct perf_process *proc, u64 now_ns);
/* Gives the numbers and names of the thread that a sample belongs to. */
void perf_processes_owner(struct perf_processes *p, u32 tgid, u32 tid, struct thread_id *out);

/* Returns whether any process that was added (or forked by one) is still running. */
bool perf_processes_alive(struct perf_processes *p);

/*
 * Forgets processes whose exit records were lost. It keeps them for PERF_PROCESSES_ENDED_NS after
 * they are seen to have ended, because their samples may still be waiting. It checks at most once
 * every PERF_PROCESSES_LOOK_NS.
 */
void perf_processes_forget_ended(struct perf_processes *p, u64 now_ns);
#define PERF_PROCESSES_LOOK_NS 5000000000ull
#define PERF_PROCESSES_ENDED_NS 20000000000ull

/* Does the same, and gives up modules that neither the processes nor the stacks in `store` need. */
void perf_processes_tend(struct perf_processes *p, const struct stack_store *store, u64 now_ns);

#endif
