/* SPDX-License-Identifier: Apache-2.0 */
/* Tries out what the kernel allows: see features.h. */
#include "collect/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text_format.h"
#include "collect/events.h"
#include "collect/libbpf_log.h"
#include "collect/uprobe_link.h"
#include "target/pid_space.h"
#include "target/proc_fs.h"

bool features_has_cap(const struct features *f, u32 cap)
{
	return f->caps >> cap & 1;
}

static bool read_line(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(out, (int)size, f);

	if (f)
		fclose(f);
	return ok;
}

static int read_int(const char *path, int absent)
{
	char line[64];

	return read_line(path, line, sizeof(line)) ? atoi(line) : absent;
}

static void probe_kernel(struct features *f)
{
	struct utsname u;

	if (uname(&u))
		return;
	snprintf(f->release, sizeof(f->release), "%s", u.release);
	if (sscanf(u.release, "%u.%u", &f->kernel_major, &f->kernel_minor) != 2)
		f->kernel_major = f->kernel_minor = 0;
}

bool features_maps_grow(void)
{
	struct features f = {0};

	probe_kernel(&f);
	return f.kernel_major > 6 || (f.kernel_major == 6 && f.kernel_minor >= 1);
}

/* This uses the system call, because /proc may be missing. */
static u64 effective_caps(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[0].effective | (u64)data[1].effective << 32;
}

/* Loads "return 0" as a program of the given kind. Returns a descriptor or a negative errno. */
static int load_empty(enum bpf_prog_type type, u32 attach_type, u32 btf_id)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)attach_type,
		    .attach_btf_id = btf_id);
	int fd = bpf_prog_load(type, "cprof_probe", "GPL", insns, ARRAY_LEN(insns), &opts);

	return fd < 0 ? -errno : fd;
}

