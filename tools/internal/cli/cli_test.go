package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		stderr string
	}{
		{nil, 0, ""},
		{errors.New("no such store"), 1, "tool: no such store\n"},
		{fmt.Errorf("want one PATH, found 2 (%w)", ErrUsage), 2, "tool: want one PATH, found 2 (see -help)\n"},
		{fmt.Errorf("the report says why (%w)", ErrPrinted), 1, ""},
	} {
		var stderr bytes.Buffer
		if got := status("tool", tt.err, &stderr); got != tt.status || stderr.String() != tt.stderr {
			t.Errorf("%v: exit status %d, stderr %q, want %d and %q", tt.err, got, stderr.String(), tt.status, tt.stderr)
		}
	}
}

func TestParse(t *testing.T) {
	const help = "before\n  -n number\n    \ta number\nafter\n"
	for _, tt := range []struct {
		args           string
		done           bool
		err            string
		stdout, stderr string
	}{
		{"-n 3", false, "", "", ""},
		{"-help", true, "", help, ""},
		{"-n x", true, `invalid value "x" for flag -n: parse error (see -help)`, "", help},
		{"-n 4", true, "4: want 3 (see -help)", "", help},
	} {
		flags := flag.NewFlagSet("tool", flag.ContinueOnError)
		n := flags.Int("n", 0, "a `number`")
		resolve := func(*flag.FlagSet) error {
			if *n != 3 {
				return fmt.Errorf("%d: want 3", *n)
			}
			return nil
		}
		var stdout, stderr bytes.Buffer
		done, err := Parse(flags, Usage{"before\n", "after\n"}, strings.Fields(tt.args), resolve, &stdout, &stderr)
		if done != tt.done || (tt.err == "") != (err == nil) || err != nil && (err.Error() != tt.err || !errors.Is(err, ErrUsage)) {
			t.Errorf("%s: %t, %v, want %t, %q", tt.args, done, err, tt.done, tt.err)
		}
		if stdout.String() != tt.stdout || stderr.String() != tt.stderr {
			t.Errorf("%s: stdout %q, stderr %q, want %q and %q", tt.args, stdout.String(), stderr.String(), tt.stdout, tt.stderr)
		}
	}
}
