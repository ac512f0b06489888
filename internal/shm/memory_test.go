package shm

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// tree makes a file system of path → content.
func tree(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

const (
	mounts2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	mounts1 = "30 23 0:27 / /sys rw - sysfs sysfs rw\n" +
		"33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
		"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	cg2 = "sys/fs/cgroup/"
	cg1 = "sys/fs/cgroup/memory/"
)

func TestHeadroom(t *testing.T) {
	for _, c := range []struct {
		what  string
		files map[string]string
		free  int64
		group string // "" = no limit
	}{
		{"nothing to read", nil, 0, ""},
		{"no mount", map[string]string{"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": ""}, 0, ""},
		{"garbage", map[string]string{"proc/self/cgroup": "x\n:::\n\n", "proc/self/mountinfo": " - \n - a b c\n1 2 3\n"}, 0, ""},

		{"the machine alone", map[string]string{"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   2 kB\nSwapFree: 1 kB\n"}, 3072, machine},
		{"an old kernel, which does not say", map[string]string{"proc/meminfo": "MemTotal: 9 kB\nSwapFree: 1 kB\n"}, 0, ""},
		{"the machine is tighter than the group", map[string]string{
			"proc/meminfo":     "MemAvailable: 2 kB\n",
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "4000\n",
		}, 2048, machine},
		{"the group is tighter than the machine", map[string]string{
			"proc/meminfo":     "MemAvailable: 2000 kB\n",
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "4000\n",
		}, 6000 - 1250, "memory cgroup /sys/fs/cgroup/a"},

		{"v2: unlimited", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "max\n", cg2 + "a/memory.current": "5000\n",
		}, 0, ""},
		{"v2: limited", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "4000\n",
		}, 6000 - 1250, "memory cgroup /sys/fs/cgroup/a"},
		{"v2: the parent is tighter", map[string]string{
			"proc/self/cgroup": "0::/a/b/c\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "8000\n",
			cg2 + "a/b/memory.max": "max\n", cg2 + "a/b/memory.current": "8000\n",
			cg2 + "a/b/c/memory.max": "8000\n", cg2 + "a/b/c/memory.current": "100\n",
		}, 2000 - 1250, "memory cgroup /sys/fs/cgroup/a"},
		{"v2: caches are room, shared memory is not", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "10000\n",
			cg2 + "a/memory.stat": "anon 1000\nfile 5000\nshmem 3000\nslab_reclaimable 70\nslab 900\n",
		}, 2070 - 1250, "memory cgroup /sys/fs/cgroup/a"},
		{"v2: swap is room", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			"proc/meminfo":       "MemFree: 1 kB\nSwapFree:      3 kB\n",
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "10000\n",
		}, 3072 - 1250, "memory cgroup /sys/fs/cgroup/a"},
		{"v2: the group's own share of swap", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			"proc/meminfo":       "SwapFree:      3 kB\n",
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "8000\n",
			cg2 + "a/memory.swap.max": "100\n", cg2 + "a/memory.swap.current": "40\n",
		}, 2060 - 1250, "memory cgroup /sys/fs/cgroup/a"},
		{"v2: over its limit", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "10000\n", cg2 + "a/memory.current": "12000\n",
		}, 0, "memory cgroup /sys/fs/cgroup/a"},
		{"v2: numbers that are none", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			cg2 + "a/memory.max": "-1\n", cg2 + "a/memory.current": "x\n",
		}, 0, ""},
		{"v2: the membership is told from outside of the container", map[string]string{
			"proc/self/cgroup": "0::/../../host/path\n", "proc/self/mountinfo": mounts2,
			cg2 + "memory.max": "700\n", cg2 + "memory.current": "200\n",
		}, 500 - 87, "memory cgroup /sys/fs/cgroup"},
		{"v2: the mount shows a part", map[string]string{
			"proc/self/cgroup":    "0::/docker/x/sub\n",
			"proc/self/mountinfo": "31 23 0:28 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			cg2 + "memory.max":    "700\n", cg2 + "memory.current": "200\n",
			cg2 + "sub/memory.max": "400\n", cg2 + "sub/memory.current": "100\n",
		}, 300 - 50, "memory cgroup /sys/fs/cgroup/sub"},
		{"v2: a mount point with a space", map[string]string{
			"proc/self/cgroup":    "0::/\n",
			"proc/self/mountinfo": `31 23 0:28 / /mnt/c\040g rw - cgroup2 cgroup2 rw` + "\n",
			"mnt/c g/memory.max":  "700\n", "mnt/c g/memory.current": "200\n",
		}, 500 - 87, "memory cgroup /mnt/c g"},

		{"v1: unlimited", map[string]string{
			"proc/self/cgroup": "4:cpu:/\n9:memory:/a\n0::/\n", "proc/self/mountinfo": mounts1,
			cg1 + "a/memory.limit_in_bytes": "9223372036854771712\n", cg1 + "a/memory.usage_in_bytes": "5\n",
		}, 0, ""},
		{"v1: limited, with others mounted together", map[string]string{
			"proc/self/cgroup": "9:hugetlb,memory:/a\n0::/x\n", "proc/self/mountinfo": mounts1,
			cg1 + "a/memory.limit_in_bytes": "10000\n", cg1 + "a/memory.usage_in_bytes": "8000\n",
			cg1 + "a/memory.stat": "cache 1\ntotal_cache 600\ntotal_shmem 500\n",
		}, 2100 - 1250, "memory cgroup /sys/fs/cgroup/memory/a"},
		{"v1: memory and swap together are tighter", map[string]string{
			"proc/self/cgroup": "9:memory:/a\n", "proc/self/mountinfo": mounts1,
			"proc/meminfo":                  "SwapFree: 1000 kB\n",
			cg1 + "a/memory.limit_in_bytes": "10000\n", cg1 + "a/memory.usage_in_bytes": "8000\n",
			cg1 + "a/memory.memsw.limit_in_bytes": "10000\n", cg1 + "a/memory.memsw.usage_in_bytes": "8100\n",
		}, 1900 - 1250, "memory cgroup /sys/fs/cgroup/memory/a"},
		{"v1: a parent that does not bind", map[string]string{
			"proc/self/cgroup": "9:memory:/a/b\n", "proc/self/mountinfo": mounts1,
			cg1 + "a/memory.limit_in_bytes": "10\n", cg1 + "a/memory.usage_in_bytes": "9\n", cg1 + "a/memory.use_hierarchy": "0\n",
			cg1 + "a/b/memory.limit_in_bytes": "10000\n", cg1 + "a/b/memory.usage_in_bytes": "8000\n",
		}, 2000 - 1250, "memory cgroup /sys/fs/cgroup/memory/a/b"},
		{"v1: a parent that binds", map[string]string{
			"proc/self/cgroup": "9:memory:/a/b\n", "proc/self/mountinfo": mounts1,
			cg1 + "a/memory.limit_in_bytes": "10\n", cg1 + "a/memory.usage_in_bytes": "8\n", cg1 + "a/memory.use_hierarchy": "1\n",
			cg1 + "a/b/memory.limit_in_bytes": "10000\n", cg1 + "a/b/memory.usage_in_bytes": "8000\n",
		}, 1, "memory cgroup /sys/fs/cgroup/memory/a"},
	} {
		t.Run(c.what, func(t *testing.T) {
			free, group, ok := headroom(tree(c.files))
			require.Equal(t, c.group != "", ok)
			require.Equal(t, c.group, group)
			require.Equal(t, c.free, free)
		})
	}
}

