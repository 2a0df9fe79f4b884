package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"zarrbench/internal/statsfile"
	"zarrbench/tools/internal/progress"
	"zarrbench/zarrio"
)

// saveEvery is the least time between two states of a survey that are saved.
const saveEvery = 5 * time.Second

// surveyStore computes statistics, lists bad steps, or both, and prints what it found.
func (c *command) surveyStore(ctx context.Context, out *bufio.Writer, stderr io.Writer, g *zarrio.Group) (err error) {
	s, err := openSurvey(ctx, g, &c.stats)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	j, err := c.openJournal(s)
	if err != nil {
		return err
	}
	if j.resumed {
		fmt.Fprintf(out, "going on at %s, by %s\n", s.steps.name(min(s.Next, s.steps.end-1)), printable(j.path))
		if err := out.Flush(); err != nil {
			return err
		}
	}
	s.save = j.save
	show, finish := progress.New(stderr, "zarrinfo")
	size := int64(len(s.channels)) * int64(s.shape[0]) * int64(s.shape[1]) * 4
	err = s.run(ctx, func() {
		show(progress.State{Done: int64(s.Next-s.steps.first) * size, Total: int64(s.steps.end-s.steps.first) * size})
	})
	finish()
	if err != nil && s.Next > s.steps.first {
		err = errors.Join(err, j.flush(&s.totals))
	}
	if err != nil {
		return err
	}
	if c.stats.listBad != "" {
		if err := statsfile.WriteBadList(c.stats.listBad, s.reasons()); err != nil {
			return err
		}
	}
	if c.stats.out != "" {
		f := s.file(c.place)
		if err := statsfile.WriteFile(c.stats.out, f); err != nil {
			return err
		}
		if err := printMoments(out, f); err != nil {
			return err
		}
	}
	if c.stats.listBad != "" {
		for _, r := range s.reasons() {
			fmt.Fprintf(out, "bad      %s %s: %s\n", r.Time, printable(r.Channel), printable(r.Reason))
		}
		fmt.Fprintf(out, "%d of %d steps are bad\n", len(s.bad), s.steps.end-s.steps.first)
	}
	if err := os.Remove(j.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// printMoments prints statistics as a table.
func printMoments(out io.Writer, f *statsfile.File) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "channel\tcount\tmissing\tmean\tstd\tmin\tmax")
	row := func(name string, m *statsfile.Moments) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%.9g\t%.9g\t%.9g\t%.9g\n", printable(name), m.Count, m.Missing, m.Mean, m.Std, m.Min, m.Max)
	}
	for i := range f.Channels {
		c := &f.Channels[i]
		row(c.Name, &c.Moments)
		for k := range c.Differences {
			row("  over "+c.Differences[k].Offset, &c.Differences[k].Moments)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	steps := fmt.Sprintf("%d steps", f.Steps)
	if len(f.Time) == 2 {
		steps += " from " + f.Time[0] + " to " + f.Time[1]
	}
	if f.LeftOut > 0 {
		steps += fmt.Sprintf(", %d left out", f.LeftOut)
	}
	_, err := fmt.Fprintf(out, "%s, %s weights\n", steps, f.Weights)
	return err
}

// identity says what a survey is of: one that goes on must be of the same.
type identity struct {
	Store    string   `json:"store"`
	Channels []string `json:"channels"`
	Grid     [2]int   `json:"grid"`
	First    int      `json:"first"` // step
	End      int      `json:"end"`
	Times    string   `json:"times"` // digest of the steps' times
	Diff     []string `json:"diff"`
	Area     bool     `json:"area"`
	BadShare *float64 `json:"bad_share"` // nil if bad steps are errors
	Missing  string   `json:"missing"`   // what missing chunks are
}

func (c *command) identity(s *survey) identity {
	id := identity{Store: c.place, Channels: s.channels, Grid: s.shape, First: s.steps.first, End: s.steps.end,
		Times: s.steps.digest(), Diff: []string{}, Area: c.stats.area, Missing: c.missing}
	for _, o := range c.stats.offsets {
		id.Diff = append(id.Diff, o.text)
	}
	if c.stats.listBad != "" {
		id.BadShare = &c.stats.badShare
	}
	return id
}

// differs names the first field in which two surveys differ, or is "".
func (id *identity) differs(o *identity) string {
	share := func(p *float64) float64 {
		if p == nil {
			return -1
		}
		return *p
	}
	switch {
	case id.Store != o.Store:
		return "store"
	case !slices.Equal(id.Channels, o.Channels):
		return "channels"
	case id.Grid != o.Grid:
		return "grid"
	case id.First != o.First || id.End != o.End || id.Times != o.Times:
		return "range of time"
	case !slices.Equal(id.Diff, o.Diff):
		return "-diff"
	case id.Area != o.Area:
		return "-area"
	case share(id.BadShare) != share(o.BadShare):
		return "-list-bad or -bad-share"
	case id.Missing != o.Missing:
		return "-missing"
	}
	return ""
}
