package harness

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// resetPeakRSS makes the kernel count the peak of resident memory anew, so that each row has its own.
func resetPeakRSS() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakRSS returns the most memory that was resident since the last reset, in bytes; 0 if the system doesn't tell.
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

// cpuTime returns the processor time that this process has used, its system calls' included.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
