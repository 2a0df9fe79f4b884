//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	// marker is set to the hash of the sources and the folder of the libraries in processes over the emulation. A user sets it to off.
	marker     = "ZARRBENCH_CUDAEMU"
	realCufile = "ZARRBENCH_CUFILE"  // set by the user to a folder with NVIDIA's libcufile.so.0
	emulate    = "ZARRBENCH_EMULATE" // set by the user to 1, for programs that measure
)

// Main is for TestMain: os.Exit(cudaemu.Main(m)). It starts the test binary again, once, with the emulated libraries where the dynamic linker looks first,
// and there runs the tests. Where that can't be done it says why on standard error and runs the tests without emulation. With the environment variable
// ZARRBENCH_CUDAEMU set to off it doesn't try. ZARRBENCH_CUFILE names a folder whose libcufile.so.0 is used in place of the emulated one.
func Main(m *testing.M) int {
	if folder() == "" && os.Getenv(marker) != "off" {
		if err := restart(); errors.Is(err, errNoCompiler) {
			fmt.Fprintln(os.Stderr, "cudaemu: no C compiler: tests over the emulated driver are skipped")
		} else {
			fmt.Fprintln(os.Stderr, "cudaemu: tests over the emulated driver are skipped:", err)
		}
	}
	return m.Run()
}

// Emulate is for programs that use a real GPU unless the environment variable ZARRBENCH_EMULATE is 1: then it starts the program again, once, over the
// emulation, as Main does. Where that can't be done the error says why: who asks for the emulation isn't to get what the machine has.
func Emulate() error {
	if os.Getenv(emulate) != "1" || folder() != "" {
		return nil
	}
	return fmt.Errorf("%s=1: %w", emulate, restart())
}

// folder returns where the libraries are that this process runs over, or "". A process that was started by one that has other sources isn't over them.
var folder = sync.OnceValue(func() string {
	sum, dir, _ := strings.Cut(os.Getenv(marker), ":")
	if sum != sourcesSum() {
		return ""
	}
	return dir
})

// restart returns only if it can't be done.
func restart() error {
	dir, err := Build()
	if err != nil {
		return err
	}
	env, err := environ(dir)
	if err != nil {
		return err
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	return fmt.Errorf("starting %s again: %w", path, syscall.Exec(path, os.Args, env))
}

// environ returns the environment of a process over the libraries in dir.
func environ(dir string) ([]string, error) {
	libs := dir
	if real := os.Getenv(realCufile); real != "" {
		abs, err := filepath.Abs(real)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(abs, "libcufile.so.0")); err != nil {
			return nil, fmt.Errorf("%s: %w", realCufile, err)
		}
		libs = abs + ":" + dir
	}
	env := with(os.Environ(), marker, sourcesSum()+":"+dir)
	env = with(env, "LD_LIBRARY_PATH", join(libs, os.Getenv("LD_LIBRARY_PATH"), ":"))
	if missing("/proc/modules") || missing("/run/udev") {
		env = with(env, "LD_PRELOAD", join(filepath.Join(dir, "shim.so"), os.Getenv("LD_PRELOAD"), ":"))
	}
	return env, nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return err != nil
}

// join puts s before list, unless it begins it.
func join(s, list, sep string) string {
	if list == "" || list == s || strings.HasPrefix(list, s+sep) {
		return cmp.Or(list, s)
	}
	return s + sep + list
}

// with returns env with one variable set.
func with(env []string, name, value string) []string {
	var out []string
	for _, e := range env {
		if !strings.HasPrefix(e, name+"=") {
			out = append(out, e)
		}
	}
	return append(out, name+"="+value)
}

// Need skips the test where this process isn't over the emulation.
func Need(t testing.TB) {
	t.Helper()
	if _, err := load(); err != nil {
		t.Skip(err)
	}
}

// Env returns an environment for a child process over the emulation, in which the variable EMU is emu. The child may be any program; one whose TestMain calls
// Main doesn't start itself again.
func Env(t testing.TB, emu string) []string {
	t.Helper()
	Need(t)
	env, err := environ(folder())
	if err != nil {
		t.Fatal(err)
	}
	return with(env, "EMU", emu)
}

// RealCufile reports whether this process is over NVIDIA's libcufile, itself over the emulated libcuda.
func RealCufile() bool { return folder() != "" && os.Getenv(realCufile) != "" }
