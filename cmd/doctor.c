/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof doctor: what this machine and this user can profile, what is missing, and how to
 * fix that. */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collect/features.h"
#include "exit_codes.h"
#include "record/kinds.h"
#include "terminal.h"
#include "verbs.h"

#define NAME_COLUMNS 21
#define DETAIL_COLUMN (2 + 9 + NAME_COLUMNS)

static const char *paint(const struct terminal *t, enum feature_state state, bool on)
{
	static const char *const colors[] = {
		[FEATURE_OK] = "\033[32m",
		[FEATURE_LIMITED] = "\033[33m",
		[FEATURE_MISSING] = "\033[31m",
	};

	return !t->out_color ? "" : on ? colors[state] : "\033[0m";
}

/* Remedies are written for root. */
static const char *sudo_for(const char *remedy)
{
	return geteuid() && strncmp(remedy, "sudo ", 5) != 0 ? "sudo " : "";
}

static void print_feature(const struct terminal *t, const struct feature *x)
{
	static const char *const states[] = {
		[FEATURE_OK] = "ok",
		[FEATURE_LIMITED] = "limited",
		[FEATURE_MISSING] = "missing",
	};

	printf("  %s%-9s%s%-*s%s\n", paint(t, x->state, true), states[x->state],
	       paint(t, x->state, false), NAME_COLUMNS, x->name, x->detail);
	if (x->meaning)
		printf("%*s%s\n", DETAIL_COLUMN, "", x->meaning);
	if (x->remedy)
		printf("%*s-> %s%s\n", DETAIL_COLUMN, "", sudo_for(x->remedy), x->remedy);
}

static void print_verdict(const struct features *f)
{
	if (f->cpu_bpf)
		printf("\ncprof cpu works here, with BPF.\n");
	else if (f->cpu_perf && !f->bpf_load)
		printf("\ncprof cpu --mode perf works here.\n");
	else if (f->cpu_perf)
		printf("\ncprof cpu works here by perf events%s.\n",
		       features_has_cap(f, CAP_PERFMON) ? "" : ", for your own processes");
	else
		printf("\ncprof cpu does not work here: %s.\n",
		       f->proc ? "it needs /proc" : "no perf event can be opened");
}

static bool has_bpf(const struct features *f)
{
	return !f->bpf_load && f->tp_btf && !f->proc;
}

static bool works(const struct features *f, const struct profile_kind *k)
{
	return has_bpf(f) && (!(k->faculties & KIND_PROBES) || f->uprobe_pmu || f->uprobe_multi);
}

/* "cprof heap, wall": the kinds that need BPF and work, or do not. False: there are none. */
static bool print_kinds(const struct features *f, bool working)
{
	const char *before = "cprof ";

	for (const struct profile_kind *const *k = kind_table; *k; k++) {
		if ((*k)->fallback_new || works(f, *k) != working)
			continue;
		printf("%s%s", before, (*k)->name);
		before = ", ";
	}
	return *before == ',';
}

static void print_other_verdicts(const struct features *f)
{
	if (print_kinds(f, true))
		printf(": these work here.\n");
	if (print_kinds(f, false))
		printf(": these do not work here, because %s.\n",
		       has_bpf(f)    ? "the kernel has no uprobes"
		       : f->bpf_load ? "they need BPF (as root, where the kernel allows it)"
		       : f->proc     ? "they need /proc"
				 : "they need BPF programs on tracepoints (CONFIG_DEBUG_INFO_BTF)");
}

static int run(const struct verb_spec *self, int argc, char **argv)
{
	struct feature list[FEATURES_LIST_MAX];
	struct features f;
	struct terminal t;
	size_t n;

	terminal_init(&t, NULL);
	features_probe(&f);
	n = features_list(&f, list);
	for (size_t i = 0; i < n; i++)
		print_feature(&t, &list[i]);
	print_verdict(&f);
	print_other_verdicts(&f);
	return f.cpu_bpf || f.cpu_perf ? CPROF_EXIT_OK : CPROF_EXIT_FAILED;
}

const struct verb_spec verb_doctor = {
	.name = "doctor",
	.group = VERBS_OTHER,
	.summary = "what this machine and this user can profile, and how to get more",
	.synopsis = "",
	.run = run,
};
