package shm

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Pages of shared memory are charged to the memory cgroup of the process that
// first touches them. Past its limit, or when the machine itself has no memory
// left, the kernel does not fail fallocate: it kills a process, any process.
// A tmpfs as large as the machine's memory does not prevent that. So large
// files are measured first.
//
// A part of a group's limit is left to what its processes take for themselves. For
// the rest the measure errs on the side of allowing. What could be given back (clean
// file pages, reclaimable slabs, swap) counts as room; what cannot be read is
// no limit; and nobody reserves anything between measuring and allocating.

// machine stands for the group that has no limit but the machine's.
const machine = "the machine"

// headroom returns how many bytes of memory this process can still take, and
// what is the tightest: [machine], or the directory of a memory cgroup, its own
// or one on the way up. ok is false if nothing can be read. fsys is the root of
// the file system.
func headroom(fsys fs.FS) (free int64, group string, ok bool) {
	available, swap, ok := memory(fsys)
	if ok {
		free, group = available+swap, machine
	}
	mount, own, v1 := memoryGroup(fsys)
	if mount == "" {
		return free, group, ok
	}
	for dir := own; ; dir = path.Dir(dir) {
		g := cgroup{fsys, dir}
		room, limited := int64(0), false
		if v1 {
			if dir == own || g.text("memory.use_hierarchy") != "0" {
				room, limited = g.room1(swap)
			}
		} else {
			room, limited = g.room2(swap)
		}
		if limited && (!ok || room < free) {
			free, group, ok = max(room, 0), "memory cgroup /"+dir, true
		}
		if dir == mount || len(dir) <= len(mount) {
			return free, group, ok
		}
	}
}

// memoryGroup finds the directory of this process's memory cgroup, and the
// mount point at which its hierarchy ends; both without a leading slash.
// mount is "" if there is none.
func memoryGroup(fsys fs.FS) (mount, own string, v1 bool) {
	groups, err := fs.ReadFile(fsys, "proc/self/cgroup")
	if err != nil {
		return "", "", false
	}
	// 4:memory:/user.slice (version 1) or 0::/user.slice (version 2); where
	// both are mounted, version 1 has the memory.
	member := ""
	for line := range strings.Lines(string(groups)) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(words) != 3 {
			continue
		}
		if slices.Contains(strings.Split(words[1], ","), "memory") {
			member, v1 = words[2], true
			break
		}
		if words[0] == "0" && words[1] == "" {
			member = words[2]
		}
	}
	if member == "" {
		return "", "", false
	}
	mounts, err := fs.ReadFile(fsys, "proc/self/mountinfo")
	if err != nil {
		return "", "", false
	}
	for line := range strings.Lines(string(mounts)) {
		root, point, ok := memoryMount(line, v1)
		if !ok {
			continue
		}
		// In a container the mount may show only a part of the hierarchy, and
		// the membership may be told from outside of it.
		rel, inside := strings.CutPrefix(member, strings.TrimSuffix(root, "/"))
		if own := path.Join(point, rel); inside && isDir(fsys, own) {
			return point, own, v1
		}
		if isDir(fsys, point) {
			return point, point, v1
		}
	}
	return "", "", false
}

// memoryMount reads a line of mountinfo and says whether the memory cgroups
// are mounted there:
//
//	35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
func memoryMount(line string, v1 bool) (root, point string, ok bool) {
	before, after, found := strings.Cut(line, " - ")
	words, tail := strings.Fields(before), strings.Fields(after)
	if !found || len(words) < 5 || len(tail) < 3 {
		return "", "", false
	}
	if v1 {
		ok = tail[0] == "cgroup" && slices.Contains(strings.Split(tail[2], ","), "memory")
	} else {
		ok = tail[0] == "cgroup2"
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	return unescape.Replace(words[3]), strings.TrimPrefix(unescape.Replace(words[4]), "/"), ok
}

func isDir(fsys fs.FS, name string) bool {
	st, err := fs.Stat(fsys, name)
	return err == nil && st.IsDir()
}

// memory returns, in bytes, the memory that the machine can still give without
// swapping, and its free swap space.
func memory(fsys fs.FS) (available, swap int64, ok bool) {
	b, err := fs.ReadFile(fsys, "proc/meminfo")
	if err != nil {
		return 0, 0, false
	}
	kib := func(word string) int64 { return min(number(string(b), word), noLimit/1024) * 1024 }
	available = kib("MemAvailable:")
	return available, kib("SwapFree:"), available > 0
}

// cgroup is one directory of the hierarchy.
type cgroup struct {
	fsys fs.FS
	dir  string
}

// room1 is the room in a group of version 1.
func (g cgroup) room1(swap int64) (room int64, limited bool) {
	stat := g.text("memory.stat")
	give := max(number(stat, "total_cache")-number(stat, "total_shmem"), 0)
	room = noLimit
	if limit := g.limit("memory.limit_in_bytes"); limit < noLimit {
		room = limit - g.usage("memory.usage_in_bytes") + give + swap - ownShare(limit)
	}
	if limit := g.limit("memory.memsw.limit_in_bytes"); limit < noLimit {
		room = min(room, limit-g.usage("memory.memsw.usage_in_bytes")+give-ownShare(limit))
	}
	return room, room < noLimit
}

// room2 is the room in a group of version 2.
func (g cgroup) room2(swap int64) (room int64, limited bool) {
	limit := g.limit("memory.max")
	if limit >= noLimit {
		return 0, false
	}
	stat := g.text("memory.stat")
	give := max(number(stat, "file")-number(stat, "shmem"), 0) + number(stat, "slab_reclaimable")
	if most := g.limit("memory.swap.max"); most < noLimit {
		swap = min(swap, max(most-g.usage("memory.swap.current"), 0))
	}
	return limit - g.usage("memory.current") + give + swap - ownShare(limit), true
}

// ownShare is what is left of a group's limit for the memory of its processes: they
// grow without asking, and the kernel kills one if there is nothing left. A Go heap
// may take several times the largest value before it is collected.
func ownShare(limit int64) int64 { return min(limit/8, 64<<20) }

// noLimit stands for "no limit", with room to add and subtract. The kernel's
// own word for it is "max", or a number close to the largest.
const noLimit = math.MaxInt64 / 8

func (g cgroup) text(file string) string {
	b, err := fs.ReadFile(g.fsys, path.Join(g.dir, file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// limit reads a file with one number; whatever is not a number is no limit.
func (g cgroup) limit(file string) int64 {
	n, err := strconv.ParseInt(g.text(file), 10, 64)
	if err != nil || n < 0 {
		return noLimit
	}
	return min(n, noLimit)
}

// usage reads a file with one number; whatever is not a number is 0.
func (g cgroup) usage(file string) int64 {
	if n := g.limit(file); n < noLimit {
		return n
	}
	return 0
}

// number returns the number behind a word in a text of lines "word number …",
// or 0.
func number(text, word string) int64 {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != word {
			continue
		}
		if n, err := strconv.ParseInt(words[1], 10, 64); err == nil && n >= 0 {
			return min(n, noLimit)
		}
	}
	return 0
}
