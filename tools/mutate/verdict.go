package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"zarrbench/tools/internal/cli"
)

// A tester runs tests over the module with a fault.
type tester struct {
	overlay overlay
	stages  [][]string // arguments of go test, run in turn
	timeout time.Duration
	trust   bool // the tests pass without a fault
}

// A verdict is the outcome of the tests for one fault.
type verdict struct {
	caughtBy string // a package and its test; empty if all tests passed
	timedOut bool
	noBuild  bool
	output   string // of the failed tests
}

func (v verdict) String() string {
	switch {
	case v.noBuild:
		return "doesn't compile"
	case v.caughtBy == "":
		return "SURVIVED"
	case v.timedOut:
		return "caught by " + v.caughtBy + ", which ran too long"
	}
	return "caught by " + v.caughtBy
}

// test runs the stages, with flag for the go command and the go commands that tests start, until one fails.
func (t tester) test(ctx context.Context, flag string) (verdict, error) {
	for _, stage := range t.stages {
		args := slices.Concat([]string{"test", "-json", "-failfast", "-vet=off", "-timeout=" + t.timeout.String()}, stage)
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" "+flag))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return verdict{}, err
		}
		if err := cmd.Start(); err != nil {
			return verdict{}, err
		}
		v, readErr := judge(out)
		err = cmd.Wait()
		switch exit, failed := errors.AsType[*exec.ExitError](err); {
		case ctx.Err() != nil:
			return verdict{}, ctx.Err()
		case readErr != nil:
			return verdict{}, readErr
		case failed && v.caughtBy == "" && !v.noBuild:
			return verdict{}, fmt.Errorf("go %s: %w: %s%s", strings.Join(args, " "), exit, v.output, stderr.String())
		case err != nil && !failed:
			return verdict{}, err
		case failed:
			return v, nil
		}
	}
	return verdict{}, nil
}

// judge reads the output of go test -json. The first test that failed has caught the fault.
func judge(r io.Reader) (verdict, error) {
	var v verdict
	var output strings.Builder
	running := map[string]string{} // the last test that began, of each package
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var event struct{ Action, Package, Test, Output, FailedBuild string }
		if json.Unmarshal(line, &event) != nil {
			output.Write(line)
		}
		switch event.Action {
		case "run":
			running[event.Package] = event.Test
		case "output", "build-output":
			output.WriteString(event.Output)
			v.timedOut = v.timedOut || strings.Contains(event.Output, "panic: test timed out after")
		case "build-fail":
			v.noBuild = true
		case "fail":
			test := event.Test
			if test == "" { // the process ended: by a fatal error, or by os.Exit
				test = running[event.Package]
			}
			if v.caughtBy == "" && event.FailedBuild == "" {
				v.caughtBy = strings.TrimSpace(event.Package + " " + test)
			}
		}
		if err == io.EOF {
			v.output = output.String()
			return v, nil
		}
		if err != nil {
			return v, err
		}
	}
}

// plantAll plants the faults and prints the verdicts.
func plantAll(ctx context.Context, t tester, faults []Fault, stdout, stderr io.Writer) error {
	sources, err := walk(".")
	if err != nil {
		return err
	}
	if len(t.stages) > 0 && !t.trust {
		fmt.Fprintln(stderr, "running the tests without a fault")
		switch v, err := t.test(ctx, ""); {
		case err != nil:
			return err
		case v.noBuild || v.caughtBy != "":
			return fmt.Errorf("the tests fail without a fault: %s\n%s", v, v.output)
		}
	}
	var caught, late, equivalent, survived, lost int
	for i, f := range faults {
		start := time.Now()
		var result string
		path, err := find(sources, f)
		switch {
		case err != nil:
			lost++
			result = err.Error()
		case f.Equivalent != "":
			equivalent++
			result = "equivalent: " + f.Equivalent
		case len(t.stages) == 0:
			result = "found in " + path
		default:
			flag, err := t.overlay.plant(path, f)
			if err != nil {
				return err
			}
			v, err := t.test(ctx, flag)
			if err != nil {
				return err
			}
			switch {
			case v.noBuild:
				lost++
			case v.caughtBy == "":
				survived++
			default:
				caught++
				if v.timedOut {
					late++
				}
			}
			result = fmt.Sprintf("%s, %s", v, time.Since(start).Round(time.Second))
			f.File = path
		}
		fmt.Fprintf(stdout, "%d/%d %s\n\t%s\n", i+1, len(faults), f, result)
	}
	if len(t.stages) == 0 {
		fmt.Fprintf(stdout, "%d faults: %d not found\n", len(faults), lost)
	} else {
		fmt.Fprintf(stdout, "%d faults: %d caught (%d by running too long), %d equivalent, %d not planted, %d SURVIVED\n",
			len(faults), caught, late, equivalent, lost, survived)
	}
	if survived+lost > 0 {
		return fmt.Errorf("not all faults are caught (%w)", cli.ErrPrinted)
	}
	return nil
}
