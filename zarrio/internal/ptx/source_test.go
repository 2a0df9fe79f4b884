package ptx

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestSource(t *testing.T) {
	s := Source()
	for _, line := range []string{".version 5.0", ".target sm_50", ".address_size 64"} {
		if n := strings.Count(s, "\n"+line+"\n"); n != 1 {
			t.Errorf("%d lines are %q, want 1", n, line)
		}
	}
	// Subnormals are numbers. Without .rn an assembler may fuse a multiplication and an addition; a fused one of float32 would
	// round a difference otherwise. A shuffle or a vote is another instruction on later GPUs.
	for _, bad := range []string{`\.ftz`, `fma\.rn\.f32`, `\b(add|sub|mul)\.f(32|64)`, `\.approx`, `\.(shfl|vote)`, `/(tmp|home|usr|work)`} {
		if found := regexp.MustCompile(bad).FindString(s); found != "" {
			t.Errorf("the kernels hold %q", found)
		}
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\.visible \.entry (\w+)\(([^)]*)\)`).FindAllStringSubmatch(s, -1) {
		names = append(names, m[1])
		if n := strings.Count(m[2], ".param"); n != strings.Count(m[2], ".param .u64 ") {
			t.Errorf("%s has parameters that are no .u64: %s", m[1], m[2])
		}
	}
	want := []string{NameSegmentSquares, NamePlaneSums, NamePlaneCRCs, NameCopyRows, NameFillPattern, NameCopyBoxes}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("kernels %q, want %q", names, want)
	}
	if n := strings.Count(s, ".maxntid 256, 1, 1"); n != len(want) {
		t.Errorf("%d kernels are for blocks of %d threads, want %d", n, Block, len(want))
	}
}

// TestGenerate makes the PTX again: it must be kernels.ptx to the byte.
func TestGenerate(t *testing.T) {
	clang := os.Getenv("CLANG")
	if clang == "" {
		clang = "clang-16"
	}
	if _, err := exec.LookPath(clang); err != nil {
		t.Skip("no clang 16: ", err)
	}
	path := filepath.Join(t.TempDir(), "kernels.ptx")
	if out, err := exec.CommandContext(t.Context(), "./generate.sh", path).CombinedOutput(); err != nil {
		t.Fatalf("generate.sh: %v\n%s", err, out)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, []byte(Source())) {
		t.Error("generate.sh makes other PTX than kernels.ptx: run go generate, or use clang 16")
	}
}

// Without clang 16, go generate leaves kernels.ptx alone and goes on; who asked for a file, or named a compiler, gets an error.
func TestGenerateWithoutClang(t *testing.T) {
	dirname, err := exec.LookPath("dirname")
	if err != nil {
		t.Skip(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(dirname, filepath.Join(bin, "dirname")); err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct {
		env  []string
		args []string
		fail bool
	}{
		{nil, nil, false},
		{nil, []string{filepath.Join(bin, "kernels.ptx")}, true},
		{[]string{"CLANG=clang-none"}, nil, true},
	} {
		cmd := exec.CommandContext(t.Context(), "./generate.sh", tt.args...)
		cmd.Env = append(tt.env, "PATH="+bin)
		out, err := cmd.CombinedOutput()
		if (err != nil) != tt.fail || !strings.Contains(string(out), "clang-") {
			t.Errorf("generate.sh %q with %q: %v, %q", tt.args, tt.env, err, out)
		}
	}
	if got, err := os.ReadFile("kernels.ptx"); err != nil || string(got) != Source() {
		t.Errorf("kernels.ptx is another one now (%v)", err)
	}
}

func TestGrids(t *testing.T) {
	tests := []struct {
		name       string
		got, wants uint32
	}{
		{"no plane", first(SegmentSquares(0, 0, 0, 0, 4096, 0, 0)), 0},
		{"no element", first(SegmentSquares(0, 0, 0, 0, 0, 9, 0)), 0},
		{"16 segments", first(SegmentSquares(0, 0, 0, 0, 4096, 16, 0)), 1},
		{"17 segments", first(SegmentSquares(0, 0, 0, 0, 4097, 9, 0)), 2},
		{"many segments", first(SegmentSquares(0, 0, 0, 0, 1<<40, 1, 0)), maxGrid},
		{"no sums", first4(PlaneSums(0, 1, 0, 0)), 0},
		{"257 sums", first4(PlaneSums(0, 1, 257, 0)), 2},
		{"no piece", first(PlaneCRCs(0, 0, 0, 16, 9, 0, 0)), 0},
		{"256 pieces", first(PlaneCRCs(0, 0, 16*256, 16, 1, 0, 0)), 1},
	}
	for _, test := range tests {
		if test.got != test.wants {
			t.Errorf("%s: a grid of %d, want %d", test.name, test.got, test.wants)
		}
	}
}

func first(grid, _ uint32, _ [8]uint64) uint32  { return grid }
func first4(grid, _ uint32, _ [4]uint64) uint32 { return grid }
