/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses the argument strings of static probes: "SIZE@OPERAND" one after another, with the operand
 * as the compiler printed it for the x86-64 assembler (AT&T syntax). Blanks should occur only
 * between arguments, but some compilers also wrote them after commas.
 */
#include "arch/usdt_args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct register_name {
	const char *name; /* 64 bits */
	const char *narrow[3]; /* 32, 16 and 8 bits */
	const char *high; /* bits 8-15 */
};

/* The index is the DWARF number. */
static const struct register_name registers[] = {
	{"rax", {"eax", "ax", "al"}, "ah"},      {"rdx", {"edx", "dx", "dl"}, "dh"},
	{"rcx", {"ecx", "cx", "cl"}, "ch"},      {"rbx", {"ebx", "bx", "bl"}, "bh"},
	{"rsi", {"esi", "si", "sil"}, NULL},     {"rdi", {"edi", "di", "dil"}, NULL},
	{"rbp", {"ebp", "bp", "bpl"}, NULL},     {"rsp", {"esp", "sp", "spl"}, NULL},
	{"r8", {"r8d", "r8w", "r8b"}, NULL},     {"r9", {"r9d", "r9w", "r9b"}, NULL},
	{"r10", {"r10d", "r10w", "r10b"}, NULL}, {"r11", {"r11d", "r11w", "r11b"}, NULL},
	{"r12", {"r12d", "r12w", "r12b"}, NULL}, {"r13", {"r13d", "r13w", "r13b"}, NULL},
	{"r14", {"r14d", "r14w", "r14b"}, NULL}, {"r15", {"r15d", "r15w", "r15b"}, NULL},
	{"rip", {"eip", NULL, NULL}, NULL},
};
#define REG_RIP 16

struct text { /* holds the rest of one operand */
	const char *pos, *end;
};

static bool take_char(struct text *t, char want)
{
	if (t->pos == t->end || *t->pos != want)
		return false;
	t->pos++;
	return true;
}

static bool name_is(const char *name, const char *have, size_t len)
{
	return name && strlen(name) == len && !memcmp(name, have, len);
}

static bool register_lookup(const char *name, size_t len, u8 *reg, u8 *shift)
{
	*shift = 0;
	for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
		const struct register_name *r = &registers[i];

		*reg = (u8)i;
		if (name_is(r->name, name, len))
			return true;
		for (size_t n = 0; n < ARRAY_LEN(r->narrow); n++) {
			if (name_is(r->narrow[n], name, len))
				return true;
		}
		if (name_is(r->high, name, len)) {
			*shift = 8;
			return true;
		}
	}
	return false;
}

static bool take_register(struct text *t, u8 *reg, u8 *shift)
{
	const char *start;

	if (!take_char(t, '%'))
		return false;
	start = t->pos;
	while (t->pos < t->end && isalnum((unsigned char)*t->pos))
		t->pos++;
	return register_lookup(start, (size_t)(t->pos - start), reg, shift);
}

/* Takes a signed number, decimal or 0x.... The string is NUL-terminated after the operand. */
static bool take_number(struct text *t, s64 *value)
{
	bool negative = t->pos < t->end && *t->pos == '-';
	const char *digits = t->pos + (negative || (t->pos < t->end && *t->pos == '+'));
	unsigned long long magnitude;
	char *stop;

	if (digits >= t->end || !isdigit((unsigned char)*digits))
		return false;
	errno = 0;
	magnitude = strtoull(digits, &stop, 0);
	if (errno || stop > t->end)
		return false;
	*value = (s64)(negative ? -magnitude : magnitude);
	t->pos = stop;
	return true;
}

static bool take_address_register(struct text *t, u8 *reg)
{
	u8 shift;

	return take_register(t, reg, &shift) && !shift;
}

/* Takes "(%rax)", "(%rax,%rbx)", "(%rax,%rbx,8)" or "(,%rbx,8)". */
static bool take_base_and_index(struct text *t, struct usdt_arg *arg)
{
	s64 scale = 1;

	if (!take_char(t, '('))
		return false;
	if (t->pos < t->end && *t->pos == '%' && !take_address_register(t, &arg->base))
		return false;
	if (take_char(t, ',')) {
		take_char(t, ' ');
		if (!take_address_register(t, &arg->index) || arg->index == REG_RIP)
			return false;
		if (take_char(t, ',')) {
			take_char(t, ' ');
			if (!take_number(t, &scale))
				return false;
		}
	}
	if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
		return false;
	arg->scale = (u8)scale;
	return take_char(t, ')') && (arg->base != USDT_REG_NONE || arg->index != USDT_REG_NONE);
}

/* Takes "-16(%rbp)". Several numbers, as in "8+16(%rsp)", are added up. */
static bool take_memory(struct text *t, struct usdt_arg *arg)
{
	s64 part;

	arg->kind = USDT_ARG_MEM;
	while (take_number(t, &part))
		arg->value = (s64)((u64)arg->value + (u64)part);
	return take_base_and_index(t, arg);
}

static bool take_operand(struct text *t, struct usdt_arg *arg)
{
	if (t->pos == t->end)
		return false;
	if (*t->pos == '%') {
		arg->kind = USDT_ARG_REG;
		return take_register(t, &arg->reg, &arg->shift) && arg->reg != REG_RIP;
	}
	if (take_char(t, '$')) {
		arg->kind = USDT_ARG_CONST;
		return take_number(t, &arg->value);
	}
	return take_memory(t, arg);
}

/* Takes "8@" or "-4@". "8f@" marks a floating-point number, which no general register holds. */
static bool take_size(struct text *t, struct usdt_arg *arg)
{
	s64 size;

	if (!take_number(t, &size) || !take_char(t, '@'))
		return false;
	arg->is_signed = size < 0;
	for (u8 known = 1; known <= 8; known *= 2) {
		if (size == known || size == -known)
			arg->size = known;
	}
	return arg->size != 0;
}

static struct usdt_arg arg_parse(struct text t)
{
	static const struct usdt_arg none = {
		.reg = USDT_REG_NONE, .base = USDT_REG_NONE, .index = USDT_REG_NONE, .scale = 1};
	struct usdt_arg arg = none;

	if (take_size(&t, &arg) && take_operand(&t, &arg) && t.pos == t.end)
		return arg;
	return none;
}

/* Finds the end of the argument at `text`, which is a blank that is not inside parentheses. */
static const char *arg_end(const char *text)
{
	int depth = 0;

	for (; *text && !(*text == ' ' && depth <= 0); text++)
		depth += (*text == '(') - (*text == ')');
	return text;
}

u8 usdt_args_parse(const char *text, struct usdt_arg args[USDT_ARGS_MAX])
{
	u8 n = 0;

	while (n < USDT_ARGS_MAX) {
		const char *end;

		text += strspn(text, " ");
		if (!*text)
			break;
		end = arg_end(text);
		args[n++] = arg_parse((struct text){text, end});
		text = end;
	}
	return n;
}
