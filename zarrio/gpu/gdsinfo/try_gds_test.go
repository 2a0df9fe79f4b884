//go:build gds && linux && (amd64 || arm64)

package gdsinfo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zarrbench/internal/cudaemu"
)

func TestMain(m *testing.M) { os.Exit(cudaemu.Main(m)) }

// step returns a step of a report.
func step(t *testing.T, rep *Report, name string) Step {
	t.Helper()
	i := slices.IndexFunc(rep.Steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no step %s", name)
	}
	return rep.Steps[i]
}

// emulated checks a directory of a good machine over the emulation, and that nothing is left there or in the emulation.
func emulated(t *testing.T, want Verdict, dir string, opt Options, try func(context.Context, sample, Options) tried) *Report {
	t.Helper()
	cudaemu.NoLeaks(t)
	clean(t)
	if opt.Root == "" {
		opt.Root = good.root(t)
	}
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := check(t.Context(), dir, opt, try)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
		t.Errorf("%v in the directory, before the check %v (%v)", after, before, err)
	}
	if rep.Verdict != want+" (emulated)" || !rep.Emulated {
		t.Errorf("verdict %q (%v), want %q; %+v", rep.Verdict, rep.Emulated, want, rep.Proof)
	}
	if first := rep.First(); first == nil || first.Name != "gpu" || !strings.Contains(first.Found, "emulated") {
		t.Errorf("first to mend: %+v", first)
	}
	return rep
}

// own skips the test over NVIDIA's libcufile, which can't be told what to do.
func own(t *testing.T) {
	t.Helper()
	cudaemu.Need(t)
	if cudaemu.RealCufile() {
		t.Skip("over NVIDIA's libcufile")
	}
}

// counted is what a counter of the proof rose by, and whether there is one.
func counted(rep *Report, name string) (int64, bool) {
	for _, c := range rep.Proof.Counters {
		if c.Name == name {
			return c.Delta, true
		}
	}
	return 0, false
}

func TestCompat(t *testing.T) {
	cudaemu.Need(t)
	rep := emulated(t, CuFile, t.TempDir(), Options{}, try)
	p := rep.Proof
	if !p.Equal || p.Bytes != proofBytes || p.How != cuFileRead || p.Error != "" || !p.Pinned || p.Direct != (rep.Fact("storage.direct") == "works") {
		t.Errorf("%+v", p)
	}
	if n, tells := counted(rep, posixReads); tells && n <= 0 {
		t.Errorf("%+v", p.Counters)
	}
	if n, _ := counted(rep, nvfsReads); n != 0 {
		t.Errorf("%+v", p.Counters)
	}
	if s := step(t, rep, "proof"); s.OK || !strings.Contains(s.Found, "8388608 bytes by cuFileRead are right") {
		t.Errorf("%+v", s)
	}
	// The GPU of the driver is none of the bus.
	if len(rep.GPUs) == 0 || !slices.ContainsFunc(rep.GPUs, func(g GPU) bool { return g.Ordinal != nil && *g.Ordinal == 0 && g.Compute != "" && g.RDMA != nil }) {
		t.Errorf("GPUs: %+v", rep.GPUs)
	}
	for _, key := range []string{"cuda.version", "cuda.devices", "cufile.loaded", "cufile.version", "cufile.control", "kvikio.cufile"} {
		if rep.Fact(key) == "" {
			t.Errorf("no fact %s", key)
		}
	}
}

func TestTrueGDS(t *testing.T) {
	own(t)
	cudaemu.Set(t, "nvfs", 1)
	cudaemu.Set(t, "rdma", 1)
	rep := emulated(t, TrueGDS, t.TempDir(), Options{}, try)
	direct, _ := counted(rep, nvfsReads)
	if host, tells := counted(rep, posixReads); !tells || host != 0 || direct <= 0 {
		t.Errorf("%+v", rep.Proof.Counters)
	}
	for _, s := range rep.Steps {
		if s.OK == (s.Name == "gpu") {
			t.Errorf("%+v", s)
		}
	}
}

