/* SPDX-License-Identifier: Apache-2.0 */
/* Runs module_names_resolve() in a fork: see names_process.h. */
#include "symbol/names_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "symbol/names_wire.h"

#define NSEC_PER_SEC 1000000000ull
#define LOOK_MS 20 /* how often the caller is asked whether to stop */
/* A process that is busy with cprof's own code ends by itself, with the results so far, within a
 * part of this time. */
#define GRACE_NS 300000000ull

struct names_process {
	pid_t pid; /* 0 if there is none */
	int sock;
	struct names_cost cost;
	struct names_reader reader;
	struct names_writer writer; /* of the forked process */
};

static u64 now_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

/* ---- the process ----------------------------------------------------------------------------- */

/* only in the forked process: it must end with the results so far */
static volatile sig_atomic_t hurry;

static void on_hurry(int signo)
{
	hurry = 1;
}

static void on_crash(int signo)
{
	_exit(1); /* without a core file */
}

static void set_signals(void)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < ARRAY_LEN(crashes); i++)
		signal(crashes[i], on_crash);
	/* These signals go to the whole terminal, and cprof itself handles them. */
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGUSR1, on_hurry);
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

static int serve_request(struct names_writer *w, const struct names_request *q, const u64 *vaddrs)
{
	const struct budget_watch watch = {
		.stop = in_a_hurry, .cpu_ns = q->cpu_ns, .time_ns = q->time_ns};
	struct budget *budget = elf_file_budget(q->module->elf);
	struct module_names_info info;
	struct names_finish finish = {0};

	if (q->module->root.readers)
		readers_forked(q->module->root.readers);
	budget_watch(budget, &watch);
	finish.err = (q->symbols_only ? module_names_from_symbols : module_names_resolve)(
		q->module, vaddrs, q->n, write_answer, w, &info);
	finish.has_dwarf = info.has_dwarf;
	finish.budget = *budget;
	if (q->module->root.readers)
		readers_unanswered(q->module->root.readers, &finish.unanswered);
	return names_write_finish(w, &finish);
}

static int serve_next(struct names_writer *w)
{
	struct names_request q;
	u64 *vaddrs;
	int err = read_all(w->fd, &q, sizeof(q));

	if (err)
		return err;
	vaddrs = calloc(q.n + 1, sizeof(*vaddrs));
	err = vaddrs ? read_all(w->fd, vaddrs, q.n * sizeof(*vaddrs)) : -ENOMEM;
	if (!err)
		err = serve_request(w, &q, vaddrs);
	free(vaddrs);
	return err;
}

/* Output of a library that gives up, and what is left in cprof's buffers, must not be printed by
 * the fork. */
static void silence(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

static void serve(struct names_writer *w, int sock)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_signals();
	silence();
	*w = (struct names_writer){.fd = sock};
	while (!serve_next(w))
		;
	_exit(0);
}

/* ---- cprof ----------------------------------------------------------------------------------- */

static int start(struct names_process *np)
{
	int pair[2];

	if (np->pid)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	np->pid = fork();
	if (!np->pid) {
		close(pair[0]);
		serve(&np->writer, pair[1]);
	}
	close(pair[1]);
	np->sock = pair[0];
	if (np->pid > 0)
		return 0;
	np->pid = 0;
	close(pair[0]);
	return -EAGAIN;
}

static u64 timeval_ns(struct timeval t)
{
	return (u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_usec * 1000;
}

static void end(struct names_process *np, bool at_once)
{
	struct rusage u = {.ru_maxrss = 0};

	if (!np->pid)
		return;
	if (at_once)
		kill(np->pid, SIGKILL);
	close(np->sock);
	while (wait4(np->pid, NULL, 0, &u) < 0 && errno == EINTR)
		;
	np->cost.cpu_ns += timeval_ns(u.ru_utime) + timeval_ns(u.ru_stime);
	if ((u64)u.ru_maxrss > np->cost.memory_kb)
		np->cost.memory_kb = (u64)u.ru_maxrss;
	np->pid = 0;
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
	u64 now = now_ns(CLOCK_MONOTONIC);

	if (!e->stopping && e->watch->stop && e->watch->stop(e->watch->arg)) {
		e->stopping = true;
		e->end_ns = now + GRACE_NS;
		kill(e->np->pid, SIGUSR1);
	}
	return now >= e->end_ns || (e->watch->cpu_ns && now_ns(e->cpu) > e->cpu_end_ns);
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
		struct pollfd p = {.fd = e->np->sock, .events = POLLIN};
		ssize_t got;

		if (is_over(e))
			return -ETIMEDOUT;
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		got = names_read(&e->np->reader, e->np->sock);
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
	int err = send_all(e->np->sock, &q, sizeof(q));

	return err ? err : send_all(e->np->sock, vaddrs, e->n * sizeof(*vaddrs));
}

static void set_ends(struct errand *e)
{
	e->end_ns = UINT64_MAX;
	if (e->watch->time_ns)
		e->end_ns = now_ns(CLOCK_MONOTONIC) + e->watch->time_ns + GRACE_NS;
	clock_getcpuclockid(e->np->pid, &e->cpu);
	e->cpu_end_ns = now_ns(e->cpu) + e->watch->cpu_ns + GRACE_NS;
}

/* If the process did not end by itself, it is unknown what it requested from the module's root. */
static int run(struct errand *e, const u64 *vaddrs, bool symbols_only)
{
	int err = 0, done;

	set_ends(e);
	done = send_request(e, vaddrs, symbols_only);
	done = done ? -EIO : wait_for(e, &err);
	if (done == 1)
		return err;
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

struct names_cost names_process_end(struct names_process *np)
{
	end(np, false);
	return np->cost;
}

void names_process_free(struct names_process *np)
{
	if (!np)
		return;
	end(np, false);
	names_reader_release(&np->reader);
	free(np);
}
