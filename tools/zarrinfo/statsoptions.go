package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"zarrbench/zarrio/loader"
)

// A statsCommand is what the flags of -stats and -list-bad ask for.
type statsCommand struct {
	out      string  // file of statistics, or ""
	listBad  string  // file of bad steps, or ""
	badShare float64 // of NaN in a field, above which its step is bad
	area     bool
	workers  int
	vars     string
	between  string
	diff     string
	// saveEvery is the least time between two states that are saved.
	saveEvery time.Duration

	channels []string // nil means all
	interval loader.TimeRange
	offsets  []offset
}

// An offset is how far apart the steps of a pair are.
type offset struct {
	text string
	by   int64 // nanoseconds, above 0
}

// statsFlags are the flags that need -stats or -list-bad.
var statsFlags = []string{"vars", "time", "diff", "area", "workers", "bad-share"}

func (s *statsCommand) define(f *flag.FlagSet) {
	s.saveEvery = saveEvery
	f.StringVar(&s.out, "stats", "", "compute the statistics of channels, print them and write them to `FILE.json`; after an interruption, the same command goes on")
	f.StringVar(&s.listBad, "list-bad", "", "list the steps that have damaged or missing chunks or too much NaN in `FILE.json`; -stats leaves them out")
	f.Float64Var(&s.badShare, "bad-share", 0.01, "the `SHARE` of NaN in a field above which -list-bad lists its step")
	f.StringVar(&s.vars, "vars", "", "`channels` for -stats and -list-bad: ARRAY[@DIM=COORDINATE],...; all arrays with a time and a grid if there are none")
	f.StringVar(&s.between, "time", "", "`range` of time for -stats and -list-bad: FIRST/LAST, both included, or a year, month or day; a date is a whole day")
	f.StringVar(&s.diff, "diff", "", "statistics of x(t+offset) - x(t) too, for each of these `offsets`, such as 6h,24h")
	f.BoolVar(&s.area, "area", false, "weight values of -stats by the cosine of the latitude")
	f.IntVar(&s.workers, "workers", 0, "goroutines that read and decode for -stats and -list-bad; 0 means two a core")
}

// wanted reports whether statistics or a list of bad steps are asked for.
func (s *statsCommand) wanted() bool { return s.out != "" || s.listBad != "" }

// resolve checks the flags. given has the names of those on the command line.
func (s *statsCommand) resolve(given map[string]bool) (err error) {
	switch {
	case given["stats"] && s.out == "" || given["list-bad"] && s.listBad == "":
		return errors.New("-stats and -list-bad need the name of a file")
	case !s.wanted():
		for _, name := range statsFlags {
			if given[name] {
				return fmt.Errorf("-%s is for -stats and -list-bad", name)
			}
		}
		return nil
	case s.out == s.listBad:
		return errors.New("-stats and -list-bad name the same file")
	case given["check"] || given["json"] || given["sizes"]:
		return errors.New("-stats and -list-bad go without -check, -json and -sizes")
	case given["diff"] && s.out == "" || given["area"] && s.out == "":
		return errors.New("-diff and -area are for -stats")
	case given["bad-share"] && s.listBad == "":
		return errors.New("-bad-share is for -list-bad")
	case !(s.badShare >= 0 && s.badShare <= 1):
		return fmt.Errorf("-bad-share %v: want 0 to 1", s.badShare)
	case s.workers < 0 || s.workers > 1<<12:
		return fmt.Errorf("-workers %d: want 0 to %d", s.workers, 1<<12)
	}
	if given["vars"] {
		s.channels = strings.Split(s.vars, ",")
		if slices.Contains(s.channels, "") {
			return fmt.Errorf("-vars %q: a channel has no name", s.vars)
		}
	}
	s.interval = loader.TimeRange{From: math.MinInt64, To: math.MaxInt64}
	if given["time"] {
		if s.interval, err = loader.ParseTimeRange(s.between); err != nil {
			return fmt.Errorf("-time: %w", err)
		}
	}
	if given["diff"] {
		s.offsets, err = parseOffsets(s.diff)
	}
	return err
}

// parseOffsets parses lengths of time such as "6h,1d", which are above 0 and differ.
func parseOffsets(list string) ([]offset, error) {
	var offsets []offset
	for text := range strings.SplitSeq(list, ",") {
		spelled := text
		var days int
		if n, err := fmt.Sscanf(text, "%dd", &days); n == 1 && err == nil && text == fmt.Sprintf("%dd", days) && days < 1e5 {
			spelled = fmt.Sprintf("%dh", 24*days)
		}
		d, err := time.ParseDuration(spelled)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("-diff: offset %q: want a time above 0, such as 6h, 90m or 1d", text)
		}
		if i := slices.IndexFunc(offsets, func(o offset) bool { return o.by == int64(d) }); i >= 0 {
			return nil, fmt.Errorf("-diff: offsets %q and %q are equal", offsets[i].text, text)
		}
		offsets = append(offsets, offset{text, int64(d)})
	}
	return offsets, nil
}