// TestFaults checks what becomes of a machine where something fails.
func TestFaults(t *testing.T) {
	own(t)
	for _, tt := range []struct {
		call             string
		code, cu         int
		verdict          Verdict
		how, error, step string
	}{
		{"cuFileRead", 5030, 0, KvikIO, readAndCopy, "cuFileRead", "proof"},
		{"cuFileHandleRegister", 5008, 0, KvikIO, readAndCopy, "cuFileHandleRegister", "proof"},
		{"cuFileDriverOpen", 5033, 0, KvikIO, readAndCopy, "", "cufile"},
		{"cuFileBufRegister", 5036, 0, CuFile, cuFileRead, "", ""},
		{"cuMemAlloc_v2", 2, 0, Unproved, readAndCopy, "no memory for 8388608 bytes", "proof"},
		{"cuMemcpyDtoH_v2", 1, 0, Unproved, readAndCopy, "cuMemcpyDtoH_v2", "proof"},
		{"cuDevicePrimaryCtxRetain", 2, 0, NoGPU, "", "cuDevicePrimaryCtxRetain", "cuda"},
		{"cuInit", 100, 0, NoGPU, "", "cuInit", "cuda"},
	} {
		t.Run(tt.call, func(t *testing.T) {
			cudaemu.Fail(t, tt.call, tt.code, tt.cu, 0, -1)
			rep, err := Check(t.Context(), t.TempDir(), Options{Root: good.root(t)})
			if err != nil {
				t.Fatal(err)
			}
			want := tt.verdict
			if rep.Emulated {
				want += " (emulated)"
			}
			if rep.Verdict != want || rep.Proof.How != tt.how || !strings.Contains(rep.Proof.Error, tt.error) || tt.error == "" && rep.Proof.Error != "" {
				t.Errorf("verdict %q, want %q; %+v", rep.Verdict, want, rep.Proof)
			}
			if tt.step != "" {
				if s := step(t, rep, tt.step); s.OK || s.Skipped || s.Mend == "" {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// TestWrongData checks that what a read didn't put right is seen: here another byte is expected than the file holds.
func TestWrongData(t *testing.T) {
	cudaemu.Need(t)
	for _, i := range []int{0, proofBytes/2 + 1, proofBytes - 1} {
		rep := emulated(t, WrongData, t.TempDir(), Options{}, func(ctx context.Context, s sample, opt Options) tried {
			s.want = bytes.Clone(s.want)
			s.want[i] ^= 1
			return try(ctx, s, opt)
		})
		if p := rep.Proof; p.Equal || p.Bytes != proofBytes || !strings.Contains(p.Error, "1 of 8388608 bytes") {
			t.Errorf("%+v", p)
		}
		if s := step(t, rep, "proof"); s.OK || s.Skipped {
			t.Errorf("%+v", s)
		}
	}
	rep := emulated(t, Unproved, t.TempDir(), Options{}, func(ctx context.Context, s sample, opt Options) tried {
		if err := os.Truncate(s.file, 5000); err != nil {
			t.Error(err)
		}
		return try(ctx, s, opt)
	})
	if !strings.Contains(rep.Proof.Error, "5000 of 8388608 bytes were read") {
		t.Errorf("a file that shrank: %+v", rep.Proof)
	}
}

// TestFile reads files that are there, of all lengths.
func TestFile(t *testing.T) {
	cudaemu.Need(t)
	dir := t.TempDir()
	for _, n := range []int{1, 4096, 1_000_003, proofBytes + 12345} {
		file := filepath.Join(dir, "file")
		data := make([]byte, n)
		fill(data)
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
		rep := emulated(t, CuFile, dir, Options{File: file}, try)
		if rep.Proof.Bytes != int64(min(n, proofBytes)) || rep.Proof.File != file {
			t.Errorf("%d bytes: %+v", n, rep.Proof)
		}
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, data) {
			t.Errorf("the file isn't what it was (%v)", err)
		}
	}
}

// TestNotRead checks machines on which nothing can be read through cuFile.
func TestNotRead(t *testing.T) {
	cudaemu.Need(t)
	rep := emulated(t, Unproved, "/proc/self/fdinfo", Options{}, try)
	if s := step(t, rep, "proof"); s.OK || s.Skipped || !strings.Contains(s.Mend, "-file") || !strings.Contains(rep.Proof.Error, "can't be written to") {
		t.Errorf("%+v, %+v", s, rep.Proof)
	}
	rep = emulated(t, KvikIO, t.TempDir(), Options{Root: disks.root(t)}, try)
	if p := rep.Proof; !p.Equal || p.How != readAndCopy || p.Bytes != proofBytes {
		t.Errorf("%+v", p)
	}
	if s := step(t, rep, "cufile"); s.OK || !strings.Contains(s.Found, "/proc/modules") {
		t.Errorf("%+v", s)
	}
	rep = emulated(t, NoGPU, t.TempDir(), Options{GPU: 12}, try)
	if s := step(t, rep, "cuda"); s.OK || s.Skipped || rep.Proof.Error == "" {
		t.Errorf("%+v, %+v", s, rep.Proof)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := try(ctx, sample{}, Options{Root: good.root(t)}); got.proof.Bytes != 0 {
		t.Errorf("a check that was cancelled: %+v", got.proof)
	}
}

// TestStrict checks what is done where cuFile doesn't count, as before version 1.15.
func TestStrict(t *testing.T) {
	cudaemu.Need(t)
	rep, err := Check(t.Context(), t.TempDir(), Options{Root: good.root(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, tells := counted(rep, posixReads); tells || rep.Fact("cufile.loaded") == "" {
		t.Skip("this libcufile counts")
	}
	rep = emulated(t, CuFile, t.TempDir(), Options{Strict: true}, try)
	if s := rep.Proof.Strict; s == nil || *s || rep.Fact("cufile.strict") == "" {
		t.Errorf("%+v", rep.Proof)
	}
}

func TestRouteOf(t *testing.T) {
	const n = 8 << 20
	for _, tt := range []struct {
		name     string
		counters []Counter
		bytes    int64
		want     route
	}{
		{"nothing counts", nil, n, unknownRoute},
		{"all zero", []Counter{{nvfsReads, 0, ""}, {posixReads, 0, ""}}, n, unknownRoute},
		{"nvidia-fs", []Counter{{nvfsReads, 8, ""}, {posixReads, 0, ""}}, n, directRoute},
		{"P2PDMA", []Counter{{p2pReads, 1, ""}, {posixReads, 0, ""}}, n, directRoute},
		{"the host", []Counter{{posixReads, 1, ""}}, n, hostRoute},
		{"both", []Counter{{nvfsReads, 7, ""}, {posixReads, 1, ""}}, n, hostRoute},
		{"the module counts", []Counter{{nvfsMiB, 8, ""}}, n, directRoute},
		{"the module counts less", []Counter{{nvfsMiB, 7, ""}}, n, unknownRoute},
		{"the module counts another's", []Counter{{nvfsMiB, 8, ""}, {posixReads, 1, ""}}, n, hostRoute},
		{"the module counts, and cuFile doesn't", []Counter{{nvfsMiB, 8, ""}, {posixReads, 0, ""}}, n, unknownRoute},
		{"less than the module can count", []Counter{{nvfsMiB, 1, ""}}, 4096, unknownRoute},
	} {
		if got := routeOf(tt.counters, tt.bytes); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestVerdict checks that no report of a real driver is believed without proof.
func TestVerdict(t *testing.T) {
	read := Proof{Bytes: 8, Equal: true, How: cuFileRead}
	gpu := tried{built: true, proof: read, proven: directRoute}
	for _, tt := range []struct {
		name   string
		change func(*checker)
		want   Verdict
	}{
		{"proved", func(*checker) {}, TrueGDS},
		{"by the host", func(c *checker) { c.tried.proven = hostRoute }, CuFile},
		{"not known by which way", func(c *checker) { c.tried.proven = unknownRoute }, CuFile},
		{"wrong", func(c *checker) { c.tried.proof.Equal = false }, WrongData},
		{"nothing read", func(c *checker) { c.tried.proof = Proof{How: cuFileRead} }, Unproved},
		{"copied", func(c *checker) { c.tried.proof.How = readAndCopy }, KvikIO},
		{"an error behind it", func(c *checker) { c.tried.proof.Error = "close" }, Unproved},
		{"nothing to read", func(c *checker) { c.sample = errors.New("read-only") }, Unproved},
		{"no GPU", func(c *checker) { c.tried.device = errors.New("none") }, NoGPU},
	} {
		c := checker{rep: &Report{}, tried: gpu}
		tt.change(&c)
		c.triedFacts()
		c.judge()
		if c.rep.Verdict != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, c.rep.Verdict, tt.want)
		}
		if first := c.rep.First(); (first == nil) != (tt.want == TrueGDS) {
			t.Errorf("%s: first to mend: %+v", tt.name, first)
		}
	}
}
