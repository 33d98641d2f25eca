/* SPDX-License-Identifier: Apache-2.0 */
/* What collectors with BPF do between loading their programs and recording. */
#ifndef CPROF_COLLECT_BPF_BEGIN_H
#define CPROF_COLLECT_BPF_BEGIN_H

#include "collect/session/bpf_session.h"

struct bpf_attachment {
	struct bpf_program *prog;
	struct bpf_link **link; /* belongs to the skeleton */
};

/* Does bpf_session_attach() for all of them, in this order. */
int bpf_begin_attach(const struct bpf_attachment *all, size_t n, const char *what,
		     struct error *err) MUST_CHECK;

/* Does bpf_session_discover() for the targets and for the files that their command will map. */
int bpf_begin_discover(struct bpf_session *s, struct bpf_program *list_mappings,
		       const struct collect_options *opt, struct error *err) MUST_CHECK;

#endif
