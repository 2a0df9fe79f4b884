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

// units are the metrics besides ns/op: printed once, so that benchstat knows which way is better and what must not vary.
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
Unit data-crc32 assume=exact
Unit loss assume=exact
`

// readUnit is the line of the bytes that an epoch reads. In a shuffled order, timing decides which chunks are still cached
// when the next window of theirs comes.
func readUnit() string {
	if *shuffleFlag != "" {
		return "Unit read-B/op better=lower\n"
	}
	return "Unit read-B/op assume=exact\n"
}

// What Main finds for the benchmarks: the stores to run on, the GPU that the engine needs, or why the engine can't run;
// and what a run with -require lacked.
var (
	stores      []benchStore
	gpu         device // nil for the CPU engine
	unsupported error
	unmet       []string
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
	for _, reason := range unmet { // once more, behind all that the benchmarks printed
		code = failed(1, errors.New("-require: "+reason))
	}
	return code
}

// noTests is the value of -run that no test matches.
const noTests = "^$"

// failed prints why the program ends, and returns its exit status.
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

// openFirst opens the GPU where one is needed, and the engine, to see that both can be.
func openFirst() (engine, error) {
	if err := openGPU(); err != nil {
		return nil, err
	}
	return openEngine(requested(ioMode()))
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

// printHead prints the lines above the rows. A key in lower case must be equal in two files for benchstat to compare them:
// such are the data, and every flag that changes what an epoch is.
func printHead(ctx context.Context, e engine) error {
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
	fmt.Printf("Date: %s\n", time.Now().UTC().Format(time.RFC3339))
	if c := commit(); c != "" {
		fmt.Printf("Commit: %s\n", c)
	}
	if gpu == nil {
		return nil
	}
	return gpu.printHead(ctx, e)
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
		failRequired(b, reason.Error())
	}
	skipLoud(b, reason)
}

// skipLoud skips a benchmark, and prints why: a skip alone prints nothing without -v.
func skipLoud(b *testing.B, reason error) {
	b.Helper()
	fmt.Fprintf(os.Stderr, "%s: skipped: %v\n", b.Name(), reason)
	b.Skip(reason)
}

// failRequired fails a benchmark for what -require asks. The reason is printed once more where it will be read: at the end.
func failRequired(b *testing.B, reason string) {
	b.Helper()
	if !slices.Contains(unmet, reason) {
		unmet = append(unmet, reason)
	}
	b.Fatalf("-require: %s", reason)
}

// model pretends to compute on a batch for -step.
func model() {
	if *stepFlag > 0 {
		time.Sleep(*stepFlag)
	}
}
