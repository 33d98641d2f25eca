/* SPDX-License-Identifier: Apache-2.0 */
/* Probes that cprof never leaves behind, however it ends: see uprobe_pins.h. */
#include "collect/probe/uprobe_pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "collect/probe/breakpoints.h"
#include "collect/session/module_store.h"
#include "collect/session/probed_processes.h"
#include "target/mapped_file.h"
#include "target/process.h"

#define KTHREADD 2
#define LEAVING_MAX 65536
#define WAIT_MS 2000 /* far more than it takes */
#define WAIT_STEP_NS 1000000
#define GONE_MS 200 /* for the breakpoints of links that have been removed */

/* A place where probes are or were. */
struct guarded {
	struct guarded_key {
		u64 dev, inode, offset;
	} key;
	bool held; /* it has a guard now */
	bool gone; /* no process has its file any more */
	UT_hash_handle hh;
};

struct uprobe_pins {
	bool multi;
	const struct log *log;
	struct probed_processes *probed; /* of all recordings; NULL if there are no others */
	int mount; /* of the BPF file system; -1 if there is none */
	int program; /* of guards; -1 if there are none */
	pid_t guard_task; /* a task without memory */
	bool child; /* it is our own child, and has ended */
	u32 next;
	bool unpinned; /* some probes are not pinned, so guards stay */
	uprobe_links guards;
	VEC(u32) leaving; /* ids of links that were detached */
	struct guarded *guarded;
};

/* ---- the file system ---- */

static int mount_bpf(void)
{
	int context = (int)syscall(SYS_fsopen, "bpf", FSOPEN_CLOEXEC), fd = -1;

	if (context < 0)
		return -errno;
	if (!syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	close(context);
	return fd;
}

static u32 link_id(int fd)
{
	struct bpf_link_info info = {0};
	u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static struct uprobe_link pin(struct uprobe_pins *p, int fd)
{
	struct uprobe_link link = {.fd = fd, .id = link_id(fd)};
	char path[64];

	if (p->mount < 0)
		return link;
	/* BPF_OBJ_PIN accepts a directory's descriptor only since 6.5. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%u", p->mount, p->next);
	if (bpf_obj_pin(fd, path))
		return link; /* a descriptor that is kept works as well */
	close(fd);
	return (struct uprobe_link){.fd = -1, .pin = p->next++, .id = link.id};
}

static void unpin(struct uprobe_pins *p, u32 number)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", number);
	unlinkat(p->mount, name, 0);
}

static int attach(struct uprobe_pins *p, int prog_fd, enum uprobe_type type, bool links, bool pins,
		  const char *path, pid_t tgid, const struct uprobe_place *places, u32 n,
		  uprobe_links *out)
{
	uprobe_fds fds = {0};
	/* nothing is attached that could not be recorded */
	int err = vec_reserve(out, out->len + n);

	if (err)
		return err;
	err = uprobe_attach(prog_fd, type, links, path, tgid, places, n, &fds);
	vec_for_each(&fds, fd)
		out->data[out->len++] = pins ? pin(p, *fd) : (struct uprobe_link){.fd = *fd};
	vec_release(&fds);
	return err;
}

/* ---- guards ---- */

/* This is number 2 of the first PID namespace; in others it may be any process. */
static bool has_kthreadd(void)
{
	struct process_info info;

	return !process_read(KTHREADD, &info) && info.kernel_thread;
}

/* A child that has ended keeps its number until it is waited for. */
static pid_t ended_child(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT))
		return -1;
	return pid;
}

static int load_guard(const struct uprobe_pins *p)
{
	const struct bpf_insn return_0[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = p->multi ? (enum bpf_attach_type)UPROBE_ATTACH_MULTI
						     : 0);
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "cprof_guard", "GPL", return_0,
			       ARRAY_LEN(return_0), &opts);

	return fd < 0 ? -errno : fd;
}

static void begin(struct uprobe_pins *p)
{
	p->mount = mount_bpf();
	p->program = load_guard(p);
	if (has_kthreadd()) {
		p->guard_task = KTHREADD;
	} else if (p->multi) { /* perf events refuse a task that has ended */
		p->guard_task = ended_child();
		p->child = p->guard_task > 0;
	}
	if (p->mount < 0)
		log_info(p->log, "cannot pin probes: %s", error_reason(p->mount));
	if (p->program < 0 || p->guard_task <= 0)
		log_info(p->log, "cannot guard probes: %s",
			 error_reason(p->program < 0 ? p->program : -ESRCH));
}

