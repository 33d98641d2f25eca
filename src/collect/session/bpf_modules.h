/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that targets map, in BPF mode: asked for by the kernel or by a stack that is finished in user space,
 * opened and compiled by other threads (module_loader.h), numbered and loaded into the kernel here.
 */
#ifndef CPROF_COLLECT_BPF_MODULES_H
#define CPROF_COLLECT_BPF_MODULES_H

#include "base/log.h"
#include "collect/session/module_set.h"
#include "collect/session/tables.h"

struct bpf_modules;

/* All borrowed; must outlive it. */
struct bpf_modules_env {
	struct tables_maps maps;
	int modules_fd; /* the kernel's inode -> number; 0: being loaded */
	struct readers *readers; /* may be NULL */
	const struct log *log;
};

int bpf_modules_new(const struct bpf_modules_env *env, struct bpf_modules **out) MUST_CHECK;
void bpf_modules_free(struct bpf_modules *b);

/* The kernel met a file, or lists it. */
void bpf_modules_record(struct bpf_modules *b, const struct module_record *r);

/*
 * The number of the file behind a mapping of `tgid`, which is asked for when nobody has yet: -EAGAIN until it is
 * there. Another negative errno: it cannot be opened, and is not tried for some time.
 */
int bpf_modules_number(struct bpf_modules *b, pid_t tgid, const struct map_entry *e);

int bpf_modules_fd(
	const struct bpf_modules *b); /* readable: bpf_modules_take() has something to do */
bool bpf_modules_ready(const struct bpf_modules *b); /* the same, to be asked often */
/* Takes in what has been loaded; true when there was something. Also asks again for what failed before. */
bool bpf_modules_take(struct bpf_modules *b);
/*
 * Takes in everything that has been asked for. False: there was nothing, or what there is takes longer than any file
 * should.
 */
bool bpf_modules_wait(struct bpf_modules *b);
void bpf_modules_begin(struct bpf_modules *b); /* files that come from now on are late */

struct tables *bpf_modules_tables(struct bpf_modules *b);
struct module_set *bpf_modules_set(struct bpf_modules *b);
u64 bpf_modules_count(const struct bpf_modules *b);
u64 bpf_modules_late(const struct bpf_modules *b);

#endif
