//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zarrbench/internal/cudaemu"
	"zarrbench/zarrio/internal/cuda"
)

func TestOpen(t *testing.T) {
	d := testDriver(t)
	if d.Emulated() == cudaemu.RealCufile() || d.Version() < 1140 || filepath.Base(d.Path()) != soname || d.Device().Ordinal() != 0 {
		t.Errorf("emulated %v, version %d, path %s", d.Emulated(), d.Version(), d.Path())
	}
	second := testDriverOn(t, d.dev) // at the same time
	path, data := testFile(t, 65536)
	p := alloc(t, d.dev, 65536)
	for _, d := range []*Driver{d, second} {
		if n, err := register(t, d, path, 0).Read(p, 65536, 0, 0); n != 65536 || err != nil {
			t.Errorf("%d bytes, error %v", n, err)
		}
	}
	expect(t, d.dev, p, data)
}

// TestReopen closes the driver and opens it again in one process.
func TestReopen(t *testing.T) {
	cudaemu.NoLeaks(t)
	dev := testDevice(t, 0)
	path, data := testFile(t, 65536)
	p := alloc(t, dev, 65536)
	for range 3 {
		d, err := Open(dev, Config{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		h, err := d.Register(f)
		if err != nil {
			t.Fatal(err)
		}
		before, statsErr := d.Stats()
		fill(t, dev, p, 65536, 0)
		if n, err := h.Read(p, 65536, 0, 0); n != 65536 || err != nil {
			t.Errorf("%d bytes, error %v", n, err)
		}
		expect(t, dev, p, data)
		if after, err := d.Stats(); statsErr == nil && (err != nil || after.Sub(before).POSIXReads != 1) {
			t.Errorf("%+v, error %v", after.Sub(before), err)
		}
		if err := errors.Join(h.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestMissing has no libcufile, and one that is another library.
func TestMissing(t *testing.T) {
	cudaemu.Need(t)
	var cuda string
	for _, dir := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "libcuda.so.1")); err == nil {
			cuda = filepath.Join(dir, "libcuda.so.1")
			break
		}
	}
	for _, test := range []struct{ name, want string }{
		{"", "load libcufile.so.0: "},
		{soname, "libcufile.so.0 lacks a function: "},
	} {
		dir := t.TempDir()
		for _, name := range []string{"libcuda.so.1", test.name} {
			if name == "" {
				continue
			}
			if err := os.Symlink(cuda, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		inChild(t, "TestChildMissing", "", "LD_LIBRARY_PATH="+dir, wantVariable+"="+test.want)
	}
}

const wantVariable = "ZARRBENCH_CUFILE_WANT"

func TestChildMissing(t *testing.T) {
	child(t)
	d, err := Open(testDevice(t, 0), Config{})
	if err == nil {
		d.Close()
		t.Fatal("no error")
	}
	if want := os.Getenv(wantVariable); !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestNoLog opens the driver in an empty folder, where nothing may be afterwards.
func TestNoLog(t *testing.T) { inChild(t, "TestChildNoLog", "") }

func TestChildNoLog(t *testing.T) {
	child(t)
	dir := t.TempDir()
	t.Chdir(dir)
	os.Unsetenv(logVariable)
	os.Unsetenv("CUFILE_ENV_PATH_JSON")
	testDriver(t)
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%v, error %v", files, err)
	}
}

func TestFaultyProbe(t *testing.T) {
	emulated(t)
	for _, test := range []struct {
		name, emu string
		want      []string
		code      int
	}{
		{"error", "fail=cuFileDriverOpen:5033:0:0:1", []string{"a child process", "cuFileDriverOpen: CU_FILE_NVFS_SETUP_ERROR (5033)"}, 5033},
		{"CUDA's error", "fail=cuFileDriverOpen:5011:999:0:1", []string{"CUDA_ERROR_UNKNOWN (999)"}, 5011},
		{"close", "fail=cuFileDriverClose_v2:5006:0:0:1", []string{"cuFileDriverClose_v2: CU_FILE_DRIVER_CLOSING (5006)"}, 5006},
		{"no device", "devices=0", []string{"a child process", "CUDA_ERROR_NO_DEVICE"}, 0},
		{"cuInit", "fail=cuInit:999:0:0:-1", []string{"a child process", "cuInit", "999"}, 0},
		{"crash", "cufile.crash=1", []string{"a child process", "; it wrote: emulated libcufile: aborts", "SIGABRT"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			cudaemu.NoLeaks(t)
			dev := testDevice(t, 0)
			forgetProbes(t)
			t.Setenv("EMU", test.emu) // which the child alone reads now
			d, err := Open(dev, Config{})
			if err == nil {
				d.Close()
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
			var e *Error
			if errors.As(err, &e) && e.Code != test.code || !errors.As(err, &e) && test.code != 0 {
				t.Errorf("error %#v, want code %d", err, test.code)
			}
			t.Setenv("EMU", "")
			testDriverOn(t, dev) // A bad probe isn't remembered.
		})
	}
}

// forgetProbes has the next Open try the driver again, and forget that after the test.
func forgetProbes(t *testing.T) {
	probed.Clear()
	t.Cleanup(probed.Clear)
}

// TestHang has a driver that never opens.
func TestHang(t *testing.T) {
	emulated(t)
	dev := testDevice(t, 0)
	forgetProbes(t)
	t.Setenv("EMU", "cufile.hang=1")
	d, err := Open(dev, Config{ProbeTimeout: 200 * time.Millisecond})
	if err == nil {
		d.Close()
		t.Fatal("no error")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "had not opened it after 200ms, and was killed") {
		t.Error(err)
	}
}

// TestExclusiveProcess has a GPU on which a child can open nothing: neither the device, nor the driver by itself.
func TestExclusiveProcess(t *testing.T) {
	emulated(t)
	for _, tt := range []struct {
		name string
		mode int64
		emu  string // what the child alone reads
	}{
		{"device", 3, ""},
		{"driver", 0, "fail=cuFileDriverOpen:5011:46:0:1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cudaemu.Set(t, "compute_mode", tt.mode)
			forgetProbes(t)
			t.Setenv("EMU", tt.emu)
			testDriver(t)
		})
	}
}

// TestSlowOpen has a driver that takes its time.
func TestSlowOpen(t *testing.T) {
	emulated(t)
	cudaemu.Set(t, "cufile.open_delay_us", 20000)
	t.Setenv("EMU", "cufile.open_delay_us=20000")
	forgetProbes(t)
	testDriver(t)
}

// TestProbedOnce has a child that would fail, after one that didn't.
func TestProbedOnce(t *testing.T) {
	emulated(t)
	dev := testDevice(t, 0)
	forgetProbes(t)
	testDriverOn(t, dev)
	t.Setenv("EMU", "cufile.crash=1")
	testDriverOn(t, dev)
}

// TestNoCounting opens a library that refuses to count: it reads, and has no statistics.
func TestNoCounting(t *testing.T) {
	emulated(t)
	cudaemu.NoLeaks(t)
	dev := testDevice(t, 0)
	for _, call := range []string{"cuFileSetStatsLevel", "cuFileStatsStart"} {
		cudaemu.Fail(t, call, 5030, 0, 0, 1)
		d := testDriverOn(t, dev)
		if _, err := d.Stats(); !errors.Is(err, ErrNoStats) {
			t.Errorf("%s fails: Stats: %v, want %v", call, err, ErrNoStats)
		}
	}
}

func TestOpenFails(t *testing.T) {
	emulated(t)
	cudaemu.NoLeaks(t)
	dev := testDevice(t, 0)
	for _, call := range []string{"cuFileGetVersion", "cuFileDriverOpen"} {
		cudaemu.Fail(t, call, 5030, 0, 0, 1)
		if d, err := Open(dev, Config{}); err == nil || !strings.Contains(err.Error(), call) {
			t.Errorf("%s fails: %v", call, err)
			if err == nil {
				d.Close()
			}
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, test := range []struct {
		out, want string
		found     bool
	}{
		{"", "", false},
		{"noise\ncufile-probe: ok\nmore\n", "", true},
		{"cufile-probe: error cuFileDriverOpen 5033 0\n", "cuFileDriverOpen: CU_FILE_NVFS_SETUP_ERROR (5033): the driver can't be initialized", true},
		{"cufile-probe: error cuFileDriverOpen\n", "", false},
		{`cufile-probe: text "two\nlines"` + "\n", "two\nlines", true},
		{"cufile-probe: text unquoted\n", "", false},
		{"cufile-probe: cuda cuDevicePrimaryCtxRetain 46\n", "cuDevicePrimaryCtxRetain: CUDA_ERROR_DEVICE_UNAVAILABLE (46)", true},
		{"cufile-probe: cuda cuInit\n", "", false},
		{"cufile-probe: else\ncufile-probe: text \"later\"", "later", true},
	} {
		err, found := answer([]byte(test.out))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want || found != test.found {
			t.Errorf("%q: %q, %v", test.out, got, found)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("noise\ncufile-probe: ok\n"))
	f.Add([]byte("cufile-probe: error cuFileDriverOpen 5033 0\n"))
	f.Add([]byte("cufile-probe: text \"two\\nlines\"\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		err, found := answer(out)
		if err != nil && (!found || err.Error() == "" && !strings.Contains(string(out), `""`)) {
			t.Errorf("%q: %v, %v", out, err, found)
		}
	})
}

func TestHead(t *testing.T) {
	var kept head
	if kept.quote() != "" {
		t.Errorf("nothing: %q", kept.quote())
	}
	for range 1000 {
		if n, err := kept.Write([]byte(strings.Repeat("x", 99) + "\n")); n != 100 || err != nil {
			t.Fatal(n, err)
		}
	}
	line := strings.Repeat("x", 99)
	if want := "; it wrote: " + line + "; " + line + "; " + line; len(kept.b) != headBytes || kept.quote() != want {
		t.Errorf("%d bytes, %q", len(kept.b), kept.quote())
	}
}

// TestInspect looks at machines that are made of files.
func TestInspect(t *testing.T) {
	const nvfs = "nvidia_fs 262144 1 - Live 0x0000000000000000 (OE)\n"
	const nvidia = "nvidia 9715712 42 nvidia_uvm, Live 0x0 (OE)\nnvidia_fs_other 1 1 - Live 0x0\n"
	for _, test := range []struct {
		name  string
		files map[string]string // a name that ends with a slash is a folder
		want  string
	}{
		{"good", map[string]string{"proc/modules": nvidia, "run/udev/": ""}, ""},
		{"good with nvidia_fs", map[string]string{"proc/modules": nvidia + nvfs, "run/udev/": "", "dev/nvidia-fs0": ""}, ""},
		{"no /proc/modules", map[string]string{"run/udev/": ""}, "loadable modules"},
		{"WSL", map[string]string{"proc/modules": "", "run/udev/": "", "proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2\n"}, "Windows Subsystem for Linux"},
		{"older WSL", map[string]string{"proc/modules": "", "run/udev/": "", "proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n"}, "Windows Subsystem for Linux"},
		{"no udev", map[string]string{"proc/modules": ""}, "/run/udev:ro"},
		{"udev is a file", map[string]string{"proc/modules": "", "run/udev": ""}, "not a directory"},
		{"no nodes", map[string]string{"proc/modules": nvfs, "run/udev/": ""}, "/dev/nvidia-fs*"},
	} {
		root := t.TempDir()
		for name, text := range test.files {
			path := filepath.Join(root, name)
			if strings.HasSuffix(name, "/") {
				if err := os.MkdirAll(path, 0o755); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err := inspect(root)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "cuFile not used: ")) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	dev := testDevice(t, 0)
	if _, err := Open(dev, Config{Root: t.TempDir()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of an empty machine: %v", err)
	}
}

func TestBAR(t *testing.T) {
	emulated(t)
	d := testDriver(t)
	cudaemu.Set(t, "bar", 8*65536)
	p := alloc(t, d.dev, 1<<20)
	n := int64(0)
	for ; n < 16; n++ {
		err := d.RegisterBuffer(p+65536*cuda.Ptr(n), 65536)
		var e *Error
		if errors.As(err, &e) && e.Code == GPUMemoryPinningFailed {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != 8 || cudaemu.Get("registered_bytes") != 8*65536 {
		t.Errorf("%d buffers and %d bytes are registered, want 8 of 64 KiB", n, cudaemu.Get("registered_bytes"))
	}
	for i := range n {
		if err := d.DeregisterBuffer(p + 65536*cuda.Ptr(i)); err != nil {
			t.Error(err)
		}
	}
	if kb, err := d.BARSizeKB(0); err != nil || kb != 512 {
		t.Errorf("%d KiB, error %v", kb, err)
	}
}

func TestProperties(t *testing.T) {
	d := testDriver(t)
	p, err := d.Properties()
	if err != nil {
		t.Fatal(err)
	}
	if p.NVFSMajor != 0 || p.NVFSMinor != 0 || p.Supported != 0 || p.Control != ControlAllowCompat || p.Features&FeatureBatch == 0 {
		t.Errorf("%+v, expected compatibility mode without nvidia_fs", p)
	}
	if p.MaxDirectIOKB != 1024 && p.MaxDirectIOKB != 16384 || p.MaxBatch != 128 || p.BatchTimeoutMS != 5 || p.PollThresholdKB != 4 || p.MaxDeviceCacheKB != 131072 {
		t.Errorf("%+v, expected what is configured where nothing is", p)
	}
	if got := (Supported(1<<4 | 1<<9 | 1<<10 | 1<<14)).Names(); !slices.Equal(got, []string{"NVMe", "BeeGFS", "PanFS"}) {
		t.Errorf("%q", got)
	}
	if got := (Control(0x1f)).String(); got != "poll, allow compat, vanilla POSIX, fallback I/O" {
		t.Errorf("%q", got)
	}
}

func TestParameters(t *testing.T) {
	d := testDriver(t)
	for p := range SizeParameters {
		v, err := d.Size(p)
		if err != nil {
			t.Errorf("%v: %v", p, err)
		}
		if p == MaxIOQueueDepth && v != 128 || p == BatchTimeoutMS && v != 5 {
			t.Errorf("%v is %d", p, v)
		}
	}
	for p := range BoolParameters {
		v, err := d.Bool(p)
		if errors.Is(err, ErrNoParameter) && (p == ProfileNVTX || p >= POSIXIOMode) {
			continue // not in every version
		}
		if want := p == AllowCompatMode || p == AllowSystemMemory || p == ParallelIO && v; err != nil || v != want { // I/O is parallel in newer versions
			t.Errorf("%v is %v, error %v", p, v, err)
		}
	}
	for p := range StringParameters {
		if v, err := d.Text(p); err != nil || p == LogFilePath && v != os.DevNull {
			t.Errorf("%v is %q, error %v", p, v, err)
		}
	}
	for _, err := range []error{
		func() error { _, err := d.Size(SizeParameters); return err }(),
		func() error { _, err := d.Bool(99); return err }(),
	} {
		if !errors.Is(err, ErrNoParameter) {
			t.Errorf("%v, want %v", err, ErrNoParameter)
		}
	}
	if got := BoolParameters.String() + SizeParameter(-1).String() + AllowCompatMode.String(); got != "unknown parameterunknown parameterproperties.allow_compat_mode" {
		t.Errorf("%q", got)
	}
}
