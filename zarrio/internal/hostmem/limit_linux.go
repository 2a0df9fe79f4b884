package hostmem

import (
	"bytes"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// advise asks for huge pages: a fault in 2 MiB rather than in 4 KiB, and fewer misses of the TLB. A kernel without them
// refuses, and nothing is lost but speed.
func advise(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }

// Limit returns how many bytes of memory this process may use: the machine's, or its cgroups' if they allow less.
var Limit = sync.OnceValue(func() int64 {
	limit := int64(unknown)
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) == nil {
		limit = int64(uint64(si.Totalram) * uint64(si.Unit))
	}
	return min(limit, cgroupLimit("/"))
})

// cgroupLimit returns the lowest limit that a cgroup of this process has, in the system whose root is at root.
func cgroupLimit(root string) int64 {
	limit := int64(math.MaxInt64)
	eachCgroup(root, func(dir string) {
		limit = min(limit, readInt(dir+"/memory.max"), readInt(dir+"/memory.limit_in_bytes"))
	})
	return limit
}

// Available returns how many bytes this process can still take without swapping or being killed: what the kernel says is
// available on the machine, or the room that its cgroups leave. Page cache counts as available.
func Available() int64 { return available("/") }

func available(root string) int64 {
	avail := int64(unknown)
	if info, err := os.ReadFile(root + "/proc/meminfo"); err == nil {
		for line := range bytes.Lines(info) {
			if f := strings.Fields(string(line)); len(f) >= 2 && f[0] == "MemAvailable:" {
				if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					avail = kib << 10
				}
			}
		}
	}
	eachCgroup(root, func(dir string) {
		for _, f := range [][2]string{{"memory.max", "memory.current"}, {"memory.limit_in_bytes", "memory.usage_in_bytes"}} {
			limit, used := readInt(dir+"/"+f[0]), readInt(dir+"/"+f[1])
			if limit < math.MaxInt64 && used < math.MaxInt64 {
				avail = min(avail, limit-used+inactiveFile(dir))
			}
		}
	})
	return max(avail, 0)
}

// inactiveFile returns the bytes of page cache that a cgroup gives up when it needs memory.
func inactiveFile(dir string) int64 {
	stat, err := os.ReadFile(dir + "/memory.stat")
	if err != nil {
		return 0
	}
	var n int64
	for line := range bytes.Lines(stat) {
		if f := strings.Fields(string(line)); len(f) == 2 && (f[0] == "inactive_file" || f[0] == "active_file") {
			v, _ := strconv.ParseInt(f[1], 10, 64)
			n += v
		}
	}
	return n
}

// eachCgroup calls f with the directory of this process's cgroup and of each above it: every one of them may have a limit.
func eachCgroup(root string, f func(dir string)) {
	self, err := os.ReadFile(root + "/proc/self/cgroup")
	if err != nil {
		return
	}
	for line := range bytes.Lines(self) {
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 {
			continue
		}
		tree := root + "/sys/fs/cgroup"
		if parts[1] != "" { // cgroup v1 has a tree a controller
			if !slices.Contains(strings.Split(parts[1], ","), "memory") {
				continue
			}
			tree += "/memory"
		}
		for p := path.Clean("/" + parts[2]); ; p = path.Dir(p) {
			f(tree + p)
			if p == "/" {
				break
			}
		}
	}
}

// readInt reads a file that holds one number; anything else, such as "max", stands for no limit.
func readInt(name string) int64 {
	b, err := os.ReadFile(name)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}
