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
	cacheFlag    = flag.String("cache", "warm", "the page cache before each epoch: warm, cold, or as-is (left alone)")
	ioFlag       = flag.String("io", "auto", "how files are read, except by -engine gds: buffered, direct, uring, mmap, or auto, which looks at what the page cache holds; of a `LIST` BenchmarkRead takes all, the others the first")
	openFlag     = flag.String("open", "once", "when the store is opened: once, or epoch (anew within each timed epoch)")
	layoutFlag   = flag.String("layout", "dense", "the planes of a batch: dense, or padded to pages")
	workersFlag  = flag.String("workers", "0", "how many goroutines read and decode: a `NUMBER`, or auto, which tries several before the timed epochs; 0 stands for two a core, or with -io direct for as many as keep a disk busy, and with -engine gds for KVIKIO_NTHREADS or 8")
	depthFlag    = flag.Int("depth", 0, "reads that each worker has under way at once with -io uring and auto; 0 stands for those of 8 MiB, but 16 at most; with -workers auto, several are tried")
	prefetchFlag = flag.Int("prefetch", 1, "batches filled ahead of the one in use")
	shuffleFlag  = flag.String("shuffle", "", "order of the windows by this `SEED`: a number, or chunk:SEED to keep the windows of a chunk together")
	stepFlag     = flag.Duration("step", 0, "pretend that the model takes this long on each batch")
	engineFlag   = flag.String("engine", defaultEngine, "the engine: cpu, host or gds")
	requireFlag  = flag.Bool("require", false, "fail, rather than skip, where this build or machine lacks the engine; with -engine gds, also where bytes went another way than GPUDirect Storage's")
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

// What TestMain finds for the benchmarks: the stores to run on, the GPU that the engine needs, or why the engine can't run;
// and what a run with -require lacked.
var (
	stores      []benchStore
	gpu         *zarrio.GPU // nil for the CPU engine
	unsupported error
	unmet       []string
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		os.Exit(runTests(m))
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "zarrbench:", err)
		code = 1
	}
	for _, reason := range unmet { // once more, behind all that the benchmarks printed
		fmt.Fprintln(os.Stderr, "zarrbench: -require:", reason)
		code = 1
	}
	os.Exit(code)
}

// run runs the benchmarks.
func run(m *testing.M) (code int, err error) {
	if err := checkFlags(); err != nil {
		return 2, err
	}
	if err := emulate(); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, closeGPU()) }()
	e, err := openFirst()
	if errors.Is(err, zarrio.ErrNotSupported) {
		unsupported = fmt.Errorf("-engine %s: %w", *engineFlag, err)
		if *requireFlag {
			unmet = append(unmet, unsupported.Error())
		}
		return m.Run(), nil
	}
	if err != nil {
		return 1, err
	}
	cleanup, err := prepare(context.Background(), e)
	defer cleanup()
	if err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// openFirst opens the GPU where one is needed, and the engine, to see that both can be.
func openFirst() (engine, error) {
	if err := openGPU(); err != nil {
		return nil, err
	}
	return openEngine(asked(ioMode()))
}

// prepare finds the stores, prints the head and closes the engine: the rows open engines of their own, and memory that is
// registered with cuFile is scarce. cleanup removes what was made for the run.
func prepare(ctx context.Context, e engine) (cleanup func(), err error) {
	defer func() { err = errors.Join(err, e.Close()) }()
	if stores, cleanup, err = findStores(ctx); err != nil {
		return cleanup, err
	}
	for i := range stores {
		if err := stores[i].probe(ctx, e); err != nil {
			return cleanup, err
		}
	}
	return cleanup, printHead(ctx, e)
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("-%s %s: want %s", name, value, strings.Join(allowed, " or "))
}

func checkFlags() error {
	_, _, shuffleErr := parseShuffle(*shuffleFlag)
	_, _, workersErr := parseWorkers(*workersFlag)
	_, windowErr := zarrio.ParseWindows(*windowFlag)
	err := errors.Join(
		oneOf("loss", *lossFlag, "mse", "none"),
		oneOf("cache", *cacheFlag, "warm", "cold", "as-is"),
		eachOf("io", *ioFlag, "auto", "buffered", "direct", "uring", "mmap"),
		oneOf("open", *openFlag, "once", "epoch"),
		oneOf("layout", *layoutFlag, "dense", "padded"),
		oneOf("engine", *engineFlag, "cpu", "host", "gds"),
		checkGPUFlags(),
		shuffleErr, windowErr, workersErr)
	switch {
	case *batchFlag < 1:
		err = errors.Join(err, fmt.Errorf("-batch %d: want 1 or more", *batchFlag))
	case *depthFlag < 0:
		err = errors.Join(err, fmt.Errorf("-depth %d: want 0 or more", *depthFlag))
	case *prefetchFlag < 0:
		err = errors.Join(err, fmt.Errorf("-prefetch %d: want 0 or more", *prefetchFlag))
	case *stepFlag < 0:
		err = errors.Join(err, fmt.Errorf("-step %v: want 0 or more", *stepFlag))
	}
	return err
}

// printHead prints the lines above the rows. A key in lower case must be equal in two files for benchstat to compare them:
// such are the data, and every flag that changes what an epoch is.
func printHead(ctx context.Context, e engine) error {
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
	endpoint := "host"
	if gpu != nil {
		endpoint = "device"
	}
	fmt.Printf("Engine: %v\nCodecs: %s\nEndpoint: %s\nMachine: %s, %d CPUs, GOMAXPROCS %d, %s/%s\n",
		e, strings.Join(codec.Libraries(), "; "), endpoint, cpuModel(), runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
	return printGPU(ctx, e)
}

// skipUnsupported skips a benchmark whose engine this build or machine lacks.
func skipUnsupported(b *testing.B) {
	b.Helper()
	if unsupported != nil {
		skip(b, unsupported)
	}
}

// skip skips a benchmark, and prints why. With -require it fails.
func skip(b *testing.B, reason error) {
	b.Helper()
	if *requireFlag {
		lacks(b, reason.Error())
	}
	sayWhy(b, reason)
}

// sayWhy skips a benchmark, and prints why: a skip alone prints nothing without -v.
func sayWhy(b *testing.B, reason error) {
	b.Helper()
	fmt.Fprintf(os.Stderr, "%s: skipped: %v\n", b.Name(), reason)
	b.Skip(reason)
}

// lacks fails a benchmark for what -require asks. The reason is printed once more where it will be read: at the end.
func lacks(b *testing.B, reason string) {
	b.Helper()
	if !slices.Contains(unmet, reason) {
		unmet = append(unmet, reason)
	}
	b.Fatalf("-require: %s", reason)
}

// eachOf checks a flag that is a list.
func eachOf(name, list string, allowed ...string) (err error) {
	for value := range strings.SplitSeq(list, ",") {
		err = errors.Join(err, oneOf(name, value, allowed...))
	}
	return err
}

// ioModes are what -io asks for.
func ioModes() []zarrio.IO {
	var modes []zarrio.IO
	for name := range strings.SplitSeq(*ioFlag, ",") {
		io, _ := zarrio.ParseIO(name) // checked by checkFlags
		modes = append(modes, io)
	}
	return modes
}

func ioMode() zarrio.IO { return ioModes()[0] }

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
