/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches programs and lists what is mapped: see bpf_begin.h. */
#include "collect/session/bpf_begin.h"

#include "target/needed.h"

int bpf_begin_attach(const struct bpf_attachment *all, size_t n, const char *what,
		     struct error *err)
{
	int code = 0;

	for (size_t i = 0; i < n && !code; i++)
		code = bpf_session_attach(all[i].prog, all[i].link, what, err);
	return code;
}

int bpf_begin_discover(struct bpf_session *s, struct bpf_program *list_mappings,
		       const struct collect_options *opt, struct error *err)
{
	struct needed_files needed = {0};
	int code;

	if (opt->command)
		needed_files_of(opt->command, opt->readers, &needed);
	code = bpf_session_discover(s, list_mappings, needed.paths, err);
	needed_files_release(&needed);
	return code;
}
