//go:build gds && linux && (amd64 || arm64)

package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/gpu"
	"zarrbench/zarrio/gpu/gdsinfo"
)

func init() { openDevice = openGPUDevice }

// A gpuDevice is an open GPU.
type gpuDevice struct{ *gpu.GPU }

func openGPUDevice(number int) (device, error) {
	g, err := gpu.Open(number)
	if err != nil {
		return nil, err // not g, which would be a non-nil device
	}
	return &gpuDevice{g}, nil
}

// A gpuEngine is a GPU engine of zarrio, or a fake one in tests.
type gpuEngine interface {
	namedEngine
	Calibrate(context.Context, gpu.Epoch) (string, error)
	Transfers() gpu.Transfers
	PathOf(a engine.Chunked, converts bool) (gpu.Path, string)
}

var _ gpuEngine = gpu.Engine(nil)

func (d *gpuDevice) openEngine(r reading, opt gpuOptions) (namedEngine, error) {
	if opt.host {
		return gpu.NewHost(d.GPU, gpu.HostOptions{Workers: r.workers, IO: r.io, Depth: r.depth, KeepBytes: r.keep, Pageable: opt.pageable})
	}
	return gpu.NewGDS(d.GPU, gpu.GDSOptions{Workers: r.workers, KeepBytes: r.keep, Submit: gpu.Submit(opt.submit), Compat: gpu.Compat(opt.compat)})
}

// printHead prints the GPU and its libraries, and by which path each store's arrays will be read.
func (d *gpuDevice) printHead(ctx context.Context, e namedEngine) error {
	parts := []string{d.label()}
	for i := range stores {
		parts = append(parts, stores[i].name+" on "+stores[i].storage())
	}
	fmt.Printf("GDS: %s\n", strings.Join(parts, "; "))
	if d.Emulated() {
		fmt.Println("Note: emulated: timings mean nothing")
	}
	for i := range stores {
		plans, err := stores[i].plans(ctx, e.(gpuEngine))
		if err != nil {
			return err
		}
		for _, plan := range plans {
			fmt.Printf("Plan: %s: %s\n", stores[i].name, plan)
		}
	}
	return nil
}

// label returns the names of the GPU, its driver and its libraries.
func (d *gpuDevice) label() string {
	if driver := gdsinfo.Driver(""); driver != "" {
		return d.String() + ", driver " + driver
	}
	return d.String()
}

func (d *gpuDevice) openRaw(paths []string, threads, size int, registered bool) (rawReader, error) {
	r, err := d.NewRawReader(paths, gpu.RawOptions{Workers: threads, Size: size, Registered: registered})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// storage returns the names of the file system and the device that hold s.
func (s *benchStore) storage() string {
	fs, device, _ := gdsinfo.Storage(s.path, "") // after an error both are "unknown"
	return fs + ", " + device
}

// plans returns by which path e will read the arrays that the flags name, and why: "host: chunks are encoded". Equal answers are
// returned once.
func (s *benchStore) plans(ctx context.Context, e gpuEngine) (plans []string, err error) {
	g, err := openStore(ctx, s.path, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	err = eachPath(ctx, g, s.converted, e, func(path gpu.Path, why string) {
		plan := string(path)
		if why != "" {
			plan += ": " + why
		}
		if !slices.Contains(plans, plan) {
			plans = append(plans, plan)
		}
	})
	return plans, err
}

// eachPath calls f with the path by which e will read each array that the flags name. The elements of the converted ones are
// converted.
func eachPath(ctx context.Context, g *zarrio.Group, converted []string, e gpuEngine, f func(path gpu.Path, why string)) error {
	arrays, err := channelArrays(ctx, g)
	if err != nil {
		return err
	}
	for _, a := range arrays {
		f(e.PathOf(a, slices.Contains(converted, a.Path())))
	}
	return nil
}