static bool tp_btf_loads(void)
{
	int id = libbpf_find_vmlinux_btf_id("sched_switch", BPF_TRACE_RAW_TP), fd;

	if (id <= 0)
		return false;
	fd = load_empty(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, (u32)id);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * A link to "/", which is not a regular file, fails with EBADF in kernels that know this kind of
 * link and with EINVAL in those that do not.
 */
static bool knows_link(u32 attach_type)
{
	static const unsigned long offset = 0;
	struct uprobe_link_create attr = {
		.attach_type = attach_type,
		.path = (u64)(uintptr_t) "/",
		.offsets = (u64)(uintptr_t)&offset,
		.cnt = 1,
	};
	int prog = load_empty(BPF_PROG_TYPE_KPROBE, attach_type, 0), link, error;

	if (prog < 0)
		return false;
	attr.prog_fd = (u32)prog;
	link = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	error = errno;
	if (link >= 0)
		close(link);
	close(prog);
	return link >= 0 || error == EBADF;
}

void features_probe_uprobes(struct features *f)
{
	probe_kernel(f);
	f->uprobe_multi = knows_link(UPROBE_ATTACH_MULTI);
	f->uprobe_session = knows_link(UPROBE_ATTACH_SESSION);
}

static void probe_bpf(struct features *f)
{
	int fd = load_empty(BPF_PROG_TYPE_PERF_EVENT, 0, 0);

	f->btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	f->bpf_load = fd < 0 ? fd : 0;
	if (fd < 0)
		return;
	close(fd);
	f->tp_btf = f->btf && tp_btf_loads();
	features_probe_uprobes(f);
}

/* libbpf explains failed probes on stderr, where it must not write here. */
static void probe_bpf_quietly(struct features *f)
{
	const struct log *before = libbpf_log_begin(NULL);

	probe_bpf(f);
	libbpf_log_end(before);
}

static void probe_perf(struct features *f)
{
	f->perf_event_paranoid = read_int("/proc/sys/kernel/perf_event_paranoid", INT_MAX);
	f->perf_max_sample_rate = (u32)read_int("/proc/sys/kernel/perf_event_max_sample_rate", 0);
	f->uprobe_pmu = access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;
	for (size_t i = 0; i < FEATURES_EVENTS_MAX && event_table[i].name; i++)
		f->events[i] = event_available(&event_table[i]);
}

/*
 * Hidden addresses are all 0. So are those of the per-CPU symbols that the file begins with before
 * kernel 6.15, so the first function decides.
 */
static bool kallsyms_readable(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long address = 0;
	char line[512], type = 0;

	if (!f)
		return false;
	while (type != 'T' && type != 't' && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx %c", &address, &type) != 2)
			break;
	}
	fclose(f);
	return address && (type == 'T' || type == 't');
}

static bool debug_files_exist(void)
{
	DIR *dir = opendir("/usr/lib/debug/.build-id");
	struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.';
	closedir(dir);
	return found;
}

static void probe_rest(struct features *f)
{
	struct rlimit limit;
	struct stat st;

	f->proc = proc_fs_check(NULL);
	f->hidepid = proc_fs_hides_processes();
	f->kptr_restrict = read_int("/proc/sys/kernel/kptr_restrict", 0);
	f->kallsyms = kallsyms_readable();
	f->debug_files = debug_files_exist();
	f->initial_pidns = !stat("/proc/self/ns/pid", &st) && st.st_ino == PID_NAMESPACE_INITIAL;
	f->memlock = UINT64_MAX;
	if (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur != RLIM_INFINITY)
		f->memlock = limit.rlim_cur;
}

void features_probe(struct features *f)
{
	memset(f, 0, sizeof(*f));
	f->euid = geteuid();
	f->caps = effective_caps();
	probe_kernel(f);
	probe_bpf_quietly(f);
	probe_perf(f);
	probe_rest(f);
	f->cpu_perf = !f->events[0] && !f->proc;
	f->cpu_bpf = f->cpu_perf && !f->bpf_load && f->tp_btf;
}

/* ---- explanations ---------------------------------------------------------------------------- */

struct lister {
	const struct features *f;
	struct feature *out;
	size_t n;
};

static struct feature *add(struct lister *l, const char *name, bool ok, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static struct feature *add(struct lister *l, const char *name, bool ok, const char *fmt, ...)
{
	struct feature *out = &l->out[l->n++];
	va_list ap;

	*out = (struct feature){.name = name, .state = ok ? FEATURE_OK : FEATURE_MISSING};
	va_start(ap, fmt);
	text_vprint(out->detail, sizeof(out->detail), fmt, ap);
	va_end(ap);
	return out;
}

static void explain(struct feature *x, enum feature_state state, const char *meaning,
		    const char *remedy)
{
	if (x->state == FEATURE_OK)
		return;
	x->state = state;
	x->meaning = meaning;
	x->remedy = remedy;
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static bool is_privileged(const struct features *f)
{
	return features_has_cap(f, CAP_SYS_ADMIN) ||
	       (features_has_cap(f, CAP_PERFMON) && features_has_cap(f, CAP_BPF));
}

static void list_proc(struct lister *l)
{
	const struct features *f = l->f;
	struct feature *x = add(l, "/proc", !f->proc && !f->hidepid, "%s",
				f->proc == -ENOENT ? "is not mounted"
				: f->proc          ? "is that of another PID namespace"
				: f->hidepid       ? "is mounted with hidepid"
						   : "shows all processes");

	if (f->proc)
		explain(x, FEATURE_MISSING,
			"nothing can be profiled, because /proc describes the processes",
			"mount -t proc proc /proc");
	else
		explain(x, FEATURE_LIMITED, "other users' processes are not visible", NULL);
}

static void list_kernel(struct lister *l)
{
	const struct features *f = l->f;
	u32 version = f->kernel_major * 1000 + f->kernel_minor;

	explain(add(l, "kernel", version >= 5015, "%s", f->release), FEATURE_MISSING,
		"cprof is made for 5.15 and later", NULL);
	explain(add(l, "privileges", is_privileged(f), "%s",
		    is_privileged(f) ? "may trace the whole machine" : "an ordinary user"),
		FEATURE_LIMITED, "only your own processes, by perf events, without kernel frames",
		"sudo cprof cpu ...");
	list_proc(l);
	if (f->proc)
		return; /* it would have to be read from /proc */
	explain(add(l, "PID namespace", f->initial_pidns, "%s",
		    f->initial_pidns ? "the machine's own" : "a container's"),
		FEATURE_LIMITED,
		"other containers' processes are not visible; run cprof on the host", NULL);
}

static void list_bpf(struct lister *l)
{
	const struct features *f = l->f;
	const char *as_root = is_privileged(f) ? NULL : "sudo cprof cpu ...";

	explain(add(l, "BPF", !f->bpf_load, "%s",
		    f->bpf_load ? error_reason(f->bpf_load) : "programs load"),
		FEATURE_MISSING, "stacks are copied to user space and unwound there (--mode perf)",
		as_root);
	explain(add(l, "BTF", f->btf, "%s",
		    f->btf ? "/sys/kernel/btf/vmlinux" : "no /sys/kernel/btf/vmlinux"),
		FEATURE_MISSING, "--mode bpf needs a kernel built with CONFIG_DEBUG_INFO_BTF",
		NULL);
	if (f->bpf_load)
		return;
	explain(add(l, "BPF tracepoints", f->tp_btf, "tp_btf/sched_switch: %s", yes_no(f->tp_btf)),
		FEATURE_MISSING, "--mode bpf cannot follow new processes and libraries", NULL);
}

static void list_uprobes(struct lister *l)
{
	const struct features *f = l->f;

	explain(add(l, "uprobes", f->uprobe_pmu, "perf PMU: %s", yes_no(f->uprobe_pmu)),
		FEATURE_MISSING, "cprof cpu does not need them", NULL);
	if (f->bpf_load)
		return;
	explain(add(l, "uprobe links", f->uprobe_multi && f->uprobe_session,
		    "multi: %s, session: %s", yes_no(f->uprobe_multi), yes_no(f->uprobe_session)),
		FEATURE_LIMITED, "from kernel 6.6 and 6.13 on; cprof cpu does not need them", NULL);
}

static void list_paranoid(struct lister *l)
{
	const struct features *f = l->f;
	int level = f->perf_event_paranoid;
	struct feature *x;

	if (f->proc)
		return; /* the setting is below /proc */
	if (level == INT_MAX) {
		explain(add(l, "perf events", false, "the kernel has none"), FEATURE_MISSING,
			"nothing can be sampled: CONFIG_PERF_EVENTS is needed", NULL);
		return;
	}
	x = add(l, "perf_event_paranoid", is_privileged(f) || level <= 0, "%d%s", level,
		is_privileged(f) ? " (does not bind you)" : "");
	explain(x, level > 2 ? FEATURE_MISSING : FEATURE_LIMITED,
		level > 2    ? "no perf events for ordinary users"
		: level == 2 ? "your own processes only, without kernel frames"
			     : "your own processes only",
		"sysctl kernel.perf_event_paranoid=1");
}

static void list_events(struct lister *l)
{
	char have[200], lack[120] = "";
	size_t used = 0, missing = 0;
	struct feature *x;
	bool none;

	event_names(have, sizeof(have), true);
	for (size_t i = 0; i < FEATURES_EVENTS_MAX && event_table[i].name; i++) {
		if (!l->f->events[i] || used >= sizeof(lack))
			continue;
		used += (size_t)snprintf(lack + used, sizeof(lack) - used, "%s%s",
					 missing++ ? ", " : "", event_table[i].name);
	}
	x = add(l, "events", !missing, "%s", *have ? have : "none");
	if (missing)
		snprintf(x->detail, sizeof(x->detail), "%.100s; not %.80s", have, lack);
	none = l->f->events[0];
	explain(x, none ? FEATURE_MISSING : FEATURE_LIMITED,
		none ? "nothing can be sampled: this user or container may not"
		     : "virtual machines often have no hardware counters; cpu-clock works "
		       "everywhere",
		NULL);
	if (l->f->perf_max_sample_rate)
		add(l, "sampling rate", true, "up to %u Hz (kernel.perf_event_max_sample_rate)",
		    l->f->perf_max_sample_rate);
}

/* Either of two settings may hide them (kernel/ksyms_common.c kallsyms_show_value()). */
static const char *kallsyms_remedy(const struct features *f)
{
	if (f->kptr_restrict > 0)
		return "sysctl kernel.kptr_restrict=0";
	return f->perf_event_paranoid > 1 ? "sysctl kernel.perf_event_paranoid=1" : NULL;
}

static void list_names(struct lister *l)
{
	const struct features *f = l->f;

	if (!f->proc)
		explain(add(l, "kernel names", f->kallsyms, "/proc/kallsyms: %s, kptr_restrict %d",
			    f->kallsyms ? "addresses are shown" : "addresses are hidden",
			    f->kptr_restrict),
			FEATURE_LIMITED, "kernel frames have no names", kallsyms_remedy(f));
	explain(add(l, "debug files", f->debug_files, "%s",
		    f->debug_files ? "/usr/lib/debug" : "none below /usr/lib/debug"),
		FEATURE_LIMITED, "system libraries show exported functions only, without lines",
		"apt-get install libc6-dbg");
}

static void list_memlock(struct lister *l)
{
	const struct features *f = l->f;
	bool counts = f->kernel_major < 5 || (f->kernel_major == 5 && f->kernel_minor < 11);
	bool privileged = features_has_cap(f, CAP_IPC_LOCK) ||
			  features_has_cap(f, CAP_SYS_RESOURCE);
	bool enough = f->memlock == UINT64_MAX || privileged || (!counts && f->memlock >= 65536);
	char limit[32] = "unlimited";

	if (f->memlock != UINT64_MAX)
		snprintf(limit, sizeof(limit), "%llu KiB", (unsigned long long)f->memlock / 1024);
	explain(add(l, "locked memory", enough, "%s", limit), FEATURE_LIMITED,
		"sample buffers are small: samples may be lost at high rates", NULL);
}

size_t features_list(const struct features *f, struct feature out[FEATURES_LIST_MAX])
{
	struct lister l = {.f = f, .out = out};

	list_kernel(&l);
	list_bpf(&l);
	list_paranoid(&l);
	list_events(&l);
	list_uprobes(&l);
	list_names(&l);
	list_memlock(&l);
	return l.n;
}
