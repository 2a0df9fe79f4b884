// Package cli holds what the commands of this module share: signals stop them, their exit statuses are the same, and so is what
// they print where the command line is wrong.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

var (
	// ErrUsage is what errors.Is finds when the command line is wrong.
	ErrUsage = errors.New("see -help")
	// ErrPrinted is what errors.Is finds in an error that the command has told of itself, as by a report.
	ErrPrinted = errors.New("it was printed")
)

// A StatusError is an error that ends the command with a status of its own.
type StatusError struct {
	Err    error
	Status int
}

func (e *StatusError) Error() string { return e.Err.Error() }
func (e *StatusError) Unwrap() error { return e.Err }

// Run runs a command over the process's arguments and returns its exit status: 0 for no error, that of a [StatusError], 2 for an
// error that is [ErrUsage] and 1 for any other. The error goes to standard error, after the command's name, unless it is [ErrPrinted]. Interrupts and SIGTERM
// end the context.
func Run(name string, run func(ctx context.Context, args []string, stdout, stderr io.Writer) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return status(name, run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr)
}

func status(name string, err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if !errors.Is(err, ErrPrinted) {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	if e, ok := errors.AsType[*StatusError](err); ok {
		return e.Status
	}
	if errors.Is(err, ErrUsage) {
		return 2
	}
	return 1
}

// A Usage is what stands before and behind the description of a command's flags.
type Usage struct{ Before, After string }

// Parse parses args, and lets resolve check what came of it. It returns true where nothing is left to do: the help was asked for,
// and is on stdout, or the command line is wrong, which the error says, and the help is on stderr.
func Parse(flags *flag.FlagSet, u Usage, args []string, resolve func(*flag.FlagSet) error, stdout, stderr io.Writer) (done bool, err error) {
	flags.SetOutput(io.Discard) // Run prints errors, help prints the rest
	flags.Usage = func() {}
	help := func(w io.Writer) {
		fmt.Fprint(w, u.Before)
		flags.SetOutput(w)
		flags.PrintDefaults()
		fmt.Fprint(w, u.After)
	}
	err = flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		help(stdout)
		return true, nil
	}
	if err == nil {
		err = resolve(flags)
	}
	if err != nil {
		help(stderr)
		return true, fmt.Errorf("%w (%w)", err, ErrUsage)
	}
	return false, nil
}
