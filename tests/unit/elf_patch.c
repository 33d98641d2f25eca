/* SPDX-License-Identifier: Apache-2.0 */
/* Changes ELF images: see elf_patch.h. */
#include "elf_patch.h"

#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "unit.h"

void elf_patch_init(struct elf_patch *p, const char *path)
{
	p->image = fixture_read(path, &p->len);
}

void elf_patch_release(struct elf_patch *p)
{
	free(p->image);
}

static Elf64_Ehdr *header(struct elf_patch *p)
{
	return (Elf64_Ehdr *)(void *)p->image;
}

Elf64_Shdr *elf_patch_section(struct elf_patch *p, const char *name)
{
	Elf64_Ehdr *ehdr = header(p);
	Elf64_Shdr *table = (Elf64_Shdr *)(void *)(p->image + ehdr->e_shoff);
	const char *names = (const char *)p->image + table[ehdr->e_shstrndx].sh_offset;

	for (size_t i = 0; i < ehdr->e_shnum; i++) {
		if (!strcmp(names + table[i].sh_name, name))
			return &table[i];
	}
	unit_fail(__FILE__, __LINE__, "no section %s", name);
}

/* Pieces are aligned to sixteen bytes, as headers must be. */
static size_t append(struct elf_patch *p, const void *data, size_t len)
{
	size_t at = (p->len + 15) / 16 * 16;
	u8 *grown = realloc(p->image, at + len + 1);

	CHECK(grown);
	memset(grown + p->len, 0, at - p->len);
	memcpy(grown + at, data, len);
	p->image = grown;
	p->len = at + len;
	return at;
}

void elf_patch_replace(struct elf_patch *p, const char *name, const void *data, size_t len)
{
	size_t at = append(p, data, len);
	Elf64_Shdr *shdr = elf_patch_section(p, name);

	shdr->sh_offset = at;
	shdr->sh_size = len;
}

void elf_patch_add_sections(struct elf_patch *p, const Elf64_Shdr *shdr, size_t n)
{
	size_t old = header(p)->e_shnum;
	Elf64_Shdr *table = calloc(old + n, sizeof(*table));
	size_t at;

	CHECK(table);
	memcpy(table, p->image + header(p)->e_shoff, old * sizeof(*table));
	for (size_t i = 0; i < n; i++)
		table[old + i] = *shdr;
	at = append(p, table, (old + n) * sizeof(*table)); /* this may move the header */
	header(p)->e_shoff = at;
	header(p)->e_shnum = (Elf64_Half)(old + n);
	free(table);
}
