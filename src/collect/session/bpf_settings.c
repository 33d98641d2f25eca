/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what must be known before BPF programs are loaded: settings and map sizes, and what to
 * report if loading fails. */
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/session/bpf_session.h"
#include "collect/features.h"
#include "base/clock.h"
#include "collect/session/machine.h"
#include "collect/session/module_store.h"
#include "collect/session/program_pool.h"
#include "target/pid_space.h"

#define CGROUP_UNIFIED ~0u
#define MIN_KEYS 1024u
#define MAX_KEYS 65536u
#define MIN_PROCESSES 16384u
#define MAX_PROCESSES 65536u
#define MIN_RING (1u << 20) /* some 50 pending records */
#define MAX_RING (16u << 20)
#define RING_PER_CPU (512u << 10) /* a new stack every 30 us for 40 ms */
#define RECORD_BYTES 512u /* a stack of some 50 frames */
#define UNKNOWN_SECONDS 30u

static u32 power_of_two(u64 want, u32 min, u32 max)
{
	u32 size = min;

	while (size < want && size < max)
		size *= 2;
	return size;
}

static int size_all(struct bpf_object *obj, u32 keys, u32 ring)
{
	int err = bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, "counts_a"), keys);

	if (!err)
		err = bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, "counts_b"), keys);
	if (!err)
		err = bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, "records"), ring);
	return err;
}

/* At worst every sample is a new stack, so a quarter of a second of them must fit into the ring. */
static int size_maps(struct bpf_object *obj, const struct collect_options *opt)
{
	u64 seconds = opt->duration_ns ? opt->duration_ns / NSEC_PER_SEC + 1 : UNKNOWN_SECONDS;
	u64 per_second = (u64)opt->frequency * (u64)sysconf(_SC_NPROCESSORS_ONLN);
	u32 keys = power_of_two(per_second * seconds, MIN_KEYS, MAX_KEYS);
	u32 ring = power_of_two(per_second * RECORD_BYTES / 4, MIN_RING, MAX_RING);

	return size_all(obj, keys, ring);
}

/* Returns how many threads the machine has now, with those of other PID namespaces. */
static u64 threads_of_machine(void)
{
	FILE *f = fopen("/proc/loadavg", "re");
	unsigned long long n;
	int got = f ? fscanf(f, "%*s %*s %*s %*u/%llu", &n) : 0;

	if (f)
		fclose(f);
	return got == 1 ? n : MAX_PROCESSES;
}

static int size_if_there(struct bpf_object *obj, const char *name, u32 entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	return map ? bpf_map__set_max_entries(map, entries) : 0;
}

/* Hash maps have a table for as many entries as they may get, whether these are there or not. */
static int size_processes(struct bpf_object *obj, const struct collect_options *opt)
{
	u32 most = power_of_two(threads_of_machine() * 4, MIN_PROCESSES, MAX_PROCESSES);
	int err = size_if_there(obj, "targets", most);

	if (!err)
		err = size_if_there(obj, "holders", most);
	/* cprof itself is one more. */
	return err ? err
		   : size_if_there(
			     obj, "initial_threads",
			     power_of_two(opt->target->processes.len + 1, MIN_KEYS, MAX_PROCESSES));
}

/*
 * Tables are large enough for a busy machine, and a recording of a few processes fills a small part
 * of them. Where entries cannot be allocated in every context, all of them are there from the
 * start.
 */
static int allocate_on_demand(struct bpf_object *obj)
{
	struct bpf_map *map;
	int err = 0;

	if (!features_maps_grow())
		return 0;
	bpf_object__for_each_map(map, obj) {
		if (!err && bpf_map__type(map) == BPF_MAP_TYPE_HASH)
			err = bpf_map__set_map_flags(map,
						     bpf_map__map_flags(map) | BPF_F_NO_PREALLOC);
	}
	return err;
}

/* Tests use this to fill them. Locks with waiters are in a table of another type. */
static int shrink_tables(struct bpf_object *obj, u32 entries)
{
	static const char *const names[] = {"targets", "thread_waits", "inner_threads", "helds"};
	int err = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && !err; i++)
		err = size_if_there(obj, names[i], entries);
	return err;
}

/* The ring is emptied whenever it is half full (record_queue.h), so it holds what comes until then
 * from the CPUs that the targets can run on. A wake-up may be late on a busy machine. */
u32 bpf_session_flood_ring(const struct collect_options *opt)
{
	u64 cpus = (u64)sysconf(_SC_NPROCESSORS_ONLN);

	return opt->target->scope == TARGET_PROCESSES
		       ? power_of_two(cpus * RING_PER_CPU, MIN_RING, MAX_RING / 2)
		       : MAX_RING / 2;
}

int bpf_session_size_counts(struct bpf_object *obj, const struct collect_options *opt)
{
	return size_all(obj, MAX_KEYS, bpf_session_flood_ring(opt));
}

/* Finds the index of a v1 controller in css_set.subsys[], which depends on how the kernel was
 * built. */
