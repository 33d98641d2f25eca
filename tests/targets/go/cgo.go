// SPDX-License-Identifier: Apache-2.0

// One goroutine after the other calls, for equal work each: C (a third), C that calls back into Go, which
// works (a third), and, two callbacks deep, C again (a third).
package main

/*
#include <stdint.h>

uint64_t go_work(uint64_t n);
uint64_t go_nested(uint64_t n);

static __thread uint64_t calls[12]; // so that g has neighbours in thread-local storage

__attribute__((noinline)) static uint64_t c_spin(uint64_t n)
{
	uint64_t x = n;

	for (uint64_t i = 0; i < n; i++)
		x = x * 6364136223846793005u + 1442695040888963407u;
	return x + calls[n % 12]++;
}

__attribute__((noinline)) static uint64_t c_direct(uint64_t n) { return c_spin(n) + 1; }
__attribute__((noinline)) static uint64_t c_back(uint64_t n) { return go_work(n) + 1; }
__attribute__((noinline)) static uint64_t c_nested(uint64_t n) { return go_nested(n) + 1; }
__attribute__((noinline)) static uint64_t c_inner(uint64_t n) { return c_spin(n) + 2; }
*/
import "C"

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const work = 200000

var sink C.uint64_t

//go:noinline
func spin(n uint64) uint64 {
	x := n
	for i := uint64(0); i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//export go_work
func go_work(n C.uint64_t) C.uint64_t { return C.uint64_t(spin(uint64(n))) }

//export go_nested
func go_nested(n C.uint64_t) C.uint64_t { return C.c_inner(n) }

//go:noinline
func direct() { sink += C.c_direct(work) }

//go:noinline
func back() { sink += C.c_back(work) }

//go:noinline
func nested() { sink += C.c_nested(work) }

func main() {
	time.AfterFunc(300*time.Second, func() { os.Exit(1) })
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("ready")
	go func() {
		for {
			direct()
			back()
			nested()
		}
	}()
	<-stop
}
