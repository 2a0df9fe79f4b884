package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A job is a command. Its whole output goes to the log of its label.
type job struct {
	label string
	limit time.Duration // a minute if 0
	env   []string      // added to the kit's own
	args  []string
	tail  int // lines of the output that explain a failure, 4 if 0
}

// errNoTime is returned for a job that KIT_SECONDS leave no time for.
var errNoTime = errors.New("no time is left")

// exec runs a job, and returns its output, also if it failed. An error that is errNoTime has been
// recorded.
func (k *kit) exec(ctx context.Context, j job) (output string, err error) {
	const least = 5 * time.Second
	limit := cmp.Or(j.limit, time.Minute)
	left := time.Until(k.deadline)
	if left < least {
		k.leftOut = append(k.leftOut, j.label)
		return "", errNoTime
	}
	ctx, cancel := context.WithTimeout(ctx, min(limit, left))
	defer cancel()
	log, err := os.Create(k.logPath(j.label))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, j.args[0], j.args[1:]...)
	cmd.Env = append(os.Environ(), j.env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A job's children are stopped with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	closeErr := log.Close()
	text, readErr := os.ReadFile(log.Name())
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		if left < limit {
			k.leftOut = append(k.leftOut, j.label+", which had begun")
			return string(text), errNoTime
		}
		return string(text), fmt.Errorf("stopped after %v", limit)
	}
	return string(text), errors.Join(err, closeErr, readErr)
}

// do runs a job and prints a line for it, with the note that is made of its output. It returns
// whether the job succeeded.
func (k *kit) do(ctx context.Context, j job, note func(output string) (string, error)) bool {
	begin := time.Now()
	output, err := k.exec(ctx, j)
	if errors.Is(err, errNoTime) {
		return false
	}
	if err != nil {
		k.fail(j.label, err, lastLines(output, cmp.Or(j.tail, 4))...)
		return false
	}
	text := ""
	if note != nil {
		if text, err = note(output); err != nil {
			k.fail(j.label, err, explain(err, output)...)
			return false
		}
	}
	k.ok(j.label, time.Since(begin), text)
	return true
}

func (k *kit) ok(label string, took time.Duration, note string) {
	k.oks++
	k.printf("%s\n", strings.TrimRight(fmt.Sprintf("ok   %-24s %3.0f s  %s", label, took.Seconds(), note), " "))
}

// explain returns the end of an output without rows: it says why there are none.
func explain(err error, output string) []string {
	if errors.Is(err, errNoRows) {
		return lastLines(output, 4)
	}
	return nil
}

// lastLines returns the last n lines of text that aren't empty.
func lastLines(text string, n int) []string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	return lines[max(0, len(lines)-n):]
}

// pack writes the logs, and what was printed, to logs.tgz.
func (k *kit) pack() (err error) {
	path := filepath.Join(k.out, "logs.tgz")
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	err = errors.Join(w.AddFS(os.DirFS(k.logs())), w.Close(), z.Close(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