static struct guarded *place_of(struct uprobe_pins *p, const struct guarded_key *key)
{
	struct guarded *g;

	HASH_FIND(hh, p->guarded, key, sizeof(*key), g);
	if (g) {
		g->gone = false;
		return g;
	}
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->key = *key;
	HASH_ADD(hh, p->guarded, key, sizeof(g->key), g);
	if (HASH_ADDED(g))
		return g;
	free(g);
	return NULL;
}

/* The kernel accepts either all places of a link or none. */
static void attach_guards(struct uprobe_pins *p, const char *path,
			  const struct uprobe_place *places, u32 n, uprobe_links *guards)
{
	int err = attach(p, p->program, UPROBE_ENTRY, p->multi, true, path, p->guard_task, places,
			 n, guards);

	for (u32 i = 0; err && n > 1 && i < n; i++)
		attach_guards(p, path, &places[i], 1, guards);
	if (err && n == 1)
		log_info(p->log, "no guard at %s+%#llx: %s", path,
			 (unsigned long long)places->offset, error_reason(err));
}

/* What the kernel has cached of a file suffices, and the file system may be one that does not
 * answer. */
static int inode_of(const char *path, struct guarded_key *key)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st))
		return -errno;
	key->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	key->inode = st.stx_ino;
	return 0;
}

static void guard(struct uprobe_pins *p, const char *path, const struct uprobe_place *places, u32 n)
{
	VEC(struct uprobe_place) fresh = {0};
	struct guarded_key key = {0};

	if (p->program < 0 || p->guard_task <= 0 || inode_of(path, &key))
		return;
	for (u32 i = 0; i < n; i++) {
		struct guarded *g;

		key.offset = places[i].offset;
		g = place_of(p, &key);
		if (g && !g->held)
			g->held = !vec_push(&fresh, places[i]);
	}
	if (fresh.len)
		attach_guards(p, path, fresh.data, (u32)fresh.len, &p->guards);
	vec_release(&fresh);
}

/* ---- attaching ---- */

int uprobe_pins_attach(struct uprobe_pins *p, int prog_fd, enum uprobe_type type, bool links,
		       const char *path, pid_t tgid, const struct uprobe_place *places, u32 n,
		       uprobe_links *out)
{
	size_t before = out->len;
	int err;

	guard(p, path, places, n);
	err = attach(p, prog_fd, type, links, links, path, tgid, places, n, out);
	for (size_t i = before; i < out->len; i++)
		p->unpinned |= out->data[i].fd >= 0;
	return err;
}

void uprobe_pins_sweep(struct uprobe_pins *p, const char *path, const struct uprobe_place *places,
		       u32 n)
{
	uprobe_links guards = {0};

	if (p->program < 0 || p->guard_task <= 0)
		return;
	attach_guards(p, path, places, n, &guards);
	uprobe_pins_detach(p, &guards);
}

static void drop_gone(struct uprobe_pins *p)
{
	struct guarded *g, *next;

	HASH_ITER(hh, p->guarded, g, next) {
		if (g->gone && !g->held) {
			HASH_DEL(p->guarded, g);
			free(g);
		}
	}
}

void uprobe_pins_rest(struct uprobe_pins *p)
{
	if (p->unpinned)
		return;
	uprobe_pins_detach(p, &p->guards);
	for (struct guarded *g = p->guarded; g; g = g->hh.next)
		g->held = false;
	drop_gone(p);
}

void uprobe_pins_forget(struct uprobe_pins *p, u64 inode)
{
	for (struct guarded *g = p->guarded; g; g = g->hh.next)
		g->gone |= g->key.inode == inode;
	drop_gone(p);
}

static void leave(struct uprobe_pins *p, const struct uprobe_link *link)
{
	unpin(p, link->pin);
	if (p->leaving.len >= LEAVING_MAX)
		p->leaving.len = 0; /* most of them have disappeared long ago */
	if (link->id && vec_push(&p->leaving, link->id))
		p->leaving.len = 0; /* nothing waits for it */
}

void uprobe_pins_detach(struct uprobe_pins *p, uprobe_links *links)
{
	uprobe_fds fds = {0};

	vec_for_each(links, link) {
		if (link->fd < 0)
			leave(p, link);
		else if (vec_push(&fds, link->fd))
			close(link->fd);
	}
	uprobe_detach(&fds);
	vec_release(links);
}

/* ---- other recordings ---- */

bool uprobe_pins_begin_process(struct uprobe_pins *p, pid_t tgid)
{
	return p->probed && probed_processes_add(p->probed, tgid);
}

