/* SPDX-License-Identifier: Apache-2.0 */
/* A library through which heap_first calls its own functions. */

void call_back(void (*function)(long), long i);

void call_back(void (*function)(long), long i)
{
	function(i);
	__asm__ volatile("" ::: "memory"); /* no tail call */
}
