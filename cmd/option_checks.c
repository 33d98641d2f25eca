/* SPDX-License-Identifier: Apache-2.0 */
/* Checks which options go together: see option_checks.h. */
#include "option_checks.h"

#include <errno.h>
#include <string.h>

#define usage(err, ...) error_set(err, -EINVAL, __VA_ARGS__)

static int check_open(const struct options *o, struct error *err)
{
	const struct format *f = o->format   ? o->format
				 : o->output ? format_by_path(o->output)
					     : &format_html;

	if (o->output && !strcmp(o->output, "-"))
		return usage(err, "--open needs a file: -o FILE.html%s",
			     o->nfiles ? "" : ", or no -o at all");
	if (f && f != &format_html)
		return usage(err, "--open shows html, not %s: give -f html or -o FILE.html",
			     f->name);
	return 0;
}

/* What has no meaning for the kind, or for all but one. */
static int check_kind(const struct options *o, struct error *err)
{
	const bool moment = o->kind && o->kind->faculties & KIND_MOMENT;
	const struct format *f = o->format   ? o->format
				 : o->output ? format_by_path(o->output)
					     : NULL;

	if (moment && o->target == OPTION_TARGET_COMMAND)
		return usage(err,
			     "cprof %s shows processes that run already: give -p PID, -n NAME, -a "
			     "or --cgroup PATH",
			     o->kind->name);
	if (!moment && f && f->threads)
		return usage(err, "the format %s is for threads: cprof threads -f %s", f->name,
			     f->name);
	return o->kind && o->kind->check ? o->kind->check(&o->own, err) : 0;
}

static int check_together(struct options *o, struct error *err)
{
	if (!o->target)
		return usage(err, "nothing to profile: give -p PID, -n NAME, -a, --cgroup PATH or "
				  "-- COMMAND");
	if (o->all_matches && o->target != OPTION_TARGET_NAME)
		return usage(err, "--all goes with -n NAME (the whole machine is -a)");
	if (o->target == OPTION_TARGET_COMMAND && !o->duration_given)
		o->duration_ns = 0;
	if (check_kind(o, err))
		return -EINVAL;
	if (o->user_only && o->kernel_only)
		o->user_only = o->kernel_only = false;
	return o->open ? check_open(o, err) : 0;
}

static int check_files(const struct options *o, u32 verbs, struct error *err)
{
	const size_t wanted = verbs == VERB_DIFF ? 2 : 1;
	size_t piped = 0;

	if (verbs == VERB_MERGE && !o->nfiles)
		return usage(err, "merge what? Give the files");
	if (verbs != VERB_MERGE && o->nfiles != wanted)
		return usage(err, wanted == 2 ? "two files are compared: BASE NEW"
					      : "one file is read: give its name, or - for the "
						"standard input");
	for (size_t i = 0; i < o->nfiles; i++)
		piped += !strcmp(o->files[i], "-");
	return piped > 1 ? usage(err, "- is given twice: the standard input is one file") : 0;
}

/* Only the table of a comparison is printed. */
static int check_diff(const struct options *o, struct error *err)
{
	const struct format *f = o->format   ? o->format
				 : o->output ? format_by_path(o->output)
					     : NULL;

	if (!o->format && !o->output)
		return 0;
	if (f && f != &format_html)
		return usage(err, "a comparison is printed or written as html, not %s", f->name);
	if (!f)
		return usage(err,
			     "\"%.*s\" does not say what to write: a comparison is html, "
			     "-o FILE.html",
			     OPTION_SHOWN, o->output);
	return 0;
}

static int check_reading(const struct options *o, u32 verbs, struct error *err)
{
	int ret = check_files(o, verbs, err);

	if (!ret && verbs == VERB_DIFF)
		ret = check_diff(o, err);
	if (!ret && o->open)
		ret = !o->output ? usage(err, "--open needs a file: -o FILE.html")
				 : check_open(o, err);
	if (ret)
		return ret;
	if (verbs == VERB_CONVERT && !o->output && !o->format)
		return usage(err, "convert into what? Give -o FILE, or -f FORMAT");
	if (verbs == VERB_CONVERT && !o->format && strcmp(o->output, "-") != 0 &&
	    !format_by_path(o->output))
		return usage(err, "no format has the suffix of \"%.*s\": give -f FORMAT",
			     OPTION_SHOWN, o->output);
	return 0;
}

int option_checks(struct options *o, u32 verbs, struct error *err)
{
	return verbs & VERB_READING ? check_reading(o, verbs, err) : check_together(o, err);
}
