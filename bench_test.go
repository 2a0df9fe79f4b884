package zarrbench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"zarrbench/zarrio"
	"zarrbench/zarrio/codec"
)

// The flags of the benchmarks, given after -args. Their zero values are the study's choices.
var (
	storeFlag    list
	varsFlag     = flag.String("vars", "geopotential,u_component_of_wind,v_component_of_wind", "channels of a sample: `ARRAY[@DIM=COORDINATE],...`")
	windowFlag   = flag.String("window", "time=2", "windows: `DIM=SIZE[:OVERLAP],...`")
	batchFlag    = flag.Int("batch", 32, "samples a batch")
	lossFlag     = flag.String("loss", "mse", "what is computed on each batch: mse or none")
	cacheFlag    = flag.String("cache", "warm", "the page cache before each epoch: warm or cold")
	ioFlag       = flag.String("io", "buffered", "how files are read: buffered")
	openFlag     = flag.String("open", "once", "when the store is opened: once, or epoch (anew within each timed epoch)")
	layoutFlag   = flag.String("layout", "dense", "the planes of a batch: dense, or padded to pages")
	workersFlag  = flag.Int("workers", 0, "goroutines that read and decode; 0 stands for two a core")
	prefetchFlag = flag.Int("prefetch", 1, "batches filled ahead of the one in use")
	shuffleFlag  = flag.String("shuffle", "", "order of the windows by this `SEED`: a number, or chunk:SEED to keep the windows of a chunk together")
	stepFlag     = flag.Duration("step", 0, "pretend that the model takes this long on each batch")
	engineFlag   = flag.String("engine", defaultEngine, "the engine: cpu, host or gds")
	requireFlag  = flag.Bool("require", false, "fail, rather than skip, where this build or machine lacks the engine")
)

