package hostmem

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// system makes a directory that looks like a machine's root.
func system(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCgroups(t *testing.T) {
	const meminfo = "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    8000 kB\n"
	tests := []struct {
		name         string
		files        map[string]string
		limit, avail int64
	}{
		{"nothing", nil, math.MaxInt64, unknown},
		{"no cgroup", map[string]string{"proc/meminfo": meminfo}, math.MaxInt64, 8000 << 10},
		{"v2", map[string]string{
			"proc/meminfo":                    meminfo,
			"proc/self/cgroup":                "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":      "3000000\n",
			"sys/fs/cgroup/a/memory.current":  "1000000\n",
			"sys/fs/cgroup/a/memory.stat":     "anon 5\nactive_file 100\ninactive_file 200\n",
			"sys/fs/cgroup/a/b/memory.max":    "max\n",
			"sys/fs/cgroup/other/memory.max":  "1\n",
			"sys/fs/cgroup/a/b/memory.events": "low 0\n",
		}, 3000000, 2000300},
		{"v2 inner", map[string]string{
			"proc/self/cgroup":                 "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":       "3000000\n",
			"sys/fs/cgroup/a/b/memory.max":     "2000000\n",
			"sys/fs/cgroup/a/b/memory.current": "2500000\n",
		}, 2000000, 0},
		{"v2 in a container", map[string]string{
			"proc/self/cgroup":             "0::/../../x\n",
			"sys/fs/cgroup/memory.max":     "5000\n",
			"sys/fs/cgroup/memory.current": "1000\n",
		}, 5000, 4000},
		{"v1", map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "12:cpu,cpuacct:/a\n5:memory:/a\n1:name=systemd:/a\n0::/z\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes":   "4000000\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "700\n",
			"sys/fs/cgroup/memory/a/memory.usage_in_bytes": "200\n",
			"sys/fs/cgroup/cpu,cpuacct/a/memory.max":       "1\n",
		}, 700, 500},
		{"garbage", map[string]string{
			"proc/meminfo":                "MemAvailable: many kB\nMemAvailable:\n",
			"proc/self/cgroup":            "\nx\n0:\n0::/a\n",
			"sys/fs/cgroup/a/memory.max":  "",
			"sys/fs/cgroup/a/memory.stat": "inactive_file\n",
		}, math.MaxInt64, unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := system(t, tt.files)
			if got := cgroupLimit(root); got != tt.limit {
				t.Errorf("cgroupLimit = %d, want %d", got, tt.limit)
			}
			if got := available(root); got != tt.avail {
				t.Errorf("available = %d, want %d", got, tt.avail)
			}
		})
	}
}
