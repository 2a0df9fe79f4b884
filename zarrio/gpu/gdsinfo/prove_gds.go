//go:build gds && linux && (amd64 || arm64)

package gdsinfo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/cufile"
	"zarrbench/zarrio/internal/hostmem"
)

// A prover reads a sample into the memory of a GPU and looks what is there then.
type prover struct {
	dev    *cuda.Device
	sample sample
	root   beneath
}

// fail adds an error to what is wrong with a proof.
func (p *Proof) fail(err error) {
	if p.Error != "" {
		p.Error += "; "
	}
	p.Error += err.Error()
}

// read reads the sample by cuFile.
func (p *prover) read(lib *cufile.Driver) Proof {
	proof := Proof{File: p.sample.file, How: cuFileRead}
	f, err := openDirect(p.sample.file)
	if proof.Direct = err == nil; !proof.Direct {
		f, err = os.Open(p.sample.file)
	}
	if err == nil {
		err = p.dev.Do(func() error {
			h, err := lib.Register(f)
			if err != nil {
				return errors.Join(err, f.Close())
			}
			err = p.withMemory(&proof, func(mem cuda.Ptr, n int) (int, error) {
				return p.counted(lib, h, mem, n, &proof)
			})
			return errors.Join(err, h.Close())
		})
	}
	if err != nil {
		proof.fail(err)
	}
	return proof
}

// counted reads into the memory, registered if that can be done, and counts meanwhile.
func (p *prover) counted(lib *cufile.Driver, h *cufile.Handle, mem cuda.Ptr, n int, proof *Proof) (int, error) {
	proof.Pinned = lib.RegisterBuffer(mem, int64(n)) == nil // else cuFile goes by buffers of its own
	kernel, kernelErr := p.root.read(statsFile)
	before, statsErr := lib.Stats()
	done, err := readAll(h, mem, n)
	after, statsErr2 := lib.Stats()
	if errors.Join(statsErr, statsErr2) == nil {
		d := after.Sub(before)
		const source = "cuFileGetStatsL3"
		proof.Counters = append(proof.Counters, Counter{nvfsReads, int64(d.NVFSReads), source}, Counter{p2pReads, int64(d.P2PReads), source},
			Counter{posixReads, int64(d.POSIXReads), source}, Counter{"cufile.unaligned_reads", int64(d.UnalignedReads), source})
	}
	if kernelErr == nil {
		if later, err := p.root.read(statsFile); err == nil {
			a, b := parseStats(kernel), parseStats(later)
			for _, name := range []string{"n", "ok", "err", "readMiB"} {
				proof.Counters = append(proof.Counters, Counter{"nvidia-fs." + name, b[name] - a[name], statsFile})
			}
		}
	}
	if proof.Pinned {
		err = errors.Join(err, lib.DeregisterBuffer(mem))
	}
	return done, err
}

// readAll reads a file from its beginning: n bytes, or fewer where it ends before.
func readAll(h *cufile.Handle, mem cuda.Ptr, n int) (int, error) {
	done := 0
	for done < n {
		got, err := h.Read(mem, n-done, int64(done), int64(done))
		if err != nil {
			return done, err
		}
		if got == 0 {
			break
		}
		done += got
	}
	return done, nil
}

// copy reads the sample as kvikIO does where it can't use cuFile: into the host's memory, and from there to the GPU's.
func (p *prover) copy() Proof {
	proof := Proof{File: p.sample.file, How: readAndCopy}
	err := p.dev.Do(func() error {
		return p.withMemory(&proof, func(mem cuda.Ptr, _ int) (int, error) {
			f, err := os.Open(p.sample.file)
			if err != nil {
				return 0, err
			}
			defer f.Close()
			data := make([]byte, len(p.sample.want))
			n, err := io.ReadFull(f, data)
			if err != nil {
				return n, err
			}
			return n, p.dev.CopyHtoD(mem, data)
		})
	})
	if err != nil {
		proof.fail(err)
	}
	return proof
}

// withMemory has read fill memory of the GPU and compares what is there then with the sample. What it is filled with before
// differs in every byte from what is wanted, so that no byte can be right that wasn't read. It runs on the device's thread.
func (p *prover) withMemory(proof *Proof, read func(mem cuda.Ptr, n int) (int, error)) (err error) {
	want := p.sample.want
	n := (len(want) + hostmem.Align - 1) &^ (hostmem.Align - 1) // whole pages, as the direct path has it: the file's end cuts it short
	mem, err := p.dev.Alloc(int64(n))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.dev.Free(mem)) }()
	got := make([]byte, len(want))
	for i, v := range want {
		got[i] = ^v
	}
	if err := p.dev.CopyHtoD(mem, got); err != nil {
		return err
	}
	done, err := read(mem, n)
	if err != nil {
		return err
	}
	if done < len(want) {
		return fmt.Errorf("%d of %d bytes were read", done, len(want))
	}
	clear(got)
	if err := p.dev.CopyDtoH(got, mem); err != nil {
		return err
	}
	proof.Bytes = int64(len(want))
	err = differ(got, want)
	proof.Equal = err == nil
	return err
}

// differ says how what was read differs from what the file holds, or nothing.
func differ(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	first, count := -1, 0
	for i := range want {
		if got[i] != want[i] {
			if count++; first < 0 {
				first = i
			}
		}
	}
	return fmt.Errorf("%d of %d bytes in the memory of the GPU are not those of the file, the first at %d", count, len(want), first)
}

// The counters that tell which way a read went.
const (
	nvfsReads  = "cufile.nvfs_reads"
	p2pReads   = "cufile.p2p_reads"
	posixReads = "cufile.posix_reads"
	nvfsMiB    = "nvidia-fs.readMiB"
)

// routeOf says which way a read of n bytes went. Where a part of it went by the host's memory, it all did. nvidia-fs counts for
// all processes, and so is asked only where cuFile doesn't tell, and is believed only if it read as much.
func routeOf(counters []Counter, n int64) route {
	delta := map[string]int64{}
	for _, c := range counters {
		delta[c.Name] = c.Delta
	}
	_, tells := delta[posixReads]
	switch {
	case delta[posixReads] > 0:
		return hostRoute
	case delta[nvfsReads]+delta[p2pReads] > 0:
		return directRoute
	case !tells && n >= 1<<20 && delta[nvfsMiB] >= n>>20:
		return directRoute
	}
	return unknownRoute
}
