//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"strings"
	"testing"
)

// TestKvikSettings reads kvikIO's variables as it does.
func TestKvikSettings(t *testing.T) {
	defaults := kvikSettings{compat: CompatAuto, task: 4 << 20, threshold: 16 << 10, bounce: 16 << 20}
	with := func(change func(*kvikSettings)) kvikSettings {
		s := defaults
		change(&s)
		return s
	}
	for _, tt := range []struct {
		env  string
		want kvikSettings
		err  string
	}{
		{"", defaults, ""},
		{"KVIKIO_COMPAT_MODE=On", with(func(s *kvikSettings) { s.compat = CompatOn }), ""},
		{"KVIKIO_COMPAT_MODE=TRUE", with(func(s *kvikSettings) { s.compat = CompatOn }), ""},
		{"KVIKIO_COMPAT_MODE=0", with(func(s *kvikSettings) { s.compat = CompatOff }), ""},
		{"KVIKIO_COMPAT_MODE=no", with(func(s *kvikSettings) { s.compat = CompatOff }), ""},
		{"KVIKIO_COMPAT_MODE=auto", defaults, ""},
		{"KVIKIO_COMPAT_MODE=maybe", kvikSettings{}, `KVIKIO_COMPAT_MODE: compatibility mode "maybe": want on, off or auto`},
		{"KVIKIO_NTHREADS=3", with(func(s *kvikSettings) { s.threads = 3 }), ""},
		{"KVIKIO_NUM_THREADS=4", with(func(s *kvikSettings) { s.threads = 4 }), ""},
		{"KVIKIO_NTHREADS=3 KVIKIO_NUM_THREADS=4", with(func(s *kvikSettings) { s.threads = 3 }), ""},
		{"KVIKIO_NTHREADS=0", kvikSettings{}, `KVIKIO_NTHREADS is "0", expected a number from 1`},
		{"KVIKIO_TASK_SIZE=1048576 KVIKIO_GDS_THRESHOLD=0 KVIKIO_BOUNCE_BUFFER_SIZE=65536",
			with(func(s *kvikSettings) { s.task, s.threshold, s.bounce = 1<<20, 0, 1<<16 }), ""},
		{"KVIKIO_TASK_SIZE=4MiB", kvikSettings{}, `KVIKIO_TASK_SIZE is "4MiB"`},
		{"KVIKIO_GDS_THRESHOLD=-1", kvikSettings{}, `KVIKIO_GDS_THRESHOLD is "-1"`},
		{"KVIKIO_AUTO_DIRECT_IO_READ=yes KVIKIO_AUTO_DIRECT_IO_READ_OVERREAD=1", with(func(s *kvikSettings) { s.direct, s.overread = true, true }), ""},
		{"KVIKIO_AUTO_DIRECT_IO_READ=2", kvikSettings{}, `KVIKIO_AUTO_DIRECT_IO_READ is "2", expected on or off`},
	} {
		env := map[string]string{}
		for v := range strings.FieldsSeq(tt.env) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		got, err := readKvikSettings(func(name string) string { return env[name] })
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.env, err, tt.err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.env, got, err, tt.want)
		}
	}
}
