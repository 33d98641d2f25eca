/* SPDX-License-Identifier: Apache-2.0 */
/* What all collectors with BPF have, and what they do before and while they record. */
#ifndef CPROF_COLLECT_BPF_COLLECTOR_H
#define CPROF_COLLECT_BPF_COLLECTOR_H

#include "collect/session/bpf_session.h"

/* The first member of each of them. */
struct bpf_collector {
	struct collector base;
	struct collect_options opt;
	struct bpf_session *session; /* NULL until it has been made */
};

struct bpf_attachment {
	struct bpf_program *prog;
	struct bpf_link **link; /* belongs to the skeleton */
};

/* Does bpf_session_attach() for all of them, in this order. */
int bpf_collector_attach(const struct bpf_attachment *all, size_t n, const char *what,
			 struct error *err) MUST_CHECK;
/* Does bpf_session_discover() for the targets and for the files that their command will map. */
int bpf_collector_discover(struct bpf_collector *c, struct bpf_program *list_mappings,
			   struct error *err) MUST_CHECK;

/* Members of collector_ops for kinds that add nothing to what the session does. */
int bpf_collector_poll(struct collector *base, int timeout_ms);
int bpf_collector_fd(struct collector *base);
void bpf_collector_shrink(struct collector *base);

#endif
