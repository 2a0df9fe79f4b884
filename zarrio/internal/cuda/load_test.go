//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/internal/cudaemu"
)

// load runs Load in a child with that environment.
func load(t *testing.T, env []string) loaded {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable)
	// With the race detector a process sleeps a second before it ends, unless it is told not to.
	cmd.Env = append(env, childVariable+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var l loaded
	if err := json.Unmarshal(out, &l); err != nil {
		t.Fatalf("child said %q: %v", out, err)
	}
	return l
}

// clean returns this process's environment without what leads to a library, and with what is given.
func clean(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "LD_") || strings.HasPrefix(s, "EMU=")
	})
	return append(env, more...)
}

// compile makes a libcuda.so.1 and returns its folder.
func compile(t *testing.T, source string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	cmd := exec.Command(cc, "-shared", "-fPIC", "-o", filepath.Join(dir, library), "-x", "c", "-")
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func TestLoadNoLibrary(t *testing.T) {
	l := load(t, clean())
	if l.Step != StepOpen {
		t.Skipf("this machine has a libcuda.so.1: %+v", l)
	}
	const want = "dlopen: libcuda.so.1: cannot open shared object file: No such file or directory: " +
		"no NVIDIA driver is installed, or LD_LIBRARY_PATH does not reach it"
	if l.Text != want {
		t.Errorf("error %q, want %q", l.Text, want)
	}
}

func TestLoadOtherFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, library), []byte("no library"), 0o666); err != nil {
		t.Fatal(err)
	}
	l := load(t, clean("LD_LIBRARY_PATH="+dir))
	if l.Step != StepOpen || !strings.Contains(l.Text, dir) {
		t.Errorf("step %q, error %q, want %s and the file's name", l.Step, l.Text, StepOpen)
	}
}

func TestLoadSymbols(t *testing.T) {
	for _, test := range []struct{ source, missing string }{
		{"int something(void) { return 0; }", "cuInit"},
		{allSymbols("cuMemcpy2DAsync_v2"), "cuMemcpy2DAsync_v2"},
		{allSymbols("cuLaunchKernel"), "cuLaunchKernel"},
	} {
		l := load(t, clean("LD_LIBRARY_PATH="+compile(t, test.source)))
		if l.Step != StepSymbol || !strings.Contains(l.Text, "undefined symbol: "+test.missing) ||
			!strings.Contains(l.Text, "driver is too old") {
			t.Errorf("without %s: step %q, error %q", test.missing, l.Step, l.Text)
		}
	}
}

// allSymbols is the source of a library with all functions but those named. What they return is in the environment, by the
// function's name, and otherwise 0. The functions that Load calls write what the environment has as name_out.
func allSymbols(but ...string) string {
	var b strings.Builder
	b.WriteString("#include <stdlib.h>\nstatic int number(const char *s) { s = getenv(s); return s ? atoi(s) : 0; }\n")
	var f functions
	for _, s := range f.symbols() {
		switch {
		case slices.Contains(but, s.name):
		case s.fn == &f.version, s.fn == &f.count:
			fmt.Fprintf(&b, "int %s(int *p) { *p = number(%q); return number(%q); }\n", s.name, s.name+"_out", s.name)
		default:
			fmt.Fprintf(&b, "int %s(void) { return number(%q); }\n", s.name, s.name)
		}
	}
	return b.String()
}

