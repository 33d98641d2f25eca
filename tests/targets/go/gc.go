// SPDX-License-Identifier: Apache-2.0

// Allocates and collects: maps, slices and channels, so that much of the time is the run time's own, on
// goroutines' stacks and on the threads' (g0).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

type node struct {
	left, right *node
	data        [6]uint64
}

var live int64

//go:noinline
func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

//go:noinline
func deepen(n int) int {
	var pad [128]byte
	if n == 0 {
		return int(pad[0])
	}
	return deepen(n-1) + int(pad[n%len(pad)])
}

func grow(in <-chan int, out chan<- int) {
	for n := range in {
		done := make(chan int)
		go func() { done <- deepen(n) }() // a new stack, which has to grow
		out <- <-done
	}
}

func churn(in chan<- int, out <-chan int) {
	for i := 0; ; i++ {
		atomic.AddInt64(&live, int64(tree(10).data[0]))
		seen := map[int]string{}
		for j := 0; j < 500; j++ {
			seen[j*7] = time.Now().Format("15:04:05.000000")
		}
		in <- 50 + i%200
		<-out
	}
}

func main() {
	time.AfterFunc(300*time.Second, func() { os.Exit(1) })
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println("ready")
	for i := 0; i < 2; i++ {
		in, out := make(chan int), make(chan int)
		go grow(in, out)
		go churn(in, out)
	}
	<-stop
}
