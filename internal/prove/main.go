package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// show is one must-show.
type show struct {
	name  string // for -run
	title string
	run   func(*run)
}

// shows are all of them, in the order in which they run.
var shows = []show{
	{"increments", "8 processes increment one counter", increments},
	{"failing", "8 processes increment one counter, with functions that fail and panic", failingIncrements},
	{"readers", "two writers, three readers, the smallest stream", readers},
	{"births", "8 processes open the same new name at once", births},
	{"removals", "Remove races with Open and Set", removals},
	{"kills", "writers are killed at random", kills},
	{"heap", "writers with a large heap are killed", heapKills},
	{"stop", "a writer is stopped while it holds the lock", stoppedOwner},
	{"snapshotter", "a process is stopped in the middle of a rollover", stoppedSnapshotter},
	{"million", "one million keys of 100 bytes", million},
	{"latency", "latency of Set during rollovers", latency},
	{"ratios", "costs beside map[string]any", ratios},
	{"pingpong", "a round trip between two spinning processes", pingPong},
	{"applied", "how fast a stream is applied", applied},
	{"saves", "what is saved while others write, and comes back", saves},
	{"bounded", "shared memory stays bounded", bounded},
	{"trees", "nested counters, and the level above them replaced", trees},
	{"nested", "nested dictionaries leave nothing behind", nestedMemory},
	{"computed", "20 processes compute one value", computed},
	{"expiring", "nothing is served after its time", expiring},
	{"wakes", "how fast a sleeping watcher wakes up", wakes},
	{"leaks", "nothing is left after Close", leaks},
}

func main() {
	if name, ok := os.LookupEnv(roleVar); ok {
		os.Exit(play(name, os.Args[1:]))
	}
	pattern := flag.String("run", "", "show only what this regular expression matches")
	quick := flag.Bool("quick", false, "cut durations")
	list := flag.Bool("list", false, "list what can be shown")
	flag.Parse()
	if *list {
		for _, s := range shows {
			fmt.Printf("%-12s %s\n", s.name, s.title)
		}
		return
	}
	match, err := regexp.Compile(*pattern)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(prove(match, *quick))
}

// stopping says that the program was interrupted, and what goes wrong now is
// only a consequence.
var stopping atomic.Bool

// prove runs what matches and returns the exit status.
func prove(match *regexp.Regexp, quick bool) int {
	root, err := os.MkdirTemp("/dev/shm", "ultradict-prove-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cleanup := func() {
		processes.killAll()
		if err := os.RemoveAll(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	defer cleanup()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, terminate)
	go func() {
		<-interrupted
		stopping.Store(true)
		cleanup()
		os.Exit(130)
	}()

	fmt.Printf("%s %s/%s, %d processors, load average %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), loadAverage())
	begin := time.Now()
	figures, missed := 0, []string(nil)
	for _, s := range shows {
		if !match.MatchString(s.name) {
			continue
		}
		r := &run{name: s.name, quick: quick, dir: root + "/" + s.name}
		r.do(s)
		figures += r.figures
		missed = append(missed, r.missed...)
	}
	fmt.Printf("\n%d figures with a goal in %v, %d missed\n", figures, time.Since(begin).Round(time.Second), len(missed))
	if len(missed) > 0 {
		fmt.Println("MISSED  " + strings.Join(missed, "\nMISSED  "))
		return 1
	}
	return 0
}