func TestLoadSteps(t *testing.T) {
	// Without cuGetErrorName names come of the table; without cuDeviceGetPCIBusId Load works too.
	dir := compile(t, allSymbols("cuGetErrorName", "cuDeviceGetPCIBusId"))
	for _, test := range []struct {
		env  string
		want loaded
		hint string
	}{
		{"cuDeviceGetCount_out=2", loaded{Version: 12090, Count: 2}, ""},
		{"cuDeviceGetCount_out=0",
			loaded{Step: StepCount, Call: "cuDeviceGetCount", Code: 100, Name: "CUDA_ERROR_NO_DEVICE"}, "there is no NVIDIA GPU"},
		{"cuDeviceGetCount=3",
			loaded{Step: StepCount, Call: "cuDeviceGetCount", Code: 3, Name: "CUDA_ERROR_NOT_INITIALIZED"}, ""},
		{"cuDriverGetVersion=1",
			loaded{Step: StepVersion, Call: "cuDriverGetVersion", Code: 1, Name: "CUDA_ERROR_INVALID_VALUE"}, ""},
		{"cuInit=34", loaded{Step: StepInit, Call: "cuInit", Code: 34, Name: "CUDA_ERROR_STUB_LIBRARY"}, "stub"},
		{"cuInit=100", loaded{Step: StepInit, Call: "cuInit", Code: 100, Name: "CUDA_ERROR_NO_DEVICE"}, "CUDA_VISIBLE_DEVICES"},
		{"cuInit=802", loaded{Step: StepInit, Call: "cuInit", Code: 802, Name: "CUDA_ERROR_SYSTEM_NOT_READY"}, "still starting"},
		{"cuInit=803",
			loaded{Step: StepInit, Call: "cuInit", Code: 803, Name: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}, "different versions"},
		{"cuInit=804", loaded{Step: StepInit, Call: "cuInit", Code: 804, Name: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"},
			"forward compatibility"},
		{"cuInit=805", loaded{Step: StepInit, Call: "cuInit", Code: 805, Name: "CUDA_ERROR_MPS_CONNECTION_FAILED"}, "MPS"},
		{"cuInit=999", loaded{Step: StepInit, Call: "cuInit", Code: 999, Name: "CUDA_ERROR_UNKNOWN"}, "kernel module"},
		{"cuInit=12345", loaded{Step: StepInit, Call: "cuInit", Code: 12345, Name: "CUresult 12345"}, ""},
	} {
		env := clean("LD_LIBRARY_PATH="+dir, "cuDriverGetVersion_out=12090", test.env)
		got := load(t, env)
		text := got.Text
		got.Text = ""
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.env, got, test.want)
		}
		if got.Step == "" {
			continue
		}
		start := fmt.Sprintf("%s: %s (%d)", got.Call, got.Name, got.Code)
		if rest, ok := strings.CutPrefix(text, start); !ok || (rest == "") != (test.hint == "") || !strings.Contains(rest, test.hint) {
			t.Errorf("%s: error %q, want %q and %q", test.env, text, start, test.hint)
		}
	}
}

func TestLoadEmulated(t *testing.T) {
	cudaemu.Need(t)
	for _, test := range []struct {
		emu  string
		want loaded
	}{
		{"devices=3", loaded{Version: 12090, Count: 3, Emulated: true}},
		{"fail=cuInit:3:0:0:-1",
			loaded{Step: StepInit, Call: "cuInit", Code: 3, Name: "CUDA_ERROR_NOT_INITIALIZED"}},
		{"devices=0", loaded{Step: StepInit, Call: "cuInit", Code: 100, Name: "CUDA_ERROR_NO_DEVICE"}},
		{"fail=cuInit:999:0:0:-1", loaded{Step: StepInit, Call: "cuInit", Code: 999, Name: "CUDA_ERROR_UNKNOWN"}},
		{"fail=cuDeviceGetCount:100:0:0:-1",
			loaded{Step: StepCount, Call: "cuDeviceGetCount", Code: 100, Name: "CUDA_ERROR_NO_DEVICE"}},
	} {
		got := load(t, cudaemu.Env(t, test.emu))
		got.Text = ""
		if test.want.Version != 0 {
			test.want.Version = got.Version // the emulator's to choose
		}
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.emu, got, test.want)
		}
	}
}

func TestErrorName(t *testing.T) {
	for code, name := range names {
		if got := ErrorName(code); got != name || code != 0 && !strings.HasPrefix(name, "CUDA_ERROR_") {
			t.Errorf("ErrorName(%d) = %q, table %q", code, got, name)
		}
	}
	for code, want := range map[int]string{
		0: "CUDA_SUCCESS", 2: "CUDA_ERROR_OUT_OF_MEMORY", 222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
		700: "CUDA_ERROR_ILLEGAL_ADDRESS", 719: "CUDA_ERROR_LAUNCH_FAILED", 999: "CUDA_ERROR_UNKNOWN",
		-1: "CUresult -1", 12345: "CUresult 12345",
	} {
		if got := ErrorName(code); got != want {
			t.Errorf("ErrorName(%d) = %q, want %q", code, got, want)
		}
	}
}

// TestErrorNameDriver holds the table against the library's own names.
func TestErrorNameDriver(t *testing.T) {
	cudaemu.Need(t)
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range names {
		if got := d.nameOf(code); got != want {
			t.Errorf("%d is %q for the driver, want %q", code, got, want)
		}
	}
	if got, want := d.nameOf(12345), "CUresult 12345"; got != want {
		t.Errorf("12345 is %q for the driver, want %q", got, want)
	}
}
