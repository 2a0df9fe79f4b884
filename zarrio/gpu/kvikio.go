//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"fmt"
	"strconv"
	"strings"
)

// kvikIO's settings, under its own names, as its file defaults.cpp reads them (version 26.10).
type kvikSettings struct {
	compat    Compat
	threads   int  // KVIKIO_NTHREADS; 0 where it is not set: our own default is not kvikIO's 1
	task      int  // bytes of the largest single read
	threshold int  // bytes below which reads go by POSIX calls
	bounce    int  // bytes of a bounce buffer
	direct    bool // POSIX reads of whole pages go around the page cache
	overread  bool // and those of a few bytes more, to make whole pages of them
}

// readKvikSettings reads the settings from the environment; a value that kvikIO would refuse is an error.
func readKvikSettings(getenv func(string) string) (kvikSettings, error) {
	s := kvikSettings{compat: CompatAuto, task: 4 << 20, threshold: 16 << 10, bounce: 16 << 20}
	if v := getenv("KVIKIO_COMPAT_MODE"); v != "" {
		var err error
		if s.compat, err = parseCompat(v); err != nil {
			return s, fmt.Errorf("KVIKIO_COMPAT_MODE: %w", err)
		}
	}
	for _, v := range []struct {
		names []string
		to    *int
		least int
	}{
		{[]string{"KVIKIO_NTHREADS", "KVIKIO_NUM_THREADS"}, &s.threads, 1},
		{[]string{"KVIKIO_TASK_SIZE"}, &s.task, 1},
		{[]string{"KVIKIO_GDS_THRESHOLD"}, &s.threshold, 0},
		{[]string{"KVIKIO_BOUNCE_BUFFER_SIZE"}, &s.bounce, 1},
	} {
		for _, name := range v.names {
			text := strings.TrimSpace(getenv(name))
			if text == "" {
				continue
			}
			n, err := strconv.Atoi(text)
			if err != nil || n < v.least || n > 1<<30 {
				return s, fmt.Errorf("%s is %q, expected a number from %d to %d", name, text, v.least, 1<<30)
			}
			*v.to = n
			break
		}
	}
	for _, v := range []struct {
		name string
		to   *bool
	}{
		{"KVIKIO_AUTO_DIRECT_IO_READ", &s.direct},
		{"KVIKIO_AUTO_DIRECT_IO_READ_OVERREAD", &s.overread},
	} {
		if text := getenv(v.name); text != "" {
			on, ok := parseSwitch(text)
			if !ok {
				return s, fmt.Errorf("%s is %q, expected on or off", v.name, text)
			}
			*v.to = on
		}
	}
	return s, nil
}

// parseCompat reads a compatibility mode as kvikIO does: in any case of letters, and by any word for on and off.
func parseCompat(text string) (Compat, error) {
	if strings.EqualFold(strings.TrimSpace(text), "auto") {
		return CompatAuto, nil
	}
	on, ok := parseSwitch(text)
	switch {
	case !ok:
		return "", fmt.Errorf("compatibility mode %q: want on, off or auto", text)
	case on:
		return CompatOn, nil
	}
	return CompatOff, nil
}

func parseSwitch(text string) (on, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "on", "true", "yes", "1":
		return true, true
	case "off", "false", "no", "0":
		return false, true
	}
	return false, false
}
