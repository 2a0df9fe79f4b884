package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"zarrbench/internal/golden"
	"zarrbench/tools/internal/cli"
	"zarrbench/zarrio/gpu/gdsinfo"
)

// proved is a report in which every field says something.
func proved() *gdsinfo.Report {
	return &gdsinfo.Report{
		Verdict: gdsinfo.CuFile,
		Dir:     "/data",
		Facts: []gdsinfo.Fact{
			{Key: "system.kernel", Value: "6.8.0-45-generic", Source: "/proc/sys/kernel/osrelease"},
			{Key: "storage.filesystem", Value: "ext4", Source: "/proc/self/mountinfo, statfs"},
			{Key: "driver.nodes", Value: "two\nlines", Source: "/dev"},
		},
		GPUs: []gdsinfo.GPU{
			{PCI: "0000:01:00.0", Name: "NVIDIA RTX A2000", BAR1: 256 << 20, Ordinal: new(0), Compute: "8.6", RDMA: new(true), DMABuf: new(false)},
			{PCI: "0000:02:00.0"},
		},
		Steps: []gdsinfo.Step{
			{Name: "system", OK: true, Found: "linux/amd64"},
			{Name: "kernel-path", Found: "nvidia-fs isn't loaded", Mend: "load it"},
			{Name: "iommu", Skipped: true, Found: "not looked at: it depends"},
		},
		Proof: gdsinfo.Proof{File: "/data/.gdscheck-1.tmp", Bytes: 8 << 20, Equal: true, How: "cuFileRead", Direct: true, Pinned: true, Strict: new(false),
			Counters: []gdsinfo.Counter{{Name: "cufile.posix_reads", Delta: 8, Source: "cuFileGetStatsL3"}}},
	}
}

// TestGolden holds what is printed, and of the JSON document the keys, which stay.
func TestGolden(t *testing.T) {
	var text, document, first bytes.Buffer
	if err := (&command{}).print(proved(), &text, &first); !errors.Is(err, errNotGDS) || first.Len() > 0 {
		t.Errorf("%v, %s", err, &first)
	}
	if err := (&command{json: true}).print(proved(), &document, &first); !errors.Is(err, errNotGDS) || first.String() != "to mend first: kernel-path: load it\n" {
		t.Errorf("%v, %s", err, &first)
	}
	golden.Compare(t, "compat.txt", text.String())
	golden.Compare(t, "compat.json", document.String())
}

// TestTrueGDS checks that true GDS alone is no error.
func TestTrueGDS(t *testing.T) {
	for _, verdict := range []gdsinfo.Verdict{gdsinfo.TrueGDS, gdsinfo.TrueGDS + " (emulated)", gdsinfo.CuFile, gdsinfo.KvikIO, gdsinfo.NoGPU, gdsinfo.WrongData, gdsinfo.Unproved, ""} {
		for _, c := range []command{{}, {json: true}} {
			rep := proved()
			rep.Verdict = verdict
			var out, first bytes.Buffer
			err := c.print(rep, &out, &first)
			if verdict != gdsinfo.TrueGDS && !errors.Is(err, errNotGDS) || verdict == gdsinfo.TrueGDS && (err != nil || first.Len() > 0 || strings.Contains(out.String(), "to mend first")) {
				t.Errorf("%q: %v, %s%s", verdict, err, &out, &first)
			}
		}
	}
}

// check runs the command, whose error is to be want, and returns what it prints.
func check(t *testing.T, want error, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	if err := run(t.Context(), args, &out, &errOut); !errors.Is(err, want) {
		t.Errorf("%q: error %v, want %v", args, err, want)
	}
	return out.String(), errOut.String()
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"a", "b"}, {"-nonsense"}, {"-gpu", "-1"}, {"-gpu", "x"}} {
		if out, stderr := check(t, cli.ErrUsage, args...); out != "" || !strings.HasPrefix(stderr, "usage: ") {
			t.Errorf("%q: output %q, %q", args, out, stderr)
		}
	}
	if out, _ := check(t, nil, "-h"); !strings.HasPrefix(out, "usage: ") || !strings.Contains(out, "Examples:") || !strings.Contains(out, "-gpu") {
		t.Errorf("-h: %s", out)
	}
	var out, stderr bytes.Buffer
	if err := run(t.Context(), []string{filepath.Join(t.TempDir(), "nowhere")}, &out, &stderr); err == nil || errors.Is(err, cli.ErrUsage) || errors.Is(err, errNotGDS) {
		t.Errorf("a directory that isn't there: %v", err)
	}
	if err := run(t.Context(), []string{t.TempDir()}, fullWriter{}, &stderr); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}

type fullWriter struct{}

var errFull = errors.New("no space")

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

// bare reports whether this machine has no NVIDIA driver, so that the tests know the verdict.
func bare(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/driver/nvidia/version"); err == nil || runtime.GOOS != "linux" {
		t.Skip("this machine has a driver, or isn't Linux")
	}
}

func TestHere(t *testing.T) {
	bare(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("some data"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{dir}, {"-file", file}, {"-file", file, dir}} {
		out, stderr := check(t, errNotGDS, args...)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "to mend first: ") || stderr != "" || !strings.Contains(out, "\nverdict: ") {
			t.Errorf("%q: %s%s", args, out, stderr)
		}
		out, stderr = check(t, errNotGDS, append([]string{"-json"}, args...)...)
		var doc struct {
			Verdict string
			Dir     string
			Steps   []struct{ Name string }
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Verdict == "" || filepath.Base(doc.Dir) != filepath.Base(dir) || len(doc.Steps) < 10 ||
			!strings.HasPrefix(stderr, "to mend first: ") {
			t.Errorf("%q: %+v (%v), stderr %q", args, doc, err, stderr)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left in the directory: %v (%v)", left, err)
	}
}
