//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// compile stands in for a C compiler: it makes what -o names.
const compile = `#!/bin/sh
[ "$1" = --version ] && { echo version 1; exit; }
while [ $# -gt 0 ]; do [ "$1" = -o ] && echo built > "$2"; shift; done
`

func setCompiler(t *testing.T, script string) (cache string) {
	t.Helper()
	cc := filepath.Join(t.TempDir(), "cc")
	if err := os.WriteFile(cc, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cache = t.TempDir()
	t.Setenv("CC", cc)
	t.Setenv("XDG_CACHE_HOME", cache)
	return cache
}

func TestBuild(t *testing.T) {
	cache := setCompiler(t, compile)
	var wg sync.WaitGroup
	dirs := make([]string, 8)
	for i := range dirs {
		wg.Go(func() {
			dir, err := Build()
			if err != nil {
				t.Error(err)
			}
			dirs[i] = dir
		})
	}
	wg.Wait()
	for _, dir := range dirs {
		if dir != dirs[0] || !complete(dir) {
			t.Errorf("built in %q and %q, or not all of it", dirs[0], dir)
		}
	}
	made, err := filepath.Glob(filepath.Join(cache, "zarrbench", "cudaemu", "*"))
	if err != nil || len(made) != 1 {
		t.Errorf("the cache holds %q, error %v, want one folder", made, err)
	}
	setCompiler(t, strings.Replace(compile, "version 1", "version 2", 1))
	if dir, err := Build(); err != nil || filepath.Base(dir) == filepath.Base(dirs[0]) {
		t.Errorf("with another version of the compiler: built in %q, error %v", dir, err)
	}
}

func TestBuildFails(t *testing.T) {
	for name, test := range map[string]struct{ script, says string }{
		"version": {"#!/bin/sh\nexit 3\n", "--version: exit status 3"},
		"compile": {"#!/bin/sh\n[ \"$1\" = --version ] && exit\necho wrong on line 1\nexit 1\n", "wrong on line 1"},
	} {
		cache := setCompiler(t, test.script)
		if _, err := Build(); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, test.says)
		}
		if made, _ := filepath.Glob(filepath.Join(cache, "zarrbench", "cudaemu", "*")); len(made) != 0 {
			t.Errorf("%s: left %q", name, made)
		}
	}
}

// TestMainWithout has processes that can't have the emulation, or aren't to.
func TestMainWithout(t *testing.T) {
	for _, test := range []struct {
		env, says string
	}{
		{"PATH=/nonexistent", "cudaemu: no C compiler: tests over the emulated driver are skipped"},
		{"ZARRBENCH_CUDAEMU=off", "SKIP"},
		{"ZARRBENCH_CUFILE=/nonexistent", "ZARRBENCH_CUFILE: stat /nonexistent/libcufile.so.0"},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAlloc$", "-test.v")
		name, value, _ := strings.Cut(test.env, "=")
		cmd.Env = with(with(with(os.Environ(), marker, ""), "CC", ""), name, value)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.says) || !strings.Contains(string(out), "--- SKIP: TestAlloc") {
			t.Errorf("%s: %v\n%s", test.env, err, out)
		}
	}
}

func TestEnviron(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/some/lib")
	t.Setenv("LD_PRELOAD", "")
	t.Setenv(realCufile, "")
	env, err := environ("/libs")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(env); !strings.Contains(got, "LD_LIBRARY_PATH=/libs:/some/lib") || !strings.Contains(got, marker+"="+sourcesSum()+":/libs") {
		t.Error(got)
	}
	t.Setenv("LD_LIBRARY_PATH", "/libs:/some/lib")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "libcufile.so.0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(realCufile, dir)
	if env, err = environ("/libs"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(env); !strings.Contains(got, "LD_LIBRARY_PATH="+dir+":/libs:") {
		t.Error(got)
	}
}

// TestPrintEnvironment logs, with -v, what a program that isn't a test has to be started with to run over the emulation.
func TestPrintEnvironment(t *testing.T) {
	for _, v := range Env(t, "") {
		if name, value, _ := strings.Cut(v, "="); value != "" && (name == "LD_LIBRARY_PATH" || name == "LD_PRELOAD") {
			t.Log(v)
			if dir, _, _ := strings.Cut(value, ":"); missing(dir) {
				t.Errorf("%s: nothing is there", dir)
			}
		}
	}
}

// TestEmulate has programs that ask for the emulation where it can't be had, and that don't ask.
func TestEmulate(t *testing.T) {
	t.Setenv(marker, "")
	t.Setenv("CC", "")
	t.Setenv("PATH", "/nonexistent")
	for value, want := range map[string]string{"": "", "0": "", "1": "ZARRBENCH_EMULATE=1: no C compiler"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEmulateChild$", "-test.v")
		cmd.Env = append(os.Environ(), emulate+"="+value, marker+"=off", "GDSTEST_EMULATE=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "says: "+want+"\n") {
			t.Errorf("%s=%s: %v\n%s", emulate, value, err, out)
		}
	}
}

// TestEmulateChild is what TestEmulate starts.
func TestEmulateChild(t *testing.T) {
	if os.Getenv("GDSTEST_EMULATE") == "" {
		t.Skip("TestEmulate starts it")
	}
	says := ""
	if err := Emulate(); err != nil {
		says = err.Error()
	}
	fmt.Println("says: " + says)
}

// TestShim reads, by programs that open and stat in C, what the shim stands in for. Files that are there it leaves alone.
func TestShim(t *testing.T) {
	Need(t)
	for _, test := range []struct {
		path, want string
	}{
		{"/proc/modules", ""},
		{"/run/udev/data/b8:0", "E:ID_FS_TYPE=ext4\nE:ID_FS_USAGE=filesystem\n"},
	} {
		if !missing(test.path) {
			t.Logf("%s is there", test.path)
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `cat "$1" && test -e "$1"`, "sh", test.path)
		cmd.Env = with(os.Environ(), "LD_PRELOAD", filepath.Join(folder(), "shim.so"))
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != test.want {
			t.Errorf("%s: %q, error %v, want %q", test.path, out, err, test.want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `echo text > "$1" && cat "$1" && ls -l "$1" | cut -c 1-10; test ! -e /run/udev/nothing`, "sh", file)
	cmd.Env = with(os.Environ(), "LD_PRELOAD", filepath.Join(folder(), "shim.so"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "text\n-rw-") {
		t.Errorf("a file of one's own: %q, error %v", out, err)
	}
}