static int controller_index(const char *controllers, u32 *index)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	char want[64];
	int id, found = -ENOENT;

	if (!btf)
		return -errno;
	snprintf(want, sizeof(want), "%.*s_cgrp_id", (int)strcspn(controllers, ","), controllers);
	id = btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM);
	type = id < 0 ? NULL : btf__type_by_id(btf, (u32)id);
	for (u32 i = 0; type && i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, btf_enum(type)[i].name_off);

		if (name && !strcmp(name, want)) {
			*index = (u32)btf_enum(type)[i].val;
			found = 0;
		}
	}
	btf__free(btf);
	return found;
}

static int configure_cgroup(const struct target_cgroup *cg, struct sample_config *settings,
			    struct error *err)
{
	int code;

	settings->mode = SAMPLE_CGROUP;
	settings->cgroup_id = cg->id;
	settings->cgroup_level = cg->level;
	settings->cgroup_subsys = CGROUP_UNIFIED;
	if (cg->v2)
		return 0;
	code = controller_index(cg->controllers, &settings->cgroup_subsys);
	if (code)
		return error_set(
			err, code,
			"cannot follow a cgroup of the hierarchy \"%s\": the kernel has no "
			"controller of that name",
			cg->controllers);
	return 0;
}

/* In a container the user's PIDs are not those of the kernel, so it must translate
 * (bpf/targets.bpf.h). */
static void configure_pidns(struct sample_config *settings)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st))
		return;
	settings->pidns_inode = (u32)st.st_ino;
	settings->pidns_nested = settings->pidns_inode != PID_NAMESPACE_INITIAL;
}

static struct program_pool *pool_of(const struct collect_options *opt)
{
	return opt->store ? module_store_programs(opt->store) : NULL;
}

/* The storage of threads is emptied only for another recording. */
static void choose_forgetting(struct bpf_object *obj, const struct collect_options *opt)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, FORGET_THREADS);

	if (prog)
		bpf_program__set_autoload(prog, pool_of(opt) != NULL);
}

int bpf_session_configure(struct bpf_object *obj, const struct collect_options *opt,
			  struct sample_config *settings, struct error *err)
{
	const struct target *t = opt->target;
	int code = size_maps(obj, opt);

	if (!code)
		code = size_processes(obj, opt);
	if (!code)
		code = allocate_on_demand(obj);
	if (!code && opt->table_entries)
		code = shrink_tables(obj, opt->table_entries);
	if (!code && opt->store)
		code = module_store_use(opt->store, obj);
	if (code == -EPERM)
		return bpf_session_load_error(code, err);
	if (code)
		return error_set(err, code, "cannot size the BPF maps: %s", error_reason(code));
	settings->mode = t->scope == TARGET_ALL ? SAMPLE_ALL : SAMPLE_TARGETS;
	settings->follow_children = t->follow_children;
	settings->clock_period = opt->frequency ? NSEC_PER_SEC / opt->frequency : 0;
	settings->by_tgid = opt->by_process;
	settings->by_tid = opt->by_thread;
	settings->by_cpu = opt->by_cpu;
	settings->user = opt->user;
	settings->kernel = opt->kernel;
	configure_pidns(settings);
	choose_forgetting(obj, opt);
	return t->scope == TARGET_CGROUP ? configure_cgroup(&t->cgroup, settings, err) : 0;
}

int bpf_session_attach(struct bpf_program *prog, struct bpf_link **link, const char *what,
		       struct error *err)
{
	*link = bpf_program__attach(prog);
	return *link ? 0 : error_set(err, -errno, "cannot %s: %s", what, error_reason(errno));
}

/* ---- loading --------------------------------------------------------------------------------- */

void *bpf_session_load(const struct collect_options *opt, skeleton_open_fn open, void *opened,
		       int *code)
{
	return program_pool_load(pool_of(opt), open, opened, code);
}

void bpf_session_unload(const struct collect_options *opt, skeleton_open_fn open, void *skel)
{
	program_pool_return(pool_of(opt), open, skel);
}

void bpf_session_uprobes(const struct collect_options *opt, struct features *out)
{
	machine_uprobes(module_store_machine(opt->store), out);
}

#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"

int bpf_session_load_error(int code, struct error *err)
{
	switch (code) {
	case -ESRCH: /* libbpf reports this if there is no BTF */
		return error_set(
			err, code,
			"cannot load BPF programs: the kernel's types are not at " KERNEL_TYPES
			" (%s; cprof cpu --mode perf does without them)",
			access("/sys/kernel", F_OK)
				? "as root: mount -t sysfs none /sys"
				: "it takes a kernel with CONFIG_DEBUG_INFO_BTF");
	case -EPERM:
	case -EACCES:
		return error_set(
			err, code,
			"cannot load BPF programs: %s (run cprof as root; --mode perf works "
			"for your own processes)",
			error_reason(code));
	case -ENOMEM:
		return error_set(
			err, code,
			"cannot load BPF programs: %s (on kernels before 5.11 raise ulimit "
			"-l)",
			error_reason(code));
	default:
		return error_set(
			err, code,
			"cannot load BPF programs: %s (cprof doctor shows what this kernel "
			"can do)",
			error_reason(code));
	}
}
