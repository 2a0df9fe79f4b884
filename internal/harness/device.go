package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
)

// The flags of the GPU engines. None of them changes what an epoch is: the engine's line in the head says what was used.
var (
	gpuFlag    = flag.Int("gpu", 0, "the GPU of the engines host and gds, by its `NUMBER`")
	pinnedFlag = flag.Bool("pinned", true, "with -engine host, copy from pinned memory, overlapped with reading; false copies from ordinary memory, as the study did")
	submitFlag = flag.String("submit", "auto", "with -engine gds, how reads are given to cuFile: sync, batch, or auto, which tries both before the timed epochs")
	compatFlag = flag.String("compat", "", "with -engine gds, kvikIO's compatibility mode: on, off or auto; empty means KVIKIO_COMPAT_MODE, or auto")
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

// A device is the GPU that engines fill. It is implemented in builds with the tag gds, in gpu.go.
type device interface {
	openEngine(r reading, opt gpuOptions) (namedEngine, error)
	// printHead prints the lines of the head that only runs on a GPU have.
	printHead(ctx context.Context, e namedEngine) error
	// calibrate lets s.engine measure how to submit reads, before the timed epochs of the row.
	calibrate(ctx context.Context, s *session, row string, n *deferredLines) error
	// newTotals returns empty totals for a row.
	newTotals() transferTotals
	// openRaw opens files to be read whole by cuFile, in reads of size bytes.
	openRaw(paths []string, threads, size int, registered bool) (rawReader, error)
	Close() error
}

// gpuOptions are the settings of a GPU engine that a reading doesn't have.
type gpuOptions struct {
	host           bool // the engine is host rather than gds
	pageable       bool
	submit, compat string
}

// A transferTotals adds up how the bytes of a row's timed epochs came into the GPU.
type transferTotals interface {
	// begin is called before each epoch on an engine that has read before.
	begin(e namedEngine)
	// end is called after each epoch.
	end(e namedEngine)
	// report adds the row's line. With -require, a row of the engine gds fails unless all bytes were read by true GDS.
	report(b *testing.B, se *session, s *benchStore, n *deferredLines)
}

// noTotals are the totals of an engine that fills host memory.
type noTotals struct{}

func (noTotals) begin(namedEngine)                                        {}
func (noTotals) end(namedEngine)                                          {}
func (noTotals) report(*testing.B, *session, *benchStore, *deferredLines) {}

// A rawReader reads files and discards what it reads.
type rawReader interface {
	// Read reads all the files, whole, and returns how many bytes that were.
	Read(ctx context.Context) (int64, error)
	Close() error
}

// openDevice opens a GPU by its number. It is nil in builds without GPU engines.
var openDevice func(number int) (device, error)

// A buildError says what this build lacks. It is errors.ErrUnsupported.
type buildError string

func (e buildError) Error() string      { return string(e) }
func (buildError) Is(target error) bool { return target == errors.ErrUnsupported }

const errNoGPUs = buildError("built without -tags gds for linux/amd64 or linux/arm64")

// openGPU opens the GPU for the whole process if the engine needs one.
func openGPU() (err error) {
	if *engineFlag == "cpu" {
		return nil
	}
	if openDevice == nil {
		return errNoGPUs
	}
	activeGPU, err = openDevice(*gpuFlag)
	return err
}

// openGPUEngine opens the engine that -engine names, on the GPU that is open.
func openGPUEngine(r reading) (namedEngine, error) {
	return activeGPU.openEngine(r, gpuOptions{host: *engineFlag == "host", pageable: !*pinnedFlag, submit: *submitFlag, compat: *compatFlag})
}

func closeGPU() error {
	if activeGPU == nil {
		return nil
	}
	err := activeGPU.Close()
	activeGPU = nil
	return err
}