func init() {
	flag.Var(&storeFlag, "store", "a Zarr store to read, by `PATH`; may be given several times")
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// units are the metrics besides ns/op: printed once, so that benchstat knows which way is better and what must not vary.
const units = `Unit samples/s better=higher
Unit first-batch-sec better=lower
Unit p50-batch-sec better=lower
Unit p99-batch-sec better=lower
Unit slowest-batch-sec better=lower
Unit cpu-sec/op better=lower
Unit open-sec better=lower
Unit stall-% better=lower
Unit ceiling-% better=higher
Unit ceiling-sec better=lower
Unit peak-RSS-bytes better=lower
Unit read-B/op assume=exact
Unit data-crc32 assume=exact
Unit loss assume=exact
`

// What TestMain finds for the benchmarks: the stores to run on, or why the engine can't.
var (
	stores      []benchStore
	unsupported error
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "zarrbench:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if flag.Lookup("test.bench").Value.String() == "" {
		return m.Run(), nil
	}
	if err := checkFlags(); err != nil {
		return 2, err
	}
	e, err := openEngine(*workersFlag)
	if errors.Is(err, zarrio.ErrNotSupported) {
		unsupported = err
		return m.Run(), nil
	}
	if err != nil {
		return 1, err
	}
	defer e.Close()
	found, cleanup, err := findStores(context.Background())
	if err != nil {
		return 1, err
	}
	defer cleanup()
	stores = found
	if err := printHead(e); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func checkFlags() error {
	oneOf := func(name, value string, allowed ...string) error {
		if slices.Contains(allowed, value) {
			return nil
		}
		return fmt.Errorf("-%s %s: want %s", name, value, strings.Join(allowed, " or "))
	}
	_, _, shuffleErr := parseShuffle(*shuffleFlag)
	_, windowErr := zarrio.ParseWindows(*windowFlag)
	err := errors.Join(
		oneOf("loss", *lossFlag, "mse", "none"),
		oneOf("cache", *cacheFlag, "warm", "cold"),
		oneOf("io", *ioFlag, "buffered"),
		oneOf("open", *openFlag, "once", "epoch"),
		oneOf("layout", *layoutFlag, "dense", "padded"),
		oneOf("engine", *engineFlag, "cpu", "host", "gds"),
		shuffleErr, windowErr)
	switch {
	case *batchFlag < 1:
		err = errors.Join(err, fmt.Errorf("-batch %d: want 1 or more", *batchFlag))
	case *workersFlag < 0:
		err = errors.Join(err, fmt.Errorf("-workers %d: want 0 or more", *workersFlag))
	case *prefetchFlag < 0:
		err = errors.Join(err, fmt.Errorf("-prefetch %d: want 0 or more", *prefetchFlag))
	case *stepFlag < 0:
		err = errors.Join(err, fmt.Errorf("-step %v: want 0 or more", *stepFlag))
	}
	return err
}

// printHead prints the lines above the rows. A key in lower case must be equal in two files for benchstat to compare them:
// such are the data, and every flag that changes what an epoch is.
func printHead(e *zarrio.CPU) error {
	fmt.Print(units)
	var names, steps []string
	for _, s := range stores {
		names, steps = append(names, s.data), append(steps, fmt.Sprint(s.steps))
		fmt.Printf("Store: %s = %s%s\n", s.name, s.path, s.note)
	}
	cache, err := cacheLabel()
	if err != nil {
		return err
	}
	lines := []struct{ key, value, standard string }{
		{"data", strings.Join(slices.Compact(names), "+"), ""},
		{"steps", strings.Join(slices.Compact(steps), "+"), ""},
		{"cache", cache, ""},
		{"vars", *varsFlag, flag.Lookup("vars").DefValue},
		{"window", *windowFlag, "time=2"},
		{"open", *openFlag, "once"},
		{"layout", *layoutFlag, "dense"},
		{"prefetch", fmt.Sprint(*prefetchFlag), "1"},
		{"shuffle", *shuffleFlag, ""},
		{"step", stepFlag.String(), "0s"},
	}
	for _, l := range lines {
		if l.value != l.standard {
			fmt.Printf("%s: %s\n", l.key, l.value)
		}
	}
	if err := codec.LibrariesError(); err != nil {
		return err
	}
	fmt.Printf("Engine: %v\nCodecs: %s\nEndpoint: host\nMachine: %s, %d CPUs, GOMAXPROCS %d, %s/%s\n",
		e, strings.Join(codec.Libraries(), "; "), cpuModel(), runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
	return nil
}

// openEngine opens the engine that -engine names.
func openEngine(workers int) (*zarrio.CPU, error) {
	if *engineFlag != "cpu" {
		return nil, &zarrio.UnsupportedError{What: "engine", Found: *engineFlag, Supported: "cpu; the GPU engines are not in this version"}
	}
	return zarrio.NewCPU(zarrio.CPUOptions{Workers: workers}), nil
}

// skipUnsupported skips a benchmark whose engine this build or machine lacks, and prints why: a skip alone prints nothing
// without -v. With -require it fails.
func skipUnsupported(b *testing.B) {
	b.Helper()
	switch {
	case unsupported == nil:
	case *requireFlag:
		b.Fatalf("-require: %v", unsupported)
	default:
		fmt.Fprintf(os.Stderr, "%s: skipped: %v\n", b.Name(), unsupported)
		b.Skip(unsupported)
	}
}

// loaderOptions are what the flags ask for.
func loaderOptions() zarrio.LoaderOptions {
	windows, _ := zarrio.ParseWindows(*windowFlag) // checked by checkFlags
	shuffle, seed, _ := parseShuffle(*shuffleFlag)
	opt := zarrio.LoaderOptions{
		Channels: strings.Split(*varsFlag, ","),
		Windows:  windows,
		Batch:    *batchFlag,
		Shuffle:  shuffle,
		Seed:     seed,
		Prefetch: *prefetchFlag,
	}
	if *prefetchFlag == 0 {
		opt.Prefetch = -1
	}
	if *layoutFlag == "padded" {
		opt.Layout = zarrio.Padded
	}
	return opt
}

func parseShuffle(s string) (zarrio.Shuffle, uint64, error) {
	if s == "" {
		return zarrio.InOrder, 0, nil
	}
	mode := zarrio.ByWindow
	digits, byChunk := strings.CutPrefix(s, "chunk:")
	if byChunk {
		mode = zarrio.ByChunk
	}
	var seed uint64
	if _, err := fmt.Sscanf(digits+"\n", "%d\n", &seed); err != nil {
		return mode, 0, fmt.Errorf("-shuffle %s: want a number, or chunk: and a number", s)
	}
	return mode, seed, nil
}

// model pretends to compute on a batch for -step.
func model() {
	if *stepFlag > 0 {
		time.Sleep(*stepFlag)
	}
}
