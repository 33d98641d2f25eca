// SPDX-License-Identifier: Apache-2.0

// Spends 60 % in main.workA and 40 % in main.workB, on goroutines that both take turns. With an argument,
// Go's own profile of the same time goes into that file.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"os/signal"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"time"
)

var sink uint64

//go:noinline
func spin(n int) uint64 {
	x := uint64(n)
	for i := 0; i < n; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

//go:noinline
func workA(n int) uint64 { return spin(6*n) + 1 }

//go:noinline
func workB(n int) uint64 { return spin(4*n) + 1 }

func main() {
	time.AfterFunc(300*time.Second, func() { os.Exit(1) })
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if len(os.Args) > 1 {
		file, err := os.Create(os.Args[1])
		if err != nil {
			panic(err)
		}
		if err = pprof.StartCPUProfile(file); err != nil {
			panic(err)
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Println("ready")
	for i := 0; i < 2; i++ {
		go func() {
			for {
				// Turns of equal length would keep in step with Go's timer of 10 ms.
				n := 100000 + rand.Intn(200000)
				atomic.AddUint64(&sink, workA(n))
				atomic.AddUint64(&sink, workB(n))
			}
		}()
	}
	<-stop
}
