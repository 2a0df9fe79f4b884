package harness

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

	"zarrbench/zarrio/codec"
)

// units describes the metrics besides ns/op. It is printed once, and tells benchstat which direction is better and which
// values must be equal.
const units = `Unit samples/s better=higher
Unit first-batch-sec better=lower
Unit p50-batch-sec better=lower
Unit p99-batch-sec better=lower
Unit slowest-batch-sec better=lower
Unit cpu-sec/op better=lower
Unit open-sec better=lower
Unit stall-% better=lower
Unit steady-stall-% better=lower
Unit ceiling-% better=higher
Unit ceiling-sec better=lower
Unit peak-RSS-bytes better=lower
Unit reused/op better=higher
Unit evicted/op better=lower
Unit kept-bytes better=lower
Unit bad/op better=lower
Unit out-B/op assume=exact
Unit data-crc32 assume=exact
Unit data-sum assume=exact
Unit loss assume=exact
`

// readUnit returns the line that describes read-B/op. In a shuffled order, and with cached chunks, the number varies: it depends on
// timing which chunks are still cached when their next window is read.
func readUnit() string {
	if *shuffleFlag != "" || keeps() {
		return "Unit read-B/op better=lower\n"
	}
	return "Unit read-B/op assume=exact\n"
}

// What Main finds for the benchmarks.
var (
	stores      []benchStore
	activeGPU   device   // nil for the CPU engine
	unsupported error    // why the engine can't run
	unmet       []string // what -require asks for, and the run lacked
)

// Main runs the tests, or with -bench the benchmarks, and returns the exit status for TestMain. The value of -engine is
// defaultEngine unless the command line has another. Tests run beside benchmarks only if -run asks for some: most open stores
// of their own, and would delay the measurement.
func Main(m *testing.M, defaultEngine string) int {
	defineEngineFlag(defaultEngine)
	err := parseFlags(os.Args[1:])
	switch bench, run := flag.Lookup("test.bench").Value, flag.Lookup("test.run").Value; {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return failed(2, err)
	case bench.String() == "":
		if names := givenFlags(); len(names) > 0 {
			return failed(2, fmt.Errorf("%s without -bench: no benchmark was asked for (go test -bench=. . -args ...)", strings.Join(names, ", ")))
		}
		return runTests(m)
	case run.String() == "":
		err = run.Set(noTests)
	case run.String() != noTests:
		pattern := bench.String()
		restore := hideFlags()
		err = bench.Set("")
		if code := m.Run(); code != 0 {
			return code
		}
		restore()
		err = errors.Join(err, bench.Set(pattern), run.Set(noTests))
	}
	if err != nil {
		return failed(1, err)
	}
	code, err := run(m)
	if err != nil {
		code = failed(1, err)
	}
	for _, reason := range unmet { // once more, after all that the benchmarks printed
		code = failed(1, errors.New("-require: "+reason))
	}
	return code
}

// noTests is a value of -run that matches no test.
const noTests = "^$"

// failed prints err and returns code.
func failed(code int, err error) int {
	fmt.Fprintln(os.Stderr, "zarrbench:", err)
	return code
}

// run runs the benchmarks.
func run(m *testing.M) (code int, err error) {
	if err := emulate(); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, closeGPU()) }()
	e, err := openFirst()
	if errors.Is(err, errors.ErrUnsupported) {
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

// openFirst opens the engine, and the GPU if the engine needs one, to check that both are available.
func openFirst() (namedEngine, error) {
	if err := openGPU(); err != nil {
		return nil, err
	}
	return openEngine(requested(ioMode()))
}

// prepare finds the stores, prints the head and closes e. Each row opens an engine of its own, and memory that is registered
// with cuFile is scarce. cleanup removes the stores that were made for the run.
func prepare(ctx context.Context, e namedEngine) (cleanup func(), err error) {
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

// printHead prints the lines above the rows. benchstat compares rows only if their lines with lower-case keys are equal: these
// name the data, and each flag that changes what an epoch does.
func printHead(ctx context.Context, e namedEngine) error {
	fmt.Print(units, readUnit())
	var names, steps []string
	for _, s := range stores {
		names, steps = append(names, s.data), append(steps, fmt.Sprint(s.steps))
		fmt.Printf("Store: %s = %s%s\n", s.name, s.path, s.note)
	}
	cache, err := cacheLabel()
	if err != nil {
		return err
	}
	sample, err := sampleLabel()
	if err != nil {
		return err
	}
	lines := []struct{ key, value, standard string }{
		{"data", strings.Join(slices.Compact(names), "+"), ""},
		{"steps", strings.Join(slices.Compact(steps), "+"), ""},
		{"cache", cache, ""},
		{"vars", *varsFlag, flag.Lookup("vars").DefValue},
		{"window", *windowFlag, "time=2"},
		{"sample", sample, ""},
		{"open", *openFlag, "once"},
		{"layout", *layoutFlag, "dense"},
		{"prefetch", fmt.Sprint(*prefetchFlag), "1"},
		{"shuffle", *shuffleFlag, ""},
		{"keep", *keepFlag, "0"},
		{"bad", *badFlag, "error"},
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
	if activeGPU != nil {
		endpoint = "device"
	}
	fmt.Printf("Engine: %v\nCodecs: %s\nEndpoint: %s\nMachine: %s, %d CPUs, GOMAXPROCS %d, %s/%s\n",
		e, strings.Join(codec.Libraries(), "; "), endpoint, cpuModel(), runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
	fmt.Printf("Date: %s\n", time.Now().UTC().Format(time.RFC3339))
	if c := commit(); c != "" {
		fmt.Printf("Commit: %s\n", c)
	}
	if activeGPU == nil {
		return nil
	}
	return activeGPU.printHead(ctx, e)
}

// skipUnsupported skips b if this build or machine lacks the engine.
func skipUnsupported(b *testing.B) {
	b.Helper()
	if unsupported != nil {
		skip(b, unsupported)
	}
}

// skip skips b and prints the reason. With -require, b fails.
func skip(b *testing.B, reason error) {
	b.Helper()
	if *requireFlag {
		failRequired(b, reason.Error())
	}
	skipLoud(b, reason)
}

// skipLoud skips b and prints the reason, which testing does only with -v.
func skipLoud(b *testing.B, reason error) {
	b.Helper()
	fmt.Fprintf(os.Stderr, "%s: skipped: %v\n", b.Name(), reason)
	b.Skip(reason)
}

// failRequired fails b for what -require asks for. Main prints the reason once more, at the end.
func failRequired(b *testing.B, reason string) {
	b.Helper()
	if !slices.Contains(unmet, reason) {
		unmet = append(unmet, reason)
	}
	b.Fatalf("-require: %s", reason)
}

// model takes the time of -step, as if a model computed on a batch.
func model() {
	if *stepFlag > 0 {
		time.Sleep(*stepFlag)
	}
}
