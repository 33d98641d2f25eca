/* SPDX-License-Identifier: Apache-2.0 */
/* Perf records, byte by byte as perf_event_open(2) describes them, whole and cut off anywhere. */
#include <errno.h>
#include <string.h>

#include "collect/perf/perf_record.h"
#include "unit.h"

struct writer {
	u8 data[4096];
	size_t len;
};

static void put(struct writer *w, const void *data, size_t len)
{
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

static void put_u32(struct writer *w, u32 value)
{
	put(w, &value, sizeof(value));
}

static void put_u64(struct writer *w, u64 value)
{
	put(w, &value, sizeof(value));
}

static void begin(struct writer *w, u32 type, u16 misc)
{
	struct perf_event_header header = {.type = type, .misc = misc};

	w->len = 0;
	put(w, &header, sizeof(header));
}

static struct bytes all(const struct writer *w)
{
	return (struct bytes){w->data, w->len};
}

static void write_sample(struct writer *w, u64 copied)
{
	u8 stack[256];

	memset(stack, 0xab, sizeof(stack));
	begin(w, PERF_RECORD_SAMPLE, PERF_RECORD_MISC_USER);
	put_u64(w, 0x401000);
	put_u32(w, 10);
	put_u32(w, 11);
	put_u64(w, 123456789);
	put_u64(w, 77); /* id */
	put_u32(w, 3);
	put_u32(w, 0);
	put_u64(w, 10101010); /* period */
	put_u64(w, 2); /* call chain */
	put_u64(w, (u64)PERF_CONTEXT_KERNEL);
	put_u64(w, 0xffffffff81000000);
	put_u64(w, PERF_SAMPLE_REGS_ABI_64);
	for (u64 i = 0; i < 17; i++) /* arch/x86/perf_regs.c */
		put_u64(w, 100 + i);
	put_u64(w, sizeof(stack));
	put(w, stack, sizeof(stack));
	put_u64(w, copied);
}

TEST(perf_record, sample)
{
	struct perf_record r;
	struct writer w;
	u64 time;

	write_sample(&w, 200);
	CHECK_INT(perf_record_decode(all(&w), true, &r), 0);
	CHECK_INT(r.type, PERF_RECORD_SAMPLE);
	CHECK(r.sample.user_mode);
	CHECK_INT(r.sample.ip, 0x401000);
	CHECK_INT(r.sample.pid, 10);
	CHECK_INT(r.sample.tid, 11);
	CHECK_INT(r.sample.id, 77);
	CHECK_INT(r.sample.cpu, 3);
	CHECK_INT(r.sample.period, 10101010);
	CHECK_INT(r.sample.chain_len, 2);
	CHECK_INT(r.sample.regs.sp, 107);
	CHECK_INT(r.sample.regs.pc, 108);
	CHECK_INT(r.sample.regs.by_dwarf[15], 116);
	CHECK_INT(r.sample.stack.len, 200);
	CHECK_INT(r.sample.stack.data[199], 0xab);
	memcpy(&time, w.data + PERF_SAMPLE_TIME_AT, sizeof(time));
	CHECK_INT(time, 123456789);
}

TEST(perf_record, a_copy_longer_than_its_room_is_cut)
{
	struct perf_record r;
	struct writer w;

	write_sample(&w, 1u << 30);
	CHECK_INT(perf_record_decode(all(&w), true, &r), 0);
	CHECK_INT(r.sample.stack.len, 256);
}

TEST(perf_record, samples_cut_off_anywhere_are_refused)
{
	struct perf_record r;
	struct writer w;

	write_sample(&w, 200);
	for (size_t len = 0; len < w.len; len++)
		CHECK_INT(perf_record_decode((struct bytes){w.data, len}, true, &r), -EBADMSG);
}

TEST(perf_record, a_call_chain_that_claims_too_much_is_refused)
{
	static const u64 lies[] = {1000, 1ull << 61, ~0ull};
	struct perf_record r;
	struct writer w;

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		write_sample(&w, 200);
		memcpy(w.data + 56, &lies[i], sizeof(lies[i]));
		CHECK_INT(perf_record_decode(all(&w), true, &r), -EBADMSG);
	}
}

TEST(perf_record, side_band)
{
	struct perf_record r;
	struct writer w;

	begin(&w, PERF_RECORD_MMAP2, 0);
	put_u32(&w, 10);
	put_u32(&w, 11);
	put_u64(&w, 0x400000);
	put_u64(&w, 0x2000);
	put_u64(&w, 0x1000);
	put_u32(&w, 8);
	put_u32(&w, 1);
	put_u64(&w, 4711);
	put_u64(&w, 0);
	put_u64(&w, 5);
	put(&w, "/bin/x\0", 8);
	CHECK_INT(perf_record_decode(all(&w), false, &r), 0);
	CHECK_INT(r.mapped.start, 0x400000);
	CHECK_INT(r.mapped.len, 0x2000);
	CHECK_INT(r.mapped.offset, 0x1000);
	CHECK_INT(r.mapped.inode, 4711);
	CHECK_STR(r.mapped.path, "/bin/x");

	begin(&w, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
	put_u32(&w, 10);
	put_u32(&w, 11);
	put(&w, "name\0\0\0", 8);
	CHECK_INT(perf_record_decode(all(&w), false, &r), 0);
	CHECK(r.comm.exec);
	CHECK_STR(r.comm.name, "name");

	begin(&w, PERF_RECORD_FORK, 0);
	for (u32 i = 1; i <= 4; i++)
		put_u32(&w, i);
	CHECK_INT(perf_record_decode(all(&w), false, &r), 0);
	CHECK_INT(r.task.pid, 1);
	CHECK_INT(r.task.ppid, 2);
	CHECK_INT(r.task.tid, 3);
	CHECK_INT(r.task.ptid, 4);

	begin(&w, PERF_RECORD_LOST, 0);
	put_u64(&w, 77);
	put_u64(&w, 1000);
	CHECK_INT(perf_record_decode(all(&w), false, &r), 0);
	CHECK_INT(r.lost, 1000);
}

TEST(perf_record, a_name_without_an_end_is_refused)
{
	struct perf_record r;
	struct writer w;

	begin(&w, PERF_RECORD_COMM, 0);
	put_u64(&w, 0);
	put(&w, "endlessly", 9);
	CHECK_INT(perf_record_decode(all(&w), false, &r), -EBADMSG);
}
