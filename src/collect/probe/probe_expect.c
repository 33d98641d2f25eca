/* SPDX-License-Identifier: Apache-2.0 */
/* Puts probes into files before a process maps them: see probe_set.h. */
#include <errno.h>

#include "collect/probe/probe_set_impl.h"
#include "target/process.h"

/* The probes are there when it calls exec, and its files are not searched for them again. */
static int place_expected(struct probe_set *s, struct probed_process *p, struct probe_candidate *c)
{
	struct seen_file *seen = probed_process_seen(p, c->file);
	int err = 0;

	if ((seen && seen->links.len) || probed_file_is_everywhere(s, c->file))
		return 0;
	if (!seen)
		err = probed_process_see(s, p, c->file);
	if (err)
		return err;
	probed_process_seen(p, c->file)->expected = true;
	err = probed_process_place(s, p, c);
	seen = probed_process_seen(p, c->file);
	if (err || !seen->links.len)
		probed_process_unsee(
			s, p, seen); /* it is probed when it is mapped, or has no functions */
	return err;
}

int probe_set_add_file(struct probe_set *s, const char *path, pid_t tgid, struct error *err)
{
	struct probed_process *p = probed_process_of(s, tgid);
	struct map_entry e = {.path = (char *)path};
	struct probe_candidate c = {.set = s, .tgid = tgid, .entry = &e, .fd = -1};
	int code = -ENOMEM;

	s->searched = p;
	if (p)
		code = probed_file_at(s, path, &e, &c.file);
	if (!code && !c.file->refused)
		code = place_expected(s, p, &c);
	s->searched = NULL;
	return code ? error_set(err, code, "cannot put probes into %s: %s", path,
				error_reason(code))
		    : 0;
}

/* ---- programs ---- */

static bool has_probes(const struct probe_set *s, const struct probed_file *f)
{
	struct probed_process *p, *next;

	HASH_ITER(hh, s->processes, p, next) {
		const struct seen_file *seen = probed_process_seen(p, f);

		if (seen && seen->links.len)
			return true;
	}
	return false;
}

/* Probes for every process beside those for one would count its calls twice. A library is mapped
 * by processes that are no targets, which would pay as well. */
static bool is_for_everyone(const struct probe_set *s, const struct probed_file *f,
			    const char *path, pid_t runs)
{
	return f->program && !has_probes(s, f) && !process_runs_elsewhere(path, runs);
}

static bool has_its_probes(struct probe_set *s, const struct probed_file *f, pid_t tgid)
{
	const struct probed_process *p;
	const struct seen_file *seen;

	HASH_FIND(hh, s->processes, &tgid, sizeof(tgid), p);
	seen = p ? probed_process_seen(p, f) : NULL;
	return (seen && seen->links.len) || probed_file_is_everywhere(s, f);
}

int probe_set_add_program(struct probe_set *s, const char *path, pid_t runs, pid_t only, bool *had,
			  struct error *err)
{
	struct map_entry e = {.path = (char *)path};
	struct probed_file *f;
	int code = probed_file_at(s, path, &e, &f);

	*had = !code && has_its_probes(s, f, runs);
	if (code)
		return error_set(err, code, "cannot put probes into %s: %s", path,
				 error_reason(code));
	if (*had || !f->probed.len)
		return 0;
	if (is_for_everyone(s, f, path, runs))
		return probe_set_add_file(s, path, 0, err);
	return only ? probe_set_add_file(s, path, only, err) : 0;
}

/* ---- what it has mapped ---- */

static int expect_one(struct probe_set *s, struct probed_process *p, const struct map_entry *e,
		      const map_vec *maps)
{
	struct probe_candidate c = {.set = s, .tgid = p->tgid, .entry = e, .maps = maps, .fd = -1};
	int err = probed_file_of(s, p->tgid, e, &c.file);

	if (err || !c.file || c.file->exclusive || c.file->program || c.file->refused)
		return err;
	return place_expected(s, p, &c);
}

int probe_set_expect_mapped(struct probe_set *s, pid_t tgid, struct error *err)
{
	struct probed_process *p = probed_process_of(s, tgid);
	map_vec maps = {0};
	int code = p ? maps_read(tgid, &maps) : -ENOMEM, refused = 0;

	if (!code)
		refused = probe_set_allows(s, tgid, &maps, err);
	s->searched = p;
	vec_for_each(&maps, e) {
		if (!code && !refused && probe_set_wants(s, e))
			code = expect_one(s, p, e, &maps);
	}
	s->searched = NULL;
	maps_release(&maps);
	return code ? probe_set_say_failed(err, tgid, code) : refused;
}
