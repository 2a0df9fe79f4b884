package harness

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// The flags of the benchmarks, given after -args. Their defaults are the study's choices.
var (
	storeFlag    list
	varsFlag     = flag.String("vars", "geopotential,u_component_of_wind,v_component_of_wind", "channels of a sample: `ARRAY[@DIM=COORDINATE],...`")
	windowFlag   = flag.String("window", "time=2", "windows: `DIM=SIZE[:OVERLAP],...`")
	batchFlag    = flag.Int("batch", 32, "samples a batch")
	lossFlag     = flag.String("loss", "mse", "what is computed on each batch: mse, the mean squared difference of a window's first and last step, or of the tensors input and target; mse:`TENSOR,TENSOR`; or none")
	cacheFlag    = flag.String("cache", "warm", "the page cache before each epoch: warm, cold, or as-is (left alone)")
	ioFlag       = flag.String("io", "auto", "how files are read, except by -engine gds: buffered, direct, uring, or auto, which looks at what the page cache holds; of a `LIST` BenchmarkRead takes all, the others the first")
	openFlag     = flag.String("open", "once", "when the store is opened: once, or epoch (anew within each timed epoch)")
	layoutFlag   = flag.String("layout", "dense", "the planes of a batch: dense, or padded to pages")
	workersFlag  = flag.String("workers", "0", "how many goroutines read and decode: a `NUMBER`, or auto, which tries several before the timed epochs; 0 means two a core, or with -io direct for as many as keep a disk busy, and with -engine gds for KVIKIO_NTHREADS or 8")
	depthFlag    = flag.Int("depth", 0, "reads that each worker has under way at once with -io uring and auto; 0 means those of 8 MiB, but 16 at most; with -workers auto, several are tried")
	prefetchFlag = flag.Int("prefetch", 1, "batches filled ahead of the one in use")
	shuffleFlag  = flag.String("shuffle", "", "order of the windows by this `SEED`: a number, or chunk:SEED to keep the windows of a chunk together")
	keepFlag     = flag.String("keep", "0", "decoded chunks that are cached across batches and epochs: `BYTES`, such as 2GiB; auto, all that the epochs need if it fits a quarter of the memory; or 0, those that the very next batch needs")
	stepFlag     = flag.Duration("step", 0, "pretend that the model takes this long on each batch")
	engineFlag   = new(string) // defined by Main
	requireFlag  = flag.Bool("require", false, "fail, rather than skip, where this build or machine lacks the engine; with -engine gds, also where bytes went another way than GPUDirect Storage's")
)

// openFlags are the options that stores are opened with.
var openFlags zarrio.Options

func init() {
	flag.BoolVar(&openFlags.FollowLinks, "follow-links", false, "follow symbolic links that lead outside a local store")
	flag.TextVar(&openFlags.Consolidated, "consolidated", zarrio.Auto, "consolidated metadata, `USE` of: auto, if there are any; never; verify, which refuses a store whose documents differ from them")
	flag.Var(&storeFlag, "store", "a Zarr store to read, by `PATH`; may be given several times")
}

// defineEngineFlag defines -engine, whose default is another one in builds with GPU engines.
func defineEngineFlag(defaultEngine string) {
	flag.StringVar(engineFlag, "engine", defaultEngine, "the engine: cpu, host or gds")
}

// parseFlags reads the command line and checks the benchmarks' flags. Its errors are one line long: the flag package would
// print all flags of go test and the benchmarks as well.
func parseFlags(args []string) error {
	all := flag.CommandLine
	all.Init(all.Name(), flag.ContinueOnError)
	all.SetOutput(io.Discard)
	err := all.Parse(args)
	all.SetOutput(nil)
	if errors.Is(err, flag.ErrHelp) {
		printFlags()
		return err
	}
	if err != nil {
		return flagError(err)
	}
	// A flag without its value takes the next flag as the value, and an argument is left over. Its own error says more.
	if err := checkFlags(); err != nil || flag.NArg() == 0 {
		return err
	}
	if exists(flag.Arg(0)) {
		return fmt.Errorf("unexpected argument %q: want -store %[1]s", flag.Arg(0))
	}
	return fmt.Errorf("unexpected argument %q", flag.Arg(0))
}

