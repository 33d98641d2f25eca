/* SPDX-License-Identifier: Apache-2.0 */
/* Contains a function that does next to nothing, so a call spends most of its time in the PLT. */
long tiny(long n);
long __attribute__((noinline)) tiny(long n)
{
	return n + 1;
}
