/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "target/translator.h"

static int refused(const char *text)
{
	map_vec maps = {0};
	struct error err;
	int code;

	CHECK_INT(maps_parse((struct bytes){(const u8 *)text, strlen(text)}, &maps), 0);
	code = translator_refuse_process(4711, &maps, &err);
	if (code)
		CHECK(strstr(err.text, "PID 4711"));
	maps_release(&maps);
	return code;
}

TEST(translator, knows_its_own_files)
{
	CHECK_INT(refused("400000-500000 r-xp 0 fe:1a 17 /usr/bin/cat\n"
			  "600000-700000 r-xp 0 fe:1a 18 "
			  "/usr/libexec/valgrind/memcheck-amd64-linux\n"),
		  -EPERM);
	CHECK_INT(refused("400000-500000 r-xp 0 fe:1a 17 /usr/bin/qemu-x86_64-static\n"), -EPERM);
	CHECK_INT(refused("400000-500000 r-xp 0 fe:1a 17 /opt/dr/lib64/libdynamorio.so.10\n"),
		  -EPERM);
	CHECK_INT(refused("400000-500000 r-xp 0 fe:1a 17 /usr/bin/qemu-system-x86_64\n"), 0);
	CHECK_INT(refused("400000-500000 r-xp 0 fe:1a 17 /home/u/valgrind/cat\n"), 0);
	CHECK_INT(refused("400000-500000 r-xp 0 fe:1a 17 /opt/memcheck-amd64-linux\n"), 0);
	CHECK_INT(refused("400000-500000 r-xp 0 00:00 0 [heap]\n"), 0);
}

TEST(translator, knows_commands)
{
	struct error err;

	CHECK_INT(translator_refuse_command(NULL, &err), 0);
	CHECK_INT(translator_refuse_command("valgrind", &err), -EPERM);
	CHECK_INT(translator_refuse_command("/usr/bin/qemu-x86_64-static", &err), -EPERM);
	CHECK_INT(translator_refuse_command("/opt/pin", &err), -EPERM);
	CHECK_INT(translator_refuse_command("ping", &err), 0);
	CHECK_INT(translator_refuse_command("valgrindish", &err), 0);
	CHECK_INT(translator_refuse_command("valgrind/run", &err), 0);
}
