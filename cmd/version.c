/* SPDX-License-Identifier: Apache-2.0 */
/* Implements cprof --version: what was built, with what, and what this kernel offers. */
#include <bpf/libbpf.h>
#include <elfutils/libdw.h>
#include <elfutils/version.h>
#include <gelf.h>
#include <lzma.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>

#include "collect/events.h"
#include "collect/features.h"
#include "exit_codes.h"
#include "verbs.h"

static void print_features(const struct features *f)
{
	const struct {
		const char *name;
		bool have;
	} list[] = {
		{"bpf", !f->bpf_load},
		{"btf", f->btf},
		{"tp_btf", f->tp_btf},
		{"perf", f->cpu_perf},
		{"uprobe", f->uprobe_pmu},
		{"uprobe_multi", f->uprobe_multi},
		{"uprobe_session", f->uprobe_session},
		{"kallsyms", f->kallsyms},
	};

	printf("kernel    %s:", f->release);
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		printf(" %c%s", list[i].have ? '+' : '-', list[i].name);
	printf("\n");
}

static int run(const struct verb_spec *self, int argc, char **argv)
{
	struct features f;
	char events[256];

	printf("cprof " CPROF_VERSION "\n");
	printf("libraries libbpf %s, elfutils %d.%d, protobuf-c %s, zlib %s, zstd %s, liblzma %s\n",
	       libbpf_version_string(), _ELFUTILS_VERSION / 1000, _ELFUTILS_VERSION % 1000,
	       protobuf_c_version(), zlibVersion(), ZSTD_versionString(), lzma_version_string());
	features_probe(&f);
	print_features(&f);
	event_names(events, sizeof(events), true);
	printf("events    %s\n", events);
	return CPROF_EXIT_OK;
}

const struct verb_spec verb_version = {
	.name = "version",
	.group = VERBS_OTHER,
	.summary = "version, libraries, and what this kernel offers",
	.synopsis = "",
	.run = run,
};
