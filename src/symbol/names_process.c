/* SPDX-License-Identifier: Apache-2.0 */
/* Runs module_names_resolve() in a fork: see names_process.h. */
#include "symbol/names_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/helper_process.h"
#include "symbol/names_wire.h"

#define LOOK_MS 20 /* how often the caller is asked whether to stop */
/* A process that is busy with cprof's own code ends by itself, with the results so far, within a
 * part of this time. */
#define GRACE_NS 300000000ull

/*
 * What was read of a file stays in the process, because its next request may be about the same
 * file. Many files could therefore fill the memory, so a process that has grown is replaced by a
 * new one.
 */
#define GROWN_MAX_KB (128u << 10)

struct names_process {
	struct helper_process process;
	struct names_reader reader;
	bool grown; /* too large for a further request */
	/* of the forked process: */
	struct names_writer writer;
	u64 start_kb;
};

/* ---- the process ----------------------------------------------------------------------------- */

/* only in the forked process: it must end with the results so far */
static volatile sig_atomic_t hurry;

static void on_hurry(int signo)
{
	hurry = 1;
}

static bool in_a_hurry(void *arg)
{
	return hurry;
}

static int write_answer(void *arg, size_t which, enum name_source source,
			const struct dwarf_frame *frames, u32 n)
{
	return names_write_answer(arg, which, source, frames, n);
}

static int read_all(int fd, void *out, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (u8 *)out + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		done += (size_t)n;
	}
	return 0;
}

static u64 memory_kb(void)
{
	struct rusage u = {.ru_maxrss = 0};

	getrusage(RUSAGE_SELF, &u);
	return (u64)u.ru_maxrss;
}

static int serve_request(struct names_process *np, const struct names_request *q, const u64 *vaddrs)
{
	const struct budget_watch watch = {
		.stop = in_a_hurry, .cpu_ns = q->cpu_ns, .time_ns = q->time_ns};
	struct budget *budget = elf_file_budget(q->module->elf);
	struct names_writer *w = &np->writer;
	struct module_names_info info;
	struct names_finish finish = {0};

	if (q->module->root.readers)
		readers_forked(q->module->root.readers);
	budget_watch(budget, &watch);
	finish.err = (q->symbols_only ? module_names_from_symbols : module_names_resolve)(
		q->module, vaddrs, q->n, write_answer, w, &info);
	finish.has_dwarf = info.has_dwarf;
	memcpy(finish.unread, info.unread, sizeof(finish.unread));
	finish.budget = *budget;
	finish.grown_kb = memory_kb() - np->start_kb;
	if (q->module->root.readers)
		readers_unanswered(q->module->root.readers, &finish.unanswered);
	return names_write_finish(w, &finish);
}

static int serve_next(struct names_process *np)
{
	struct names_request q;
	u64 *vaddrs;
	int fd = np->writer.fd, err = read_all(fd, &q, sizeof(q));

	if (err)
		return err;
	vaddrs = calloc(q.n + 1, sizeof(*vaddrs));
	err = vaddrs ? read_all(fd, vaddrs, q.n * sizeof(*vaddrs)) : -ENOMEM;
	if (!err)
		err = serve_request(np, &q, vaddrs);
	free(vaddrs);
	return err;
}

static void serve(void *arg, int sock)
{
	struct names_process *np = arg;

	signal(SIGUSR1, on_hurry);
	np->writer = (struct names_writer){.fd = sock};
	np->start_kb = memory_kb();
	while (!serve_next(np))
		;
}

/* ---- cprof ----------------------------------------------------------------------------------- */

static int start(struct names_process *np)
{
	return helper_process_start(&np->process, HELPER_KEEPS_FILES, serve, np);
}

static void end(struct names_process *np, bool at_once)
{
	helper_process_end(&np->process, at_once);
	np->grown = false;
	np->reader.bytes.len = np->reader.at = 0;
}

static int send_all(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const u8 *)data + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

/* Describes one request and its time limit. */
struct errand {
	struct names_process *np;
	struct module *module;
	const struct budget_watch *watch;
	const size_t *which; /* positions in the caller's addresses; NULL if they are the same */
	size_t n;
	bool *answered; /* indexed by the caller's positions */
	module_name_fn found;
	void *arg;
	struct module_names_info *info;
	clockid_t cpu;
	u64 end_ns, cpu_end_ns;
	bool stopping;
};

static bool is_over(struct errand *e)
{
	u64 now = monotonic_ns();

	if (!e->stopping && e->watch->stop && e->watch->stop(e->watch->arg)) {
		e->stopping = true;
		e->end_ns = now + GRACE_NS;
		kill(e->np->process.pid, SIGUSR1);
	}
	return now >= e->end_ns || (e->watch->cpu_ns && clock_ns(e->cpu) > e->cpu_end_ns);
}

static int take_answer(struct errand *e, const struct names_answer *a)
{
	size_t which;

	if (a->which >= e->n)
		return -EBADMSG;
	which = e->which ? e->which[a->which] : a->which;
	if (e->answered[which])
		return 0;
	e->answered[which] = true;
	return e->found(e->arg, which, a->source, a->frames, a->n);
}

