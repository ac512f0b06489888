package peers

import (
	"bytes"
	"fmt"
	"strconv"
)

// process names one process so that it is not confused with a later one of
// the same id.
type process struct {
	pid       uint32
	namespace uint32 // inode of its PID namespace; 0 unknown
	start     uint64 // clock ticks since boot; 0 unknown
}

// sees reports whether this process can look the other one up by its id.
func (p process) sees(other process) bool {
	return p.namespace != 0 && p.namespace == other.namespace &&
		other.pid != 0 && other.pid <= MaxID && other.start != 0
}

// stat is what is of interest here in a stat file of /proc.
type stat struct {
	flags   uint32 // field 9: PF_ flags of the thread
	threads uint64 // field 20: threads of the process
	start   uint64 // field 22: start of the thread, clock ticks since boot
}

// parseStat reads a line of /proc/<pid>/stat or of one of its threads. The
// second field is the name in brackets, which may itself hold spaces, brackets
// and line ends; what follows its last bracket has neither.
func parseStat(line []byte) (stat, error) {
	at := bytes.LastIndexByte(line, ')')
	if at < 0 {
		return stat{}, fmt.Errorf("parse stat: no name in %q", line)
	}
	fields := bytes.Fields(line[at+1:]) // the first is field 3
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("parse stat: %d fields behind the name", len(fields))
	}
	flags, err := strconv.ParseUint(string(fields[9-3]), 10, 32)
	if err != nil {
		return stat{}, fmt.Errorf("parse stat: flags: %w", err)
	}
	threads, err := strconv.ParseUint(string(fields[20-3]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("parse stat: threads: %w", err)
	}
	start, err := strconv.ParseUint(string(fields[22-3]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("parse stat: start: %w", err)
	}
	return stat{flags: uint32(flags), threads: threads, start: start}, nil
}
