/* SPDX-License-Identifier: Apache-2.0 */
/* A function that does next to nothing: most of a call's time is the way through the PLT. */
long tiny(long n);
long __attribute__((noinline)) tiny(long n)
{
	return n + 1;
}
