/* SPDX-License-Identifier: Apache-2.0 */
/* What all collectors with BPF have: see bpf_collector.h. */
#include "collect/session/bpf_collector.h"

#include "target/needed.h"

int bpf_collector_attach(const struct bpf_attachment *all, size_t n, const char *what,
			 struct error *err)
{
	int code = 0;

	for (size_t i = 0; i < n && !code; i++)
		code = bpf_session_attach(all[i].prog, all[i].link, what, err);
	return code;
}

int bpf_collector_discover(struct bpf_collector *c, struct bpf_program *list_mappings,
			   struct error *err)
{
	struct needed_files needed = {0};
	int code;

	if (c->opt.command)
		needed_files_of(c->opt.command, c->opt.readers, &needed);
	code = bpf_session_discover(c->session, list_mappings, needed.paths, err);
	needed_files_release(&needed);
	return code;
}

static struct bpf_session *session_of(struct collector *base)
{
	return ((struct bpf_collector *)base)->session;
}

int bpf_collector_poll(struct collector *base, int timeout_ms)
{
	return bpf_session_poll(session_of(base), timeout_ms);
}

int bpf_collector_fd(struct collector *base)
{
	return bpf_session_fd(session_of(base));
}

void bpf_collector_shrink(struct collector *base)
{
	bpf_session_shrink(session_of(base));
}
