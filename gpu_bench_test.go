package zarrbench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/gds"
)

// The flags of the GPU engines. None of them changes what an epoch is: the engine's line in the head says what was used.
var (
	gpuFlag    = flag.Int("gpu", 0, "the GPU of the engines host and gds, by its `NUMBER`")
	pinnedFlag = flag.Bool("pinned", true, "with -engine host, copy from pinned memory, overlapped with reading; false copies from ordinary memory, as the study did")
	submitFlag = flag.String("submit", "auto", "with -engine gds, how reads are given to cuFile: sync, batch, or auto, which tries both before the timed epochs")
	compatFlag = flag.String("compat", "", "with -engine gds, kvikIO's compatibility mode: on, off or auto; empty stands for KVIKIO_COMPAT_MODE, or auto")
)

func checkGPUFlags() error {
	err := errors.Join(
		oneOf("submit", *submitFlag, "sync", "batch", "auto"),
		oneOf("compat", *compatFlag, "", "on", "off", "auto"))
	if *gpuFlag < 0 {
		err = errors.Join(err, fmt.Errorf("-gpu %d: want 0 or more", *gpuFlag))
	}
	return err
}

// openGPU opens the GPU for the whole process, where the engine needs one.
func openGPU() (err error) {
	if *engineFlag != "cpu" {
		gpu, err = zarrio.OpenGPU(*gpuFlag)
	}
	return err
}

func closeGPU() error {
	if gpu == nil {
		return nil
	}
	err := gpu.Close()
	gpu = nil
	return err
}

// A gpuEngine is what GPU engines tell besides: a zarrio.GPUEngine, or what stands for one in tests.
type gpuEngine interface {
	engine
	Calibrate(context.Context, *zarrio.Loader) (string, error)
	Transfers() zarrio.Transfers
	PathOf(*zarrio.Array) (zarrio.Path, string)
}

var _ gpuEngine = (*zarrio.GPUEngine)(nil)

func openGPUEngine(r reading) (engine, error) {
	var (
		e   *zarrio.GPUEngine
		err error
	)
	if *engineFlag == "host" {
		e, err = zarrio.NewHost(gpu, zarrio.HostOptions{Workers: r.workers, IO: r.io, Depth: r.depth, Pageable: !*pinnedFlag})
	} else {
		e, err = zarrio.NewGDS(gpu, zarrio.GDSOptions{Workers: r.workers, Submit: zarrio.Submit(*submitFlag), Compat: zarrio.Compat(*compatFlag)})
	}
	if err != nil {
		return nil, err // and no interface that holds a nil
	}
	return e, nil
}

// printGPU prints the lines of the head that a GPU engine has besides: what was used, and which way each store's arrays will
// go.
func printGPU(ctx context.Context, e engine) error {
	g, ok := e.(gpuEngine)
	if !ok {
		return nil
	}
	parts := []string{gpuLabel()}
	for i := range stores {
		parts = append(parts, stores[i].name+" on "+stores[i].storage())
	}
	fmt.Printf("GDS: %s\n", strings.Join(parts, "; "))
	if gpu.Emulated() {
		fmt.Println("Note: emulated: timings mean nothing")
	}
	for i := range stores {
		plans, err := stores[i].plans(ctx, g)
		if err != nil {
			return err
		}
		for _, plan := range plans {
			fmt.Printf("Plan: %s: %s\n", stores[i].name, plan)
		}
	}
	return nil
}

// gpuLabel names the GPU, and the driver and the libraries that it is used by.
func gpuLabel() string {
	if driver := gds.Driver(""); driver != "" {
		return gpu.String() + ", driver " + driver
	}
	return gpu.String()
}

// storage names the file system and the device of a store.
func (s *benchStore) storage() string {
	fs, device, _ := gds.Storage(s.path, "") // after an error both are "unknown"
	return fs + ", " + device
}

// plans says which way an engine will read the arrays of the flags, and why: "host: chunks are encoded". Arrays that have the
// same answer share it.
func (s *benchStore) plans(ctx context.Context, e gpuEngine) (plans []string, err error) {
	g, err := openStore(ctx, s.path, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	err = eachWay(ctx, g, e, func(path zarrio.Path, why string) {
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

// eachWay calls f with the way that an engine will read each array of the flags.
func eachWay(ctx context.Context, g *zarrio.Group, e gpuEngine, f func(path zarrio.Path, why string)) error {
	for _, channel := range loaderOptions().Channels {
		name, _, _ := strings.Cut(channel, "@")
		a, err := g.Array(ctx, name)
		if err != nil {
			return err
		}
		f(e.PathOf(a))
	}
	return nil
}