void uprobe_pins_end_process(struct uprobe_pins *p, pid_t tgid)
{
	probed_processes_remove(p->probed, tgid);
}

bool uprobe_pins_others_probe(const struct uprobe_pins *p, pid_t tgid)
{
	return p->probed && probed_processes_count(p->probed, tgid);
}

/* ---- the end ---- */

/* Adds the places of probes in one of its mappings. */
static int add_places(const struct uprobe_pins *p, const struct map_entry *e, struct breakpoints *b)
{
	int err = 0;

	for (const struct guarded *g = p->guarded; g && !err; g = g->hh.next) {
		u64 at = g->key.offset - e->offset;

		if (g->key.inode == e->inode && g->key.offset >= e->offset &&
		    at < e->end - e->start)
			err = vec_push(&b->addresses, e->start + at);
	}
	return err;
}

/* Requesting the link itself would keep it. */
static bool is_there(u32 id)
{
	u32 next;

	return !bpf_link_get_next_id(id - 1, &next) && next == id;
}

/* A link loses its number just before its breakpoints are removed. */
static void wait_for_links(struct uprobe_pins *p, u64 deadline)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_NS};

	while (p->leaving.len) {
		if (!is_there(p->leaving.data[p->leaving.len - 1]))
			p->leaving.len--;
		else if (breakpoints_deadline(0) >= deadline || nanosleep(&step, NULL))
			break;
	}
}

static void sweep_mapping(struct uprobe_pins *p, pid_t tgid, const struct map_entry *e)
{
	VEC(struct uprobe_place) places = {0};
	char path[MAPPED_FILE_PATH_SIZE];

	for (const struct guarded *g = p->guarded; g; g = g->hh.next) {
		if (g->key.inode == e->inode &&
		    vec_push(&places, (struct uprobe_place){.offset = g->key.offset}))
			break;
	}
	mapped_file_path(tgid, e, path);
	if (places.len)
		uprobe_pins_sweep(p, path, places.data, (u32)places.len);
	vec_release(&places);
}

static u32 wait_for_code(struct uprobe_pins *p, pid_t tgid, const map_vec *maps,
			 struct breakpoints *b)
{
	u32 left = breakpoints_wait_gone(b, breakpoints_deadline(GONE_MS));

	vec_for_each(maps, e) {
		if (left && e->executable && e->inode)
			sweep_mapping(p, tgid, e);
	}
	return left ? breakpoints_wait_gone(b, breakpoints_deadline(GONE_MS)) : 0;
}

static void wait_for_process(struct uprobe_pins *p, pid_t tgid)
{
	struct breakpoints b = {.memory = -1};
	map_vec maps = {0};
	u32 left = 0;
	int err = maps_read(tgid, &maps);

	if (!err)
		err = breakpoints_open(&b, tgid, &maps);
	vec_for_each(&maps, e) {
		if (!err && e->executable && e->inode)
			err = add_places(p, e, &b);
	}
	if (!err) /* otherwise it has most likely ended */
		left = wait_for_code(p, tgid, &maps, &b);
	if (left)
		log_info(p->log, "PID %d: %u breakpoints in its code are another program's",
			 (int)tgid, left);
	breakpoints_release(&b);
	maps_release(&maps);
}

void uprobe_pins_wait_gone(struct uprobe_pins *p, const pid_t *tgids, size_t n)
{
	u64 deadline = breakpoints_deadline(WAIT_MS);

	wait_for_links(p, deadline);
	for (size_t i = 0; i < n && breakpoints_deadline(0) < deadline; i++) {
		if (!uprobe_pins_others_probe(p, tgids[i]))
			wait_for_process(p, tgids[i]);
	}
}

/* ---- creation and end ---- */

int uprobe_pins_new(bool multi, const struct collect_options *opt, struct uprobe_pins **out)
{
	struct uprobe_pins *p = calloc(1, sizeof(*p));

	*out = p;
	if (!p)
		return -ENOMEM;
	p->multi = multi;
	p->log = opt->log;
	p->probed = module_store_probed(opt->store);
	begin(p);
	return 0;
}

void uprobe_pins_free(struct uprobe_pins *p)
{
	struct guarded *g, *next;

	if (!p)
		return;
	HASH_ITER(hh, p->guarded, g, next) {
		HASH_DEL(p->guarded, g);
		free(g);
	}
	uprobe_pins_detach(p, &p->guards);
	vec_release(&p->leaving);
	if (p->program >= 0)
		close(p->program);
	if (p->mount >= 0)
		close(p->mount);
	if (p->child)
		waitpid(p->guard_task, NULL, 0);
	free(p);
}
