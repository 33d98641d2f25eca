/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deep_host PLUGIN [space] opens the plug-in with RTLD_DEEPBIND, or in a space of its own, lets it
 * keep 1000 blocks of 1000 bytes, and gives it 1000 blocks of 2000 bytes to free. It prints the
 * permissions of the plug-in's mappings.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 1000

__attribute__((noinline)) void *give(void)
{
	char *p = malloc(2000);

	if (!p)
		abort();
	*(volatile char *)p = 1;
	return p;
}

static void print_mappings(const char *plugin)
{
	char line[512], *name;
	FILE *maps = fopen("/proc/self/maps", "r");

	name = strrchr(plugin, '/');
	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, name ? name : plugin))
			printf("%.4s\n", strchr(line, ' ') + 1);
	}
	if (maps)
		fclose(maps);
}

int main(int argc, char **argv)
{
	void *blocks[BLOCKS], *plugin;
	void (*keep)(int), (*take)(void *);

	if (argc < 2)
		return 2;
	plugin = argc > 2 ? dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW)
			  : dlopen(argv[1], RTLD_LAZY | RTLD_DEEPBIND);
	keep = plugin ? (void (*)(int))dlsym(plugin, "keep") : NULL;
	take = plugin ? (void (*)(void *))dlsym(plugin, "take") : NULL;
	if (!keep || !take) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	keep(BLOCKS);
	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = give();
	for (int i = 0; i < BLOCKS && argc == 2; i++)
		take(blocks[i]);
	print_mappings(argv[1]);
	return 0;
}
