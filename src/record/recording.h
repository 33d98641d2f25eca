/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Provides a recording as an object: what is recorded, how, and the resulting profile. It prints
 * nothing, reads no option table and knows no exit status. Several can run at once in one process,
 * in one thread or in many.
 *
 *     recording_new()      selects the target and prepares everything that may fail or take time
 *     recording_start()    from here on time counts
 *     recording_step()     again and again, until it says that the recording is over
 *     recording_stop()
 *     recording_profile()  the profile, with names
 *
 * In between, recording_snapshot() and recording_take() return profiles of what there is so far.
 * One thread at a time uses an object. Different objects need not know of each other.
 */
#ifndef CPROF_RECORD_RECORDING_H
#define CPROF_RECORD_RECORDING_H

#include "base/readers.h"
#include "collect/kind.h"
#include "symbol/symbolize.h"
#include "target/command.h"

enum recording_target_kind {
	RECORDING_PIDS, /* text: "4711,4712" */
	RECORDING_NAME, /* text: "redis-server" */
	RECORDING_ALL, /* the whole machine */
	RECORDING_CGROUP, /* text: a path */
	/* command: ends with NULL; recording_new() starts it and recording_start() lets it run */
	RECORDING_COMMAND,
};

enum recording_mode {
	RECORDING_MODE_AUTO, /* by BPF if that is allowed, else without privileges */
	RECORDING_MODE_BPF,
	RECORDING_MODE_PERF,
};

#define RECORDING_STEP_MS 100

struct recording;

/* Strings and arrays are borrowed until recording_free(). */
struct recording_options {
	const struct profile_kind *kind;
	enum recording_target_kind target;
	const char *text;
	char **command;
	int command_stdout; /* descriptor for the command's standard output; -1 for ours */
	bool all_matches; /* RECORDING_NAME: every process that matches, instead of exactly one */
	bool children; /* processes that targets fork belong to the recording */
	enum recording_mode mode;
	bool no_inlines;
	/* It is called in each step, ten times a second at least. If it returns true, the recording
	 * ends. It may be NULL. */
	bool (*stop)(void *arg);
	/* It is called in steps, about twice a second. It may be NULL. */
	void (*progress)(void *arg, struct recording *r);
	void *arg; /* the argument of these, and of `downloading` */
	/*
	 * Returns true to stop naming the addresses of the profile. NULL if nothing stops it.
	 * Several threads may call it at once.
	 */
	bool (*stop_naming)(void *arg);
	void *stop_arg;
	/* Where debug files are downloaded from, as in DEBUGINFOD_URLS; NULL for nowhere. */
	const char *debuginfod;
	/* It is called while recording_profile() waits for downloads. It may be NULL. */
	void (*downloading)(void *arg, const char *text);
	struct module_store
		/* the files that recordings of one process share; if NULL, it has its own */
		*store;
	/* Rates, labels, the kind's own options, the log. recording_new() fills in target, command
	 * and sampler. */
	struct collect_options collect;
};

int recording_new(const struct recording_options *opt, struct recording **out,
		  struct error *error) MUST_CHECK;
/* NULL is allowed, and so is any time. If the store keeps programs, those of a recording that never
 * started are loaded for later ones. A command that has not been released is killed, and a
 * running one is left alone. */
void recording_free(struct recording *r);

int recording_start(struct recording *r, struct error *error) MUST_CHECK;
/*
 * Returns a descriptor to wait for among others. It becomes readable when it is time for
 * recording_step(r, 0), which is ten times a second at least, and when the recording's time is up.
 * It is borrowed. Returns a negative errno on failure.
 */
int recording_fd(struct recording *r) MUST_CHECK;
/*
 * Waits until something has come in, for at most `timeout_ms` and RECORDING_STEP_MS, and processes
 * it. Processing takes 50 ms at most, and longer only where stacks are merged to stay within
 * collect.max_memory. Returns 0 while the recording continues. Returns 1 when it is over: its time
 * is up, or it was stopped, or there is nobody left to record. Returns a negative errno when it
 * cannot continue; what was recorded so far is still available.
 */
int recording_step(struct recording *r, int timeout_ms) MUST_CHECK;
/* What could not be taken in is a gap in recording_stats(). */
void recording_stop(struct recording *r);
/* Does all three: it starts, steps until the recording is over, and stops. */
int recording_run(struct recording *r, struct error *error) MUST_CHECK;

/*
 * Call it between recording_start() and recording_profile(). It makes a profile of everything since
 * the start, or of what came since the last take. Whatever has not ended (a wait, a lock that is
 * held) counts up to now. Takes add up to the profile of the whole: no count is lost between two of
 * them, and none is in both. That holds for blocks that were allocated; blocks in use are those
 * that are alive at the moment. Reading takes 5 to 20 ms in the kernel, plus the time for naming
 * functions. After an error, the next take has everything. The caller owns the profile.
 */
int recording_snapshot(struct recording *r, struct profile **out, struct error *error) MUST_CHECK;
int recording_take(struct recording *r, struct profile **out, struct error *error) MUST_CHECK;
/*
 * Call it once, after recording_stop(). It reads, names and describes what was recorded, and
 * releases everything that the recording held in the kernel. If memory runs out, stacks are merged
 * and functions have no names, which is a gap. The caller owns the profile.
 */
int recording_profile(struct recording *r, struct profile **out, struct error *error) MUST_CHECK;

const struct target *recording_target(const struct recording *r);
u64 recording_elapsed_ns(const struct recording *r);
/* Returns what has been recorded so far. It reads counters of the kernel, so do not call it in
 * every step. */
void recording_stats(struct recording *r, struct collect_stats *out);
/* Call it after recording_profile(); it is what the closing summary says about this kind. */
const struct lines *recording_summary(const struct recording *r);
/* Call it after recording_profile(). */
const struct symbolize_stats *recording_names(const struct recording *r);
/* Writes what came of downloads, such as "debuginfod: libc.so.6 (5.30 MB)"; "" for none. */
void recording_downloads(const struct recording *r, char *out, size_t size);
/* Writes what is being downloaded; "" if nothing is. */
void recording_downloading(const struct recording *r, char *out, size_t size);
/* Lists files that were left out because they did not answer. */
void recording_unanswered(const struct recording *r, struct readers_unanswered *out);
/* Says why a profile has no samples: "the target used no CPU time". */
const char *recording_why_empty(struct recording *r);
/* Writes "exited with status 3"; false if there is no command, or if it is still running (its end
 * is waited for briefly). */
bool recording_command_end(struct recording *r, char *out, size_t size);

#endif
