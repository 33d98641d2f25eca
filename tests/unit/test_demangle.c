/* SPDX-License-Identifier: Apache-2.0 */
/* Linkage names of C++, Rust and D, of clones, and hostile ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/demangle.h"
#include "unit.h"

static void check_name(const char *raw, const char *want)
{
	char *name = demangle_name(raw);

	CHECK_STR(name ? name : raw, want);
	free(name);
}

TEST(demangle, cxx_keeps_template_arguments_and_drops_parameters)
{
	check_name("_Z3fooii", "foo");
	check_name("_ZNSt6vectorIiSaIiEE9push_backEOi",
		   "std::vector<int, std::allocator<int> >::push_back");
	check_name("_ZN12_GLOBAL__N_13barEv", "(anonymous namespace)::bar");
	check_name("_ZNK3fooclEv", "foo::operator()");
}

TEST(demangle, rust_legacy_and_v0_lose_their_hash)
{
	check_name("_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place");
	check_name("_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$7reserve17h0123456789abcdefE",
		   "alloc::raw_vec::RawVec<T,A>::reserve");
	check_name("_RNvCs1234_7mycrate3foo", "mycrate::foo");
}

TEST(demangle, d_names)
{
	check_name("_D3std5stdio7writelnFZv", "std.stdio.writeln()");
}

TEST(demangle, clones_are_their_function)
{
	check_name("work.part.0", "work");
	check_name("work.constprop.0.isra.12", "work");
	check_name("work.cold", "work");
	check_name("work.llvm.1234567890", "work");
	check_name("_Z3fooii.cold", "foo");
	check_name("_ZN4core3ptr13drop_in_place17h0123456789abcdefE.llvm.42",
		   "core::ptr::drop_in_place");
	check_name("main.func1", "main.func1");
	check_name(".cold", ".cold");
	check_name("x.part.", "x.part.");
}

TEST(demangle, other_names_stay)
{
	check_name("main", "main");
	check_name("", "");
	check_name("_", "_");
	check_name("_Z", "_Z");
	check_name("_Zgarbage", "_Zgarbage");
	check_name("_R", "_R");
	check_name("_D", "_D");
	check_name("_Dynamic", "_Dynamic");
}

/* Every S<n>_ refers to the pair before it, so each level doubles the text: 600 bytes give 2^60. */
TEST(demangle, exponential_names_end)
{
	char raw[4000] = "_Z1f4pairIiiE";

	for (int i = 0; i < 60; i++) {
		char level[32], digits[4] = "";

		if (i > 35)
			snprintf(digits, sizeof(digits), "1%c",
				 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i - 36]);
		else if (i)
			snprintf(digits, sizeof(digits), "%c",
				 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i]);
		snprintf(level, sizeof(level), "4pairIS%s_S%s_E", digits, digits);
		strcat(raw, level);
	}
	free(demangle_name(raw));
}

TEST(demangle, deep_and_long_names_end)
{
	char *raw = malloc(100000);

	for (size_t len = 1000; len < 100000; len *= 4) {
		memset(raw, 'P', len);
		memcpy(raw, "_Z1f", 4);
		raw[len - 1] = 0;
		free(demangle_name(raw));
		memset(raw, 'N', len);
		memcpy(raw, "_RN", 3);
		raw[len - 1] = 0;
		free(demangle_name(raw));
	}
	free(raw);
}

TEST(demangle, counts_of_lifetimes_end)
{
	free(demangle_name("_RMNvNRMNvNtC3Ctd1u8FmaFmPFFFGF0ztC3Ctd1u8FmaFmPFFFGF0z_"));
	free(demangle_name("_RNvC1aFGzzzzzzzzzz_EuE"));
}
