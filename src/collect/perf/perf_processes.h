/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes and threads of a recording in perf mode: their names and mappings, kept up to date by
 * the records that the kernel sends along with samples.
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

/* Reads what /proc says of a process now; again for one that is known. -ESRCH, -EACCES, -ENOMEM. */
int perf_processes_read(struct perf_processes *p, pid_t tgid) MUST_CHECK;
/* A thread from which an exit record is to be expected. */
int perf_processes_add_thread(struct perf_processes *p, pid_t tgid, pid_t tid) MUST_CHECK;

/* Takes in any record that is not a sample. 0 or -ENOMEM. */
int perf_processes_update(struct perf_processes *p, const struct perf_record *r) MUST_CHECK;

/* Has the file of a mapping loaded whose record is taken in later. */
void perf_processes_ask(struct perf_processes *p, const struct perf_mapped *m);

/* NULL: not known. */
struct perf_process *perf_processes_find(struct perf_processes *p, u32 tgid);
/* Added without mappings when it is not known; NULL: no memory. */
struct perf_process *perf_processes_ensure(struct perf_processes *p, u32 tgid);
const struct address_space *perf_process_space(const struct perf_process *proc);
/* May its mappings be read again, because an address fell outside? At most once a second each. */
bool perf_process_may_refresh(struct perf_process *proc, u64 now_ns);
/* Who a sample belongs to: numbers and names. */
void perf_processes_owner(struct perf_processes *p, u32 tgid, u32 tid, struct thread_id *out);

/* Is any process that was added (or forked by one) still running? */
bool perf_processes_alive(struct perf_processes *p);

/*
 * Forgets processes of which no exit was told (records get lost): those that have been seen ended for
 * PERF_PROCESSES_ENDED_NS, as samples of theirs may still wait. It looks at most every PERF_PROCESSES_LOOK_NS.
 */
void perf_processes_forget_ended(struct perf_processes *p, u64 now_ns);
#define PERF_PROCESSES_LOOK_NS 5000000000ull
#define PERF_PROCESSES_ENDED_NS 20000000000ull

/* The same, and gives up modules that neither processes nor the stacks in `store` have any more. */
void perf_processes_tend(struct perf_processes *p, const struct stack_store *store, u64 now_ns);

#endif
