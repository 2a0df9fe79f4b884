//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"zarrbench/zarrio/internal/cuda"
)

const (
	probeVariable = "ZARRBENCH_CUFILE_PROBE" // the device's ordinal, and whether compatibility mode is forbidden
	probeLine     = "cufile-probe:"          // starts what the child tells; other code of it may print too
	probeTimeout  = 20 * time.Second
)

// A child process is this executable with one variable more, and ends here.
func init() {
	if what, ok := os.LookupEnv(probeVariable); ok {
		tell(probe(what))
		os.Exit(0)
	}
}

// probe opens and closes the driver in the child process.
func probe(what string) error {
	device, mode, _ := strings.Cut(what, " ")
	ordinal, err := strconv.Atoi(device)
	if err != nil {
		return fmt.Errorf("%s is %q, expected the number of a device", probeVariable, what)
	}
	driver, err := cuda.Load()
	if err != nil {
		return err
	}
	dev, err := driver.Open(ordinal)
	if err != nil {
		return err
	}
	lib, err := load()
	if err != nil {
		return err
	}
	err = dev.Do(func() error {
		if err := lib.open(mode == "strict"); err != nil {
			return err
		}
		return check("cuFileDriverClose_v2", lib.driverClose())
	})
	return errors.Join(err, dev.Close())
}

// tell writes what the probe found as one line, from which answer makes an error again.
func tell(err error) {
	var e *Error
	var c *cuda.Error
	switch {
	case err == nil:
		fmt.Println(probeLine, "ok")
	case errors.As(err, &e):
		fmt.Println(probeLine, "error", e.Call, e.Code, e.CUDA)
	case cantTell(err) && errors.As(err, &c): // of others, the text has more
		fmt.Println(probeLine, "cuda", c.Call, c.Code)
	default:
		fmt.Println(probeLine, "text", strconv.Quote(err.Error()))
	}
}

// answer finds what a probe told in what it printed. found is false where it told nothing.
func answer(out []byte) (err error, found bool) {
	for line := range bytes.Lines(out) {
		rest, ok := bytes.CutPrefix(line, []byte(probeLine))
		if !ok {
			continue
		}
		kind, text, _ := strings.Cut(strings.TrimSpace(string(rest)), " ")
		var e Error
		var c cuda.Error
		switch kind {
		case "ok":
			return nil, true
		case "error":
			if _, err := fmt.Sscan(text, &e.Call, &e.Code, &e.CUDA); err == nil {
				return &e, true
			}
		case "cuda":
			if _, err := fmt.Sscan(text, &c.Call, &c.Code); err == nil {
				c.Name = cuda.ErrorName(c.Code)
				return &c, true
			}
		case "text":
			if text, err := strconv.Unquote(text); err == nil {
				return errors.New(text), true
			}
		}
	}
	return nil, false
}

// deviceUnavailable is CUDA_ERROR_DEVICE_UNAVAILABLE.
const deviceUnavailable = 46

// cantTell reports whether a probe failed only because its process was not this one: a GPU in the compute mode
// EXCLUSIVE_PROCESS, as clusters set it, gives a context to no process but this one, which has it already.
func cantTell(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.CUDA == deviceUnavailable
	}
	return errors.Is(err, &cuda.Error{Code: deviceUnavailable})
}

// probed holds the probes that were good, or couldn't tell, which is a fact about the machine: none is made twice.
var probed sync.Map // of probeKey

type probeKey struct {
	path   string
	strict bool // without compatibility mode
}

// tryInChild has a child process open the driver, and kills it if that takes too long: a call that doesn't return can't be
// stopped in its own process.
func tryInChild(path string, ordinal int, cfg Config) error {
	key := probeKey{path, cfg.ForbidCompat}
	if _, ok := probed.Load(key); ok {
		return nil
	}
	timeout := cfg.ProbeTimeout
	if timeout <= 0 {
		timeout = probeTimeout
	}
	what := strconv.Itoa(ordinal)
	if cfg.ForbidCompat {
		what += " strict"
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe") // which is there even where the file was replaced
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), probeVariable+"="+what)
	if logsByDefault() {
		cmd.Env = append(cmd.Env, logVariable+"="+os.DevNull)
	}
	var out, noise head
	cmd.Stdout, cmd.Stderr = &out, &noise // stdin is the null device
	cmd.WaitDelay = time.Second           // another process may hold the pipes
	// A child that spins doesn't outlive this process. The kernel goes by the thread that started it, so that stays.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Where a driver is open already, a copy of this process's memory could harm what it has pinned. There is none: the child
	// shares the memory until it is another program.
	runtime.LockOSThread()
	err := cmd.Run()
	runtime.UnlockOSThread()

	told, found := answer(out.b)
	switch {
	case found && (told == nil || cantTell(told)):
		probed.Store(key, true)
		return nil
	case found:
		return fmt.Errorf("a child process that tried the driver of %s: %w", path, told)
	case ctx.Err() != nil:
		return fmt.Errorf("cuFile not used: a child process that tried the driver of %s had not opened it after %v, and was killed: %w%s", path, timeout, os.ErrDeadlineExceeded, noise.quote())
	case err != nil:
		return fmt.Errorf("cuFile not used: a child process that tried the driver of %s ended with %w%s", path, err, noise.quote())
	}
	return fmt.Errorf("cuFile not used: a child process that tried the driver of %s told nothing%s", path, noise.quote())
}

// A head keeps the first 64 KiB that are written to it.
type head struct{ b []byte }

const headBytes = 64 << 10

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), headBytes-len(h.b))]...)
	return len(p), nil
}

// quote returns the first lines as the end of an error's text. What a Go program that crashes writes behind them is long.
func (h *head) quote() string {
	const most = 3
	text := strings.TrimSpace(string(h.b))
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	return "; it wrote: " + strings.Join(lines[:min(len(lines), most)], "; ")
}
