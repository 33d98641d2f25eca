/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions through probed operators new: see heap_throw.h. */
#include "collect/heap_throw.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "collect/libbpf_log.h"
#include "collect/uprobe.h"
#include "heap_throw.skel.h"

struct heap_throw {
	const struct log *log;
	bool links;
	bool tried;
	struct heap_throw_bpf *skel; /* NULL: not loaded */
};

int heap_throw_new(bool links, const struct log *log, struct heap_throw **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->links = links;
	(*out)->log = log;
	return 0;
}

void heap_throw_free(struct heap_throw *t)
{
	if (!t)
		return;
	heap_throw_bpf__destroy(t->skel);
	free(t);
}

static void load(struct heap_throw *t)
{
	libbpf_log_begin(t->log);
	t->skel = heap_throw_bpf__open();
	if (!t->skel)
		return;
	if (t->links)
		bpf_program__set_expected_attach_type(t->skel->progs.on_throw,
						      (enum bpf_attach_type)UPROBE_ATTACH_MULTI);
	if (!heap_throw_bpf__load(t->skel))
		return;
	heap_throw_bpf__destroy(t->skel);
	t->skel = NULL;
}

int heap_throw_program(struct heap_throw *t)
{
	if (!t->tried)
		load(t);
	t->tried = true;
	return t->skel ? bpf_program__fd(t->skel->progs.on_throw) : -EPERM;
}

bool heap_throw_strict(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
	int mode = file ? getc(file) : EOF;

	if (file)
		fclose(file);
	return mode == '2';
}