static int take_finish(const struct errand *e, struct names_finish *f)
{
	for (size_t i = 0; i < ARRAY_LEN(f->unanswered.paths); i++)
		f->unanswered.paths[i][READERS_PATH_MAX - 1] = '\0';
	budget_learn(elf_file_budget(e->module->elf), &f->budget);
	if (e->module->root.readers)
		readers_learn(e->module->root.readers, &f->unanswered);
	e->info->has_dwarf |= f->has_dwarf;
	f->unread[sizeof(f->unread) - 1] = '\0';
	memcpy(e->info->unread, f->unread, sizeof(f->unread));
	e->np->grown = f->grown_kb > GROWN_MAX_KB;
	return f->err > 0 ? -EBADMSG : f->err;
}

/* Handles all messages that have arrived. Returns 1 if the request is done, with its result in
 * *err, or a negative errno. */
static int take_messages(struct errand *e, int *err)
{
	struct names_answer answer;
	struct names_finish finish;
	int kind;

	while ((kind = names_next(&e->np->reader, &answer, &finish)) == NAMES_ANSWER) {
		int code = take_answer(e, &answer);

		if (code)
			return code;
	}
	if (kind == NAMES_FINISH)
		*err = take_finish(e, &finish);
	return kind == NAMES_FINISH ? 1 : kind;
}

/* Waits until the request is done and returns 1; -ETIMEDOUT; -EIO if the process is gone; or the
 * error of a bad answer. */
static int wait_for(struct errand *e, int *err)
{
	int done = 0;

	while (!done) {
		struct pollfd p = {.fd = e->np->process.sock, .events = POLLIN};
		ssize_t got;

		if (is_over(e))
			return -ETIMEDOUT;
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		got = names_read(&e->np->reader, e->np->process.sock);
		if (got <= 0)
			return got == -ENOMEM ? -ENOMEM : -EIO;
		done = take_messages(e, err);
	}
	return done == -EBADMSG ? -EIO : done;
}

static int send_request(struct errand *e, const u64 *vaddrs, bool symbols_only)
{
	const struct names_request q = {.module = e->module,
					.n = e->n,
					.cpu_ns = e->watch->cpu_ns,
					.time_ns = e->watch->time_ns,
					.symbols_only = symbols_only};
	int err = send_all(e->np->process.sock, &q, sizeof(q));

	return err ? err : send_all(e->np->process.sock, vaddrs, e->n * sizeof(*vaddrs));
}

static void set_ends(struct errand *e)
{
	e->end_ns = UINT64_MAX;
	if (e->watch->time_ns)
		e->end_ns = monotonic_ns() + e->watch->time_ns + GRACE_NS;
	clock_getcpuclockid(e->np->process.pid, &e->cpu);
	e->cpu_end_ns = clock_ns(e->cpu) + e->watch->cpu_ns + GRACE_NS;
}

/* If the process did not end by itself, it is unknown what it requested from the module's root. */
static int run(struct errand *e, const u64 *vaddrs, bool symbols_only)
{
	int err = 0, done;

	set_ends(e);
	done = send_request(e, vaddrs, symbols_only);
	done = done ? -EIO : wait_for(e, &err);
	if (done == 1) {
		if (e->np->grown)
			end(e->np, true);
		return err;
	}
	end(e->np, true);
	if (e->module->root.readers)
		readers_renew(e->module->root.readers);
	return done;
}

/* Names the addresses without an answer from symbol tables, which cprof reads itself. */
static int run_again(struct errand *e, const u64 *vaddrs, size_t n)
{
	size_t *which = calloc(n + 1, sizeof(*which));
	u64 *rest = calloc(n + 1, sizeof(*rest));
	int err = which && rest ? start(e->np) : -ENOMEM;

	e->n = 0;
	for (size_t i = 0; i < n && !err; i++) {
		if (e->answered[i])
			continue;
		which[e->n] = i;
		rest[e->n++] = vaddrs[i];
	}
	e->which = which;
	if (!err && e->n)
		err = run(e, rest, true);
	free(which);
	free(rest);
	return err;
}

int names_process_resolve(struct names_process *np, struct module *m, const u64 *vaddrs, size_t n,
			  const struct budget_watch *watch, module_name_fn found, void *arg,
			  struct module_names_info *info)
{
	struct errand e = {.np = np,
			   .module = m,
			   .watch = watch,
			   .n = n,
			   .found = found,
			   .arg = arg,
			   .info = info};
	int err;

	*info = (struct module_names_info){0};
	/* No further process can be started, so this process does the work. */
	if (start(np))
		return module_names_resolve(m, vaddrs, n, found, arg, info);
	e.answered = calloc(n + 1, sizeof(*e.answered));
	if (!e.answered)
		return -ENOMEM;
	err = run(&e, vaddrs, false);
	if ((err == -EIO || err == -ETIMEDOUT) && !e.stopping)
		(void)!run_again(&e, vaddrs, n);
	free(e.answered);
	return err;
}

/* ---- creation and end ------------------------------------------------------------------------ */

int names_process_new(struct names_process **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

struct helper_cost names_process_end(struct names_process *np)
{
	end(np, false);
	return np->process.cost;
}

void names_process_free(struct names_process *np)
{
	if (!np)
		return;
	end(np, false);
	names_reader_release(&np->reader);
	free(np);
}