// Errors of the flag package, which has no types for them.
var (
	unknownFlag  = regexp.MustCompile(`^flag provided but not defined: -(.*)$`)
	invalidValue = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-([^ :]+): `)
)

// flagError rewrites an error of the flag package in the form that checkFlags uses.
func flagError(err error) error {
	if m := unknownFlag.FindStringSubmatch(err.Error()); m != nil && flag.Lookup("test."+m[1]) != nil {
		return fmt.Errorf("-%s is a flag of go test: give it before -args, or as -test.%[1]s to a compiled binary", m[1])
	}
	m := invalidValue.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	f := flag.Lookup(m[2])
	getter, ok := f.Value.(flag.Getter)
	if !ok {
		return err
	}
	switch getter.Get().(type) {
	case time.Duration:
		return fmt.Errorf("-%s %s: want a time with its unit, such as 30ms", f.Name, m[1])
	case int:
		return fmt.Errorf("-%s %s: want a number", f.Name, m[1])
	case bool:
		return fmt.Errorf("-%s=%s: want true or false", f.Name, m[1])
	}
	return err
}

// own reports whether f is a flag of the benchmarks rather than of go test.
func own(f *flag.Flag) bool { return !strings.HasPrefix(f.Name, "test.") }

// printFlags prints the usage of the benchmarks' flags.
func printFlags() {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flag.VisitAll(func(f *flag.Flag) {
		if own(f) {
			flags.Var(f.Value, f.Name, f.Usage)
		}
	})
	fmt.Print("usage: go test -bench=REGEXP . -args [FLAG...]\n\nThe flags of go test, such as -benchtime=1x and -count=10, stand before -args.\n\n")
	flags.SetOutput(os.Stdout)
	flags.PrintDefaults()
}

// givenFlags returns the benchmarks' flags that the command line sets.
func givenFlags() (names []string) {
	flag.Visit(func(f *flag.Flag) {
		if own(f) {
			names = append(names, "-"+f.Name)
		}
	})
	return names
}

// hideFlags sets the benchmarks' flags to their defaults, and returns a function that restores the given values. Tests need the
// defaults: their stores have other arrays than those of the command line.
func hideFlags() (restore func()) {
	given := map[*flag.Flag]string{}
	flag.Visit(func(f *flag.Flag) {
		if own(f) && f.Name != "store" {
			given[f] = f.Value.String()
			_ = f.Value.Set(f.DefValue)
		}
	})
	paths := storeFlag
	storeFlag = nil
	return func() {
		for f, value := range given {
			_ = f.Value.Set(value)
		}
		storeFlag = paths
	}
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("-%s %s: want %s", name, value, strings.Join(allowed, " or "))
}

func checkFlags() error {
	_, _, shuffleErr := parseShuffle(*shuffleFlag)
	_, _, workersErr := parseWorkers(*workersFlag)
	_, windowErr := loader.ParseWindows(*windowFlag)
	_, _, _, lossErr := parseLoss(*lossFlag)
	_, keepErr := parseKeep(*keepFlag)
	err := errors.Join(
		readSample(),
		oneOf("cache", *cacheFlag, "warm", "cold", "as-is"),
		eachOf("io", *ioFlag, "auto", "buffered", "direct", "uring"),
		oneOf("open", *openFlag, "once", "epoch"),
		oneOf("bad", *badFlag, "error", "nan"),
		oneOf("layout", *layoutFlag, "dense", "padded"),
		oneOf("engine", *engineFlag, "cpu", "host", "gds"),
		checkGPUFlags(),
		shuffleErr, windowErr, lossErr, workersErr, keepErr)
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

// eachOf checks each value of a flag that is a list.
func eachOf(name, list string, allowed ...string) (err error) {
	for value := range strings.SplitSeq(list, ",") {
		err = errors.Join(err, oneOf(name, value, allowed...))
	}
	return err
}

// ioModes returns the values of -io.
func ioModes() []engine.IO {
	var modes []engine.IO
	for name := range strings.SplitSeq(*ioFlag, ",") {
		io, _ := engine.ParseIO(name) // checked by checkFlags
		modes = append(modes, io)
	}
	return modes
}

func ioMode() engine.IO { return ioModes()[0] }

// loaderOptions returns the loader's options that the flags ask for.
func loaderOptions() loader.Options {
	shuffle, seed, _ := parseShuffle(*shuffleFlag)
	opt := loader.Options{
		Batch:    *batchFlag,
		Shuffle:  shuffle,
		Seed:     seed,
		Prefetch: *prefetchFlag,
		Bad:      badMode(),
	}
	if described != nil {
		opt.Sample = *described
	} else {
		opt.Channels = channelNames()
		opt.Windows, _ = loader.ParseWindows(*windowFlag) // checked by checkFlags
	}
	if *prefetchFlag == 0 {
		opt.Prefetch = -1
	}
	if *layoutFlag == "padded" {
		opt.Layout = tensor.Padded
	}
	return opt
}

func parseShuffle(s string) (loader.Shuffle, uint64, error) {
	if s == "" {
		return loader.InOrder, 0, nil
	}
	mode := loader.ByWindow
	digits, byChunk := strings.CutPrefix(s, "chunk:")
	if byChunk {
		mode = loader.ByChunk
	}
	var seed uint64
	if _, err := fmt.Sscanf(digits+"\n", "%d\n", &seed); err != nil {
		return mode, 0, fmt.Errorf("-shuffle %s: want a number or chunk:NUMBER, such as -shuffle 1", s)
	}
	return mode, seed, nil
}
