/* SPDX-License-Identifier: Apache-2.0 */
/* Names programs by how their allocations were seen: see seen_programs.h. */
#include "collect/heap/seen_programs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/session/map_walk.h"
#include "target/pid_space.h"

#define NAMES_TEXT 512
#define LINE_TEXT 800
#define PRUNE_STEP 1024

void seen_programs_init(struct seen_programs *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

void seen_programs_release(struct seen_programs *s)
{
	struct running_program *p, *next;

	HASH_ITER(hh, s->running, p, next) {
		HASH_DEL(s->running, p);
		free(p);
	}
	pthread_mutex_destroy(&s->lock);
}

/* ---- processes ---- */

/* Nobody reports the end of a program that the sampler has seen. */
static void prune(struct seen_programs *s)
{
	struct running_program *p, *next;

	HASH_ITER(hh, s->running, p, next) {
		if (!kill(p->tgid, 0) || errno != ESRCH)
			continue;
		HASH_DEL(s->running, p);
		free(p);
		s->nrunning--;
	}
	s->prune_at = 2 * s->nrunning + PRUNE_STEP;
}

/* NULL without memory; then it is not known how late its probes came. */
static struct running_program *running_of(struct seen_programs *s, pid_t tgid)
{
	struct running_program *p;

	HASH_FIND(hh, s->running, &tgid, sizeof(tgid), p);
	if (p)
		return p;
	if (s->nrunning >= s->prune_at)
		prune(s);
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	HASH_ADD(hh, s->running, tgid, sizeof(p->tgid), p);
	if (HASH_ADDED(p)) {
		s->nrunning++;
		return p;
	}
	free(p);
	return NULL;
}

void seen_programs_expect(struct seen_programs *s, pid_t tgid)
{
	struct running_program *p;

	pthread_mutex_lock(&s->lock);
	p = running_of(s, tgid);
	if (p)
		p->expected = true;
	pthread_mutex_unlock(&s->lock);
}

void seen_programs_begin(struct seen_programs *s, pid_t tgid, u64 time, bool probed)
{
	struct running_program *p;

	pthread_mutex_lock(&s->lock);
	p = running_of(s, tgid);
	if (p) {
		p->began_ns = time;
		p->probed_ns = probed || p->expected ? time : 0;
		/* It may have been searched before the kernel's report of the exec was read. */
		if (p->placed_ns > time)
			p->probed_ns = p->placed_ns;
		p->expected = false;
	}
	pthread_mutex_unlock(&s->lock);
}

void seen_programs_place(struct seen_programs *s, pid_t tgid, u64 time)
{
	struct running_program *p;

	pthread_mutex_lock(&s->lock);
	p = running_of(s, tgid);
	if (p)
		p->placed_ns = time;
	if (p && !p->probed_ns)
		p->probed_ns = time;
	pthread_mutex_unlock(&s->lock);
}

/* ---- programs ---- */

static void add_name(struct seen_names *names, const struct seen_program *program)
{
	if (names->n < SEEN_NAMES_MAX)
		names->first[names->n] = *program;
	names->n++;
}

/* A program that has its probes in time and hits none has allocated nothing. */
static void add_program(struct seen_programs *s, bool probed, const struct seen_program *program)
{
	const struct running_program *p = running_of(s, program->tgid);
	u64 late = p && p->began_ns && p->probed_ns > p->began_ns ? p->probed_ns - p->began_ns : 0;
	bool in_time = p && p->began_ns && p->probed_ns && !late;

	if (!probed && !in_time)
		add_name(&s->unseen, program);
	if (probed)
		add_name(&s->probed, program);
	if (probed && late) {
		add_name(&s->late, program);
		s->late_ns += late;
	}
}

static void add(struct seen_programs *s, bool probed, struct proc_pid number, const char comm[16])
{
	struct seen_program program = {0};

	if (pid_from_proc(number, &program.tgid))
		program.tgid = 0;
	memcpy(program.comm, comm, sizeof(program.comm) - 1);
	pthread_mutex_lock(&s->lock);
	add_program(s, probed, &program);
	pthread_mutex_unlock(&s->lock);
}

void seen_programs_add(struct seen_programs *s, const struct new_process *program)
{
	add(s, program->probed, program->tgid, program->comm);
}

static int add_running(void *arg, const void *key, const void *value)
{
	const struct target_process *target = value;

	(void)key;
	if (target->ran && !target->sampled)
		add(arg, target->probed, target->tgid, target->comm);
	return 0;
}

int seen_programs_add_running(struct seen_programs *s, int targets_fd)
{
	return map_walk(&(struct map_walk){.fd = targets_fd,
					   .key_size = sizeof(struct global_pid),
					   .value_size = sizeof(struct target_process),
					   .entry = add_running,
					   .arg = s});
}

void seen_programs_set_sampled(struct seen_programs *s, u64 n)
{
	pthread_mutex_lock(&s->lock);
	s->sampled = n;
	pthread_mutex_unlock(&s->lock);
}

/* "leak (PID 12), sh (PID 13) and 4 more" */
static void names_text(const struct seen_names *names, char out[NAMES_TEXT])
{
	u64 shown = names->n < SEEN_NAMES_MAX ? names->n : SEEN_NAMES_MAX;
	size_t used = 0;

	out[0] = '\0';
	for (u64 i = 0; i < shown; i++)
		used += (size_t)snprintf(out + used, NAMES_TEXT - used, "%s%s (PID %d)",
					 i ? ", " : "", names->first[i].comm,
					 (int)names->first[i].tgid);
	if (names->n > shown)
		snprintf(out + used, NAMES_TEXT - used, " and %llu more",
			 (unsigned long long)(names->n - shown));
}

static void seen_text(const struct seen_programs *s, char out[LINE_TEXT])
{
	char names[NAMES_TEXT];

	out[0] = '\0';
	if (!s->probed.n && !s->unseen.n)
		return;
	names_text(&s->probed, names);
	snprintf(out, LINE_TEXT, "seen by the preloaded sampler: %llu programs; by probes: %s",
		 (unsigned long long)s->sampled, names[0] ? names : "none");
}

static void late_text(const struct seen_programs *s, char out[LINE_TEXT])
{
	char names[NAMES_TEXT];

	out[0] = '\0';
	if (!s->late.n)
		return;
	names_text(&s->late, names);
	snprintf(out, LINE_TEXT,
		 "%llu of these programs ran for %.1f ms in all before their probes were in, and "
		 "what they allocated until then was not seen: %s",
		 (unsigned long long)s->late.n, (double)s->late_ns / 1e6, names);
}

static void unseen_text(const struct seen_programs *s, char out[LINE_TEXT])
{
	char names[NAMES_TEXT];

	out[0] = '\0';
	if (!s->unseen.n)
		return;
	names_text(&s->unseen, names);
	snprintf(out, LINE_TEXT,
		 "no allocation was seen of %s: the sampler is not in front of its allocator, and "
		 "no call has hit a probe",
		 names);
}

enum { SEEN, LATE, UNSEEN, TEXTS };

/* Writes the lines, of which some may be empty. */
static void write_texts(struct seen_programs *s, char out[TEXTS][LINE_TEXT])
{
	pthread_mutex_lock(&s->lock);
	seen_text(s, out[SEEN]);
	late_text(s, out[LATE]);
	unseen_text(s, out[UNSEEN]);
	pthread_mutex_unlock(&s->lock);
}

void seen_programs_summary(struct seen_programs *s, struct lines *out)
{
	char text[TEXTS][LINE_TEXT];

	write_texts(s, text);
	for (int i = 0; i < TEXTS; i++) {
		if (text[i][0])
			lines_add(out, "%s", text[i]);
	}
}

int seen_programs_comments(struct seen_programs *s, struct profile *p)
{
	char text[TEXTS][LINE_TEXT];
	int err = 0;

	write_texts(s, text);
	for (int i = 0; i < TEXTS && !err; i++) {
		if (text[i][0])
			err = profile_add_comment(p, "%s", text[i]);
	}
	return err;
}
