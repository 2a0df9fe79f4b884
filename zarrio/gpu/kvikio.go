//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"fmt"
	"strconv"
	"strings"
)

// kvikSettings are kvikIO's settings. Their environment variables, values and defaults are those of
// kvikIO's file defaults.cpp, version 26.10.
type kvikSettings struct {
	compat    Compat
	threads   int  // KVIKIO_NTHREADS; 0 if it is not set, since our default is not kvikIO's 1
	task      int  // bytes of the largest single read
	threshold int  // bytes; smaller reads use POSIX calls
	bounce    int  // bytes of a bounce buffer
	direct    bool // POSIX reads of whole pages bypass the page cache
	overread  bool // with direct: extend other POSIX reads to whole pages
}

// readKvikSettings returns the settings that the environment holds. A value that kvikIO would
// refuse is an error.
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
				return s, fmt.Errorf("%s is %q, expected a number from %d to %d",
					name, text, v.least, 1<<30)
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

// parseCompat parses a compatibility mode as kvikIO does: it ignores case, and accepts all words
// for on and off that parseSwitch does.
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

// parseSwitch parses on and off in the words that kvikIO accepts. ok is false for any other text.
func parseSwitch(text string) (on, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "on", "true", "yes", "1":
		return true, true
	case "off", "false", "no", "0":
		return false, true
	}
	return false, false
}
