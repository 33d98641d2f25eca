/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records waits with BPF: locks by the stack that waited (block) or released (mutex), all time off
 * the CPU by cause (offcpu), and running, runnable and blocked time together (wall).
 */
#ifndef CPROF_COLLECT_WAIT_H
#define CPROF_COLLECT_WAIT_H

#include "collect/wait/wait_options.h"

/* `opt` is copied; its options are a struct wait_options. */
int block_collector_new(const struct collect_options *opt, struct collector **out,
			struct error *err) MUST_CHECK;
int mutex_collector_new(const struct collect_options *opt, struct collector **out,
			struct error *err) MUST_CHECK;
int offcpu_collector_new(const struct collect_options *opt, struct collector **out,
			 struct error *err) MUST_CHECK;
int wall_collector_new(const struct collect_options *opt, struct collector **out,
		       struct error *err) MUST_CHECK;
/* Implements mutex --holds (holds.c): how often locks are taken and how long they are held, by the
 * stack that takes them. */
int holds_collector_new(const struct collect_options *opt, struct collector **out,
			struct error *err) MUST_CHECK;

#endif
