/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what targets map before recording begins: see discovery.h. */
#include "collect/session/discovery.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/readers.h"
#include "base/regular_file.h"
#include "target/pid_space.h"

#define ITER_RECORDS 64

static int mark_initial(const struct discovery *d, pid_t tgid, u32 value)
{
	struct proc_pid key = pid_to_proc(tgid);

	return bpf_map_update_elem(d->initial_threads_fd, &key, &value, BPF_ANY);
}

/* Reads what list_mappings writes. Every record is a file whose table is loaded at once. */
static int list_and_load(const struct discovery *d)
{
	struct module_record *records = calloc(ITER_RECORDS, sizeof(*records));
	struct bpf_link *link = NULL;
	int fd = -1, err = 0;
	ssize_t got;

	if (!records)
		return -ENOMEM;
	link = bpf_program__attach_iter(d->list_mappings, NULL);
	if (!link) {
		err = -errno;
		goto out;
	}
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	VEC(struct module_record) all = {0};

	/* All records are read before any file is opened, because the target's mmap lock is held
	 * while the iterator runs. */
	while ((got = read(fd, records, ITER_RECORDS * sizeof(*records))) > 0 ||
	       (got < 0 && errno == EAGAIN)) {
		for (ssize_t i = 0; !err && i < got / (ssize_t)sizeof(*records); i++)
			err = vec_push(&all, records[i]);
	}
	if (got < 0)
		err = -errno;
	vec_for_each(&all, r)
		module_set_record(d->modules, r);
	module_set_wait(d->modules);
	vec_release(&all);
out:
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	free(records);
	return err;
}

/*
 * The kernel identifies a file by its inode, and only mappings show it. So the files of a command
 * that has not begun are mapped here while they are listed.
 */
static void *map_for_listing(struct readers *readers, const char *path)
{
	struct input_file in;
	void *mem = MAP_FAILED;

	if (regular_file_input(readers, path, &in))
		return NULL;
	if (in.fd >= 0) /* otherwise it is loaded when the command maps it */
		mem = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, in.fd, 0);
	input_file_close(&in);
	return mem == MAP_FAILED ? NULL : mem;
}

int discovery_run(const struct discovery *d)
{
	VEC(void *) mapped = {0};
	int err = 0;

	vec_for_each(&d->opt->target->processes, p) {
		if (!err)
			err = mark_initial(d, p->tgid, INITIAL_TARGET);
	}
	for (char *const *path = d->extra; path && *path; path++) {
		void *mem = map_for_listing(d->opt->readers, *path);

		if (mem && vec_push(&mapped, mem))
			munmap(mem, 1);
	}
	if (mapped.len && !err)
		err = mark_initial(d, getpid(), INITIAL_LIST_ONLY);
	if (!err)
		err = list_and_load(d);
	vec_for_each(&mapped, mem)
		munmap(*mem, 1);
	vec_release(&mapped);
	return err;
}
