/* SPDX-License-Identifier: Apache-2.0 */
/* Builds ELF files in memory: see elf_image.h. */
#include "elf/elf_image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

static int append(struct elf_image *image, const void *data, size_t len)
{
	int err = vec_reserve(&image->bytes, image->bytes.len + len) ? -ENOMEM : 0;

	if (err || !len)
		return err;
	memcpy(image->bytes.data + image->bytes.len, data, len);
	image->bytes.len += len;
	return 0;
}

static int align(struct elf_image *image)
{
	static const u8 zeros[8];

	return append(image, zeros, -image->bytes.len % sizeof(zeros));
}

int elf_image_add(struct elf_image *image, const char *name, struct bytes data)
{
	const Elf64_Ehdr header = {0};
	int err = 0;

	if (image->nsections == ELF_IMAGE_SECTIONS ||
	    strlen(name) >= sizeof(image->sections[0].name))
		return -E2BIG;
	if (!image->bytes.len) /* elf_image_finish() fills it in */
		err = append(image, &header, sizeof(header));
	if (!err)
		err = align(image);
	if (err)
		return err;
	strcpy(image->sections[image->nsections].name, name);
	image->sections[image->nsections].offset = image->bytes.len;
	image->sections[image->nsections].size = data.len;
	err = append(image, data.data, data.len);
	image->nsections += !err;
	return err;
}

/* Adds the table of names, and then the table of sections. */
static int add_tables(struct elf_image *image, const Elf64_Ehdr *like)
{
	Elf64_Shdr headers[ELF_IMAGE_SECTIONS + 2] = {{0}};
	char names[ELF_IMAGE_SECTIONS * sizeof(image->sections[0].name)] = "";
	const u32 n = image->nsections;
	Elf64_Ehdr ehdr = *like;
	size_t used = 1;
	int err;

	for (u32 i = 0; i < n; i++) {
		headers[i + 1] = (Elf64_Shdr){.sh_name = (u32)used,
					      .sh_type = SHT_PROGBITS,
					      .sh_offset = image->sections[i].offset,
					      .sh_size = image->sections[i].size,
					      .sh_addralign = 1};
		strcpy(names + used, image->sections[i].name);
		used += strlen(names + used) + 1;
	}
	headers[n + 1] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
				      .sh_offset = image->bytes.len,
				      .sh_size = used,
				      .sh_addralign = 1};
	err = append(image, names, used);
	if (!err)
		err = align(image);
	ehdr.e_phoff = ehdr.e_phnum = 0;
	ehdr.e_shoff = image->bytes.len;
	ehdr.e_shnum = (u16)(n + 2);
	ehdr.e_shstrndx = (u16)(n + 1);
	if (!err)
		err = append(image, headers, (n + 2) * sizeof(headers[0]));
	if (!err)
		memcpy(image->bytes.data, &ehdr, sizeof(ehdr));
	return err;
}

int elf_image_finish(struct elf_image *image, struct elf_file *like, struct elf_file **out)
{
	Elf64_Ehdr *ehdr = elf64_getehdr(elf_file_handle(like));
	int err = ehdr ? 0 : -ENOEXEC;

	if (!err && !image->nsections)
		err = elf_image_add(image, ".debug_none", (struct bytes){0});
	if (!err)
		err = add_tables(image, ehdr);
	if (!err) {
		err = elf_file_adopt_memory(image->bytes.data, image->bytes.len, out);
		*image = (struct elf_image){0};
	}
	if (!err)
		elf_file_share_budget(*out, like);
	elf_image_release(image);
	return err;
}

void elf_image_release(struct elf_image *image)
{
	vec_release(&image->bytes);
	*image = (struct elf_image){0};
}
