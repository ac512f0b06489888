package peers

import (
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// A thread with one of these flags runs no more instructions of its program.
const (
	pfExiting      = 0x004 // in do_exit
	pfPostCoreDump = 0x008 // waits for the core dump of its process, then exits
	pfDumpCore     = 0x200 // writes it

	pfGone = pfExiting | pfPostCoreDump | pfDumpCore
)

// thisProcess describes the caller. The namespace stays unknown unless /proc
// shows the caller's own one.
func thisProcess() process {
	p := process{pid: uint32(os.Getpid())}
	self, err := os.Readlink("/proc/self")
	if err != nil || self != strconv.Itoa(os.Getpid()) {
		return p
	}
	var ns unix.Stat_t
	if unix.Stat("/proc/self/ns/pid", &ns) != nil {
		return p
	}
	if st, err := readStat("/proc/self/stat"); err == nil {
		p.namespace, p.start = uint32(ns.Ino), st.start // inodes of namespaces have 32 bits
	}
	return p
}

// exiting reports whether every thread of a process is past its last
// instruction. Threads that end while they are listed can hide others from the
// listing, so it counts only if the process has exactly the threads seen,
// before and after. A dying process keeps them unchanged for as long as its
// memory is torn down. That /proc has no such process proves nothing: it may
// be hidden from us.
func exiting(owner process) bool {
	dir := "/proc/" + strconv.FormatUint(uint64(owner.pid), 10)
	threads, ok := listThreads(dir)
	if !ok {
		return false
	}
	for _, thread := range threads {
		st, err := readStat(dir + "/task/" + thread + "/stat")
		if err != nil || st.flags&pfGone == 0 {
			return false
		}
	}
	again, ok := listThreads(dir)
	if !ok || !slices.Equal(threads, again) {
		return false
	}
	st, err := readStat(dir + "/stat")
	return err == nil && st.start == owner.start && st.threads == uint64(len(threads))
}

func listThreads(dir string) ([]string, bool) {
	task, err := os.Open(dir + "/task")
	if err != nil {
		return nil, false
	}
	defer task.Close()
	names, err := task.Readdirnames(-1)
	slices.Sort(names)
	return names, err == nil && len(names) > 0
}

func readStat(name string) (stat, error) {
	line, err := os.ReadFile(name)
	if err != nil {
		return stat{}, err
	}
	return parseStat(line)
}
