/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names a list of addresses of one ELF file and prints how long that took; it is the driver of
 * bench_symbols.sh.
 *   bench_symbols FILE < ADDRESSES           hex vaddrs, one a line; prints seconds
 *   bench_symbols -v FILE < ADDRESSES        prints the frames instead, as llvm-symbolizer does
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/vec.h"
#include "profile/profile.h"
#include "symbol/symbolize.h"
#include "target/module.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int add_locations(struct profile *p, const struct elf_file *elf)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		u64 vaddr = strtoull(line, NULL, 16), offset;
		s64 location;

		if (!elf_file_vaddr_to_offset(elf, vaddr, &offset))
			continue;
		location = profile_location(p, 0, offset);
		if (location < 0)
			return (int)location;
	}
	return 0;
}

static void print_frames(const struct profile *p, const struct elf_file *elf)
{
	vec_for_each(&p->locations, l) {
		u64 vaddr = 0;

		elf_file_offset_to_vaddr(elf, l->address, &vaddr);
		printf("0x%llx\n", (unsigned long long)vaddr);
		for (u32 i = 0; i < l->nlines; i++) {
			const struct profile_line *line = &p->lines.data[l->first_line + i];
			const struct profile_function *f = &p->functions.data[line->function];

			printf("%s\n%s:%lld\n", profile_text(p, f->system_name),
			       profile_text(p, f->filename), (long long)line->line);
		}
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	bool verbose = argc > 2 && !strcmp(argv[1], "-v");
	struct module module = {.kind = MODULE_KIND_FILE, .path = argv[argc - 1]};
	struct profile_mapping mapping = {.limit = ~0ull, .source = &module};
	struct symbolize_options opt = {0};
	struct symbolize_stats stats;
	struct profile *p;
	double start;
	int fd;

	if (argc < 2)
		return 2;
	if (target_root_ours(&module.root))
		return 1;
	fd = open(module.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || elf_file_open(fd, &module.elf) || profile_new(&p) ||
	    profile_add_mapping(p, &mapping) < 0 || add_locations(p, module.elf)) {
		fprintf(stderr, "bench_symbols: cannot use %s\n", module.path);
		return 1;
	}
	start = now();
	if (symbolize_profile(p, &opt, &stats))
		return 1;
	if (verbose)
		print_frames(p, module.elf);
	else
		printf("%.3f\n", now() - start);
	fprintf(stderr, "%llu addresses, %llu named, %llu with lines, %zu functions\n",
		(unsigned long long)stats.addresses, (unsigned long long)stats.named,
		(unsigned long long)stats.with_lines, p->functions.len);
	profile_free(p);
	elf_file_free(module.elf);
	target_root_release(&module.root);
	close(fd);
	return 0;
}
