/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session on maps in which nothing counts but the test: the programs of cprof cpu are loaded and
 * not attached.
 */
#ifndef CPROF_TESTS_SESSION_FIXTURE_H
#define CPROF_TESTS_SESSION_FIXTURE_H

#include "collect/session/bpf_session.h"

struct session_fixture {
	struct cpu_bpf *skel;
	struct target target; /* of no process */
	struct collect_options opt;
	struct sample_control *control;
	struct bpf_session *session;
};

/* Skips the case where BPF is not allowed. `kind` may be NULL. */
void session_fixture_init(struct session_fixture *f, const struct stack_kind *kind);
void session_fixture_release(struct session_fixture *f);

/* Returns a map of the session by its name. */
int session_fixture_map(const struct session_fixture *f, const char *name);
/* Gives the session the frames of a stack, two in the kernel, as if they had been sent. */
void session_fixture_put(struct session_fixture *f, u64 stack);
/* Counts in the map in which programs would. */
void session_fixture_count(struct session_fixture *f, u64 stack, u64 samples, u64 weight);
/* Makes a profile of a range and returns it. The first two values are samples and weight if
 * `mapping` is NULL. */
struct profile *session_fixture_read(struct session_fixture *f, enum collect_range range,
				     const struct sample_mapping *mapping,
				     const char *const *sample_types);

#endif