// Whatever this machine says, it is understood without a panic, and a limit
// has a group.
func TestHeadroomHere(t *testing.T) {
	free, group, ok := headroom(os.DirFS("/"))
	t.Logf("%d bytes in %q, limited: %v", free, group, ok)
	require.Equal(t, ok, group != "")
	require.GreaterOrEqual(t, free, int64(0))
}

func FuzzHeadroom(f *testing.F) {
	f.Add("0::/a\n", mounts2, "10\n", "file 5\nshmem 9\n")
	f.Add("9:memory:/a\n", mounts1, "max", "total_cache -1\n")
	f.Fuzz(func(t *testing.T, groups, mounts, limit, stat string) {
		fsys := tree(map[string]string{"proc/self/cgroup": groups, "proc/self/mountinfo": mounts})
		for _, dir := range []string{cg2 + "a/", cg1 + "a/", cg2, cg1} {
			for _, file := range []string{"memory.max", "memory.limit_in_bytes"} {
				fsys[dir+file] = &fstest.MapFile{Data: []byte(limit)}
			}
			fsys[dir+"memory.stat"] = &fstest.MapFile{Data: []byte(stat)}
		}
		if free, _, ok := headroom(fsys); ok && free < 0 {
			t.Fatalf("room for %d bytes", free)
		}
	})
}
