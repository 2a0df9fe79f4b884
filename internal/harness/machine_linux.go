package harness

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// resetPeakRSS resets the kernel's peak of resident memory, so that each row has its own.
func resetPeakRSS() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakRSS returns the peak of resident memory since the last reset, in bytes, or 0 if it is unknown.
func peakRSS() int64 {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(procField("/proc/self/status", "VmHWM"), " kB"), 10, 64)
	return kib << 10
}

// cpuModel returns the processor's name.
func cpuModel() string {
	if name := procField("/proc/cpuinfo", "model name"); name != "" {
		return name
	}
	return "unknown processor"
}

// procField returns the first value of a field in a file of "name : value" lines.
func procField(file, field string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		if name, value, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(name) == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// cpuTime returns the processor time that this process has used, including system calls.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
