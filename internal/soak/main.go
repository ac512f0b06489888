package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"time"
)

func main() {
	if arg, ok := os.LookupEnv(roleVar); ok {
		os.Exit(play(arg))
	}
	c := config{out: os.Stdout, live: onTerminal()}
	flag.DurationVar(&c.length, "for", 10*time.Minute, "how long to go on")
	flag.Uint64Var(&c.seed, "seed", 0, "seed of all that is chosen; 0 for another one each time")
	flag.IntVar(&c.workers, "workers", 6, "processes that work at a time")
	flag.DurationVar(&c.epoch, "epoch", 22*time.Second, "life of a dictionary")
	flag.DurationVar(&c.pause, "pause", 25*time.Millisecond, "mean time between two deaths or stops by the driver")
	flag.Parse()
	if c.workers < 1 || c.workers > maxSlots || c.length <= 0 || c.epoch <= 0 || c.pause <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if c.seed == 0 {
		c.seed = rand.Uint64N(1 << 32)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, terminate)
	stop := make(chan struct{})
	go func() {
		<-interrupted
		signal.Stop(interrupted) // a second one ends the program at once
		close(stop)
	}()
	c.stop = stop
	fmt.Printf("%s %s/%s, %d processors, points: %v, %d workers, seed %d\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), points, c.workers, c.seed)
	os.Exit((&soak{config: c}).run())
}

func onTerminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
