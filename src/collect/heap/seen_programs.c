/* SPDX-License-Identifier: Apache-2.0 */
/* Names programs by how their allocations were seen: see seen_programs.h. */
#include "collect/heap/seen_programs.h"

#include <stdio.h>
#include <string.h>

#include "collect/session/map_walk.h"
#include "target/pid_space.h"

#define NAMES_TEXT 512
#define LINE_TEXT 800

void seen_programs_init(struct seen_programs *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

void seen_programs_release(struct seen_programs *s)
{
	pthread_mutex_destroy(&s->lock);
}

static void add(struct seen_programs *s, bool probed, struct proc_pid number, const char comm[16])
{
	struct seen_names *names = probed ? &s->probed : &s->unseen;
	struct seen_program program = {0};

	if (pid_from_proc(number, &program.tgid))
		program.tgid = 0;
	memcpy(program.comm, comm, sizeof(program.comm) - 1);
	pthread_mutex_lock(&s->lock);
	if (names->n < SEEN_NAMES_MAX)
		names->first[names->n] = program;
	names->n++;
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
	snprintf(out, LINE_TEXT,
		 "seen by the preloaded sampler: %llu programs; by probes, after %s: %s",
		 (unsigned long long)s->sampled, "their first milliseconds",
		 names[0] ? names : "none");
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

static void texts(struct seen_programs *s, char seen[LINE_TEXT], char unseen[LINE_TEXT])
{
	pthread_mutex_lock(&s->lock);
	seen_text(s, seen);
	unseen_text(s, unseen);
	pthread_mutex_unlock(&s->lock);
}

void seen_programs_summary(struct seen_programs *s, struct lines *out)
{
	char seen[LINE_TEXT], unseen[LINE_TEXT];

	texts(s, seen, unseen);
	if (seen[0])
		lines_add(out, "%s", seen);
	if (unseen[0])
		lines_add(out, "%s", unseen);
}

int seen_programs_comments(struct seen_programs *s, struct profile *p)
{
	char seen[LINE_TEXT], unseen[LINE_TEXT];
	int err = 0;

	texts(s, seen, unseen);
	if (seen[0])
		err = profile_add_comment(p, "%s", seen);
	if (!err && unseen[0])
		err = profile_add_comment(p, "%s", unseen);
	return err;
}
