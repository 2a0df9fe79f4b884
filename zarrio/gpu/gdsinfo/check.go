package gdsinfo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options are what Check is told beside the directory. The zero value is right for the machine it runs on.
type Options struct {
	// Root is the folder beneath which /proc, /sys, /dev, /run, /etc and the libraries' folders are looked at: "" is "/". The
	// directory, and what CUDA and cuFile tell, are the machine's in any case.
	Root string

	// GPU is CUDA's number of the GPU to read into.
	GPU int

	// File is a file of the directory's file system that the proof reads, up to 8 MiB of it. If it is "", Check makes a file in
	// the directory and removes it.
	File string

	// Strict makes Check read once more with cuFile's compat mode forbidden, where no counter tells which way the first read
	// went: cuFile has none before version 1.15. It stays forbidden for the rest of the process.
	Strict bool

	// ProbeTimeout is how long cuFile may take to open its driver; 0 is package cufile's default.
	ProbeTimeout time.Duration
}

// proofBytes is how much the proof reads: several of the requests that cuFile splits a read into, in whole pages.
const proofBytes = 8 << 20

// Check says what this machine can do for GPUDirect Storage with the files of a directory. Whatever the machine lacks is in the
// report; the error is for a directory that can't be looked at, an Options.File that can't be read or lies on another file
// system, and a ctx that ended. The file that Check makes is gone when it returns, also after an error. A call of a driver
// that hangs can't be stopped: if ctx ends meanwhile, its thread stays behind.
func Check(ctx context.Context, dir string, opt Options) (*Report, error) {
	return check(ctx, dir, opt, try)
}

// check is Check with what calls CUDA and cuFile given.
func check(ctx context.Context, dir string, opt Options, try func(context.Context, sample, Options) tried) (*Report, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := beneath(opt.Root)
	store, err := findStorage(r, dir)
	if err != nil {
		return nil, fmt.Errorf("gds: %w", err)
	}
	if info, err := os.Stat(store.dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("gds: %s: found a file, want a directory", dir)
	}
	c := checker{rep: &Report{Dir: store.dir, GPUs: []GPU{}, Steps: []Step{}, Proof: Proof{Counters: []Counter{}}}, store: store}
	c.machine.look(r, c.rep)
	c.library = findLibrary(r)
	c.config = findConfig(r)
	c.libraryFacts()
	c.p2p = lookP2P(r, &c.machine, &c.config, c.rep)

	s, err := makeSample(store.dir, opt.File)
	if err != nil {
		return nil, fmt.Errorf("gds: %w", err)
	}
	defer s.remove()
	c.storageFacts(r, &s)

	done := make(chan tried, 1)
	go func() { done <- try(ctx, s, opt) }()
	select {
	case c.tried = <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.triedFacts()
	c.kvikioFacts()
	c.judge()
	return c.rep, nil
}

// A checker is what the parts of a check found, on the way to a report.
type checker struct {
	rep     *Report
	machine machine
	library library
	config  config
	p2p     p2p
	store   storage
	direct  error // what reading with O_DIRECT gave
	record  bool  // udev's record of the device says that it holds a file system
	wanted  string
	tried   tried
	sample  error
}

// tried is what CUDA and cuFile told and did. It is made by code that a build may lack.
type tried struct {
	built    bool // this build holds that code
	cuda     error
	device   error // opening the GPU
	cufile   error // opening cuFile's driver
	emulated bool
	gpu      GPU
	facts    []Fact
	proof    Proof
	proven   route
}

// A route is which way a read went, by what counted it.
type route int

const (
	unknownRoute route = iota
	directRoute        // into the GPU's memory
	hostRoute          // by the host's
)

// A sample is the file that the proof reads.
type sample struct {
	file string // "" if there is none, and err says why
	err  error
	want []byte // what it holds, up to proofBytes
	ours bool
}

func (s *sample) remove() {
	if s.ours {
		_ = os.Remove(s.file) // it may have been removed already
	}
}

// makeSample makes the proof's file in a directory, or takes the one that is given.
func makeSample(dir, given string) (sample, error) {
	if given != "" {
		return takeSample(dir, given)
	}
	f, err := os.CreateTemp(dir, ".gdscheck-*.tmp")
	if err != nil {
		return sample{err: fmt.Errorf("%s can't be written to: %w", dir, plain(err))}, nil
	}
	s := sample{file: f.Name(), ours: true, want: make([]byte, proofBytes)}
	fill(s.want)
	_, err = f.Write(s.want)
	if err == nil {
		err = f.Sync() // a read past the page cache finds it on the disk
	}
	if err = errors.Join(err, f.Close()); err != nil {
		s.remove()
		return sample{err: fmt.Errorf("%s can't be written to: %w", dir, plain(err))}, nil
	}
	return s, nil
}

// takeSample reads what the proof will compare from a file that is there.
func takeSample(dir, name string) (sample, error) {
	f, err := os.Open(name)
	if err != nil {
		return sample{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sample{}, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return sample{}, fmt.Errorf("%s: want a regular file that isn't empty", name)
	}
	if same, err := sameStorage(dir, info); err != nil {
		return sample{}, err
	} else if !same {
		return sample{}, fmt.Errorf("%s isn't on the file system of %s", name, dir)
	}
	want, err := io.ReadAll(io.LimitReader(f, proofBytes))
	if err != nil {
		return sample{}, err
	}
	full, err := filepath.Abs(name)
	return sample{file: full, want: want}, err
}

// fill makes bytes that neither repeat nor compress, the same each time.
func fill(b []byte) {
	x := uint64(0x9E3779B97F4A7C15)
	for i := 0; i+8 <= len(b); i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.LittleEndian.PutUint64(b[i:], x)
	}
}
