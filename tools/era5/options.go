package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
)

// The study's choices.
const (
	defaultStore = "gs://weatherbench2/datasets/era5/1959-2022-full_37-6h-0p25deg-chunk-1.zarr-v2"
	defaultVars  = "geopotential,u_component_of_wind,v_component_of_wind"
	defaultLevel = "500"
	defaultStart = "2000-01-01"
	studyEnd     = "2000-12-31"

	defaultSteps   = 64 // a batch of 32 windows of two steps
	syntheticSteps = 80
)

// parameters decide what a fetched store holds. The journal and the manifest have them: a store is gone on with, and left
// alone, by a command that has the same ones.
type parameters struct {
	Store        string   `json:"store"` // the place that was asked for, without what may be secret of it
	Variables    []string `json:"variables"`
	Level        string   `json:"level"`           // a coordinate value, or DIMENSION=VALUE
	Start        string   `json:"start"`           // RFC 3339, in UTC
	End          string   `json:"end,omitempty"`   // the last moment that may be taken; where there is none, Steps says it
	Steps        int      `json:"steps,omitempty"` // 0 where End says it
	Form         string   `json:"form"`
	Format       int      `json:"zarr_format"`
	AllowMissing bool     `json:"allow_missing,omitempty"`
}

func (p parameters) equal(q parameters) bool { return reflect.DeepEqual(p, q) }

// String writes the parameters as flags.
func (p parameters) String() string {
	text := fmt.Sprintf("-store %s -vars %s -level %s -start %s", p.Store, strings.Join(p.Variables, ","), p.Level, p.Start)
	if p.End != "" {
		text += " -end " + p.End
	} else {
		text += fmt.Sprint(" -steps ", p.Steps)
	}
	text += fmt.Sprintf(" -form %s -format %d", p.Form, p.Format)
	if p.AllowMissing {
		text += " -allow-missing"
	}
	return text
}

// options are what a fetch is asked for.
type options struct {
	parameters
	place      string    // to fetch from
	start, end time.Time // end is zero where Steps counts

	out      string
	endpoint string
	requests int
	whole    bool // objects are fetched whole
	plan     bool // nothing is fetched
	force    bool
	opening  zarrio.Options // of the source

	http store.HTTPOptions               // tests wait less
	wrap func(store.Putter) store.Putter // tests fill the disk; nil leaves it
	free func(dir string) (int64, error) // tests have a small disk; nil is fixtures.FreeBytes
}

// A command is a parsed command line.
type command struct {
	options
	fields    fixtures.Synthetic
	synthetic bool
	verify    bool

	steps, format int
	form          string
	vars          string
	from, to      string
	study         bool
}

// syntheticOnly and fetchOnly are the flags that mean nothing in the other mode.
var (
	syntheticOnly = []string{"grid", "levels", "chunk-steps", "order", "forder", "big-endian", "seed"}
	fetchOnly     = []string{"store", "vars", "level", "start", "end", "study", "endpoint", "j", "whole-objects", "plan", "verify", "allow-missing", "force", "follow-links", "consolidated"}
)

func newCommand() (*command, *flag.FlagSet) {
	c := new(command)
	f := flag.NewFlagSet("era5", flag.ContinueOnError)
	f.StringVar(&c.place, "store", cmp.Or(os.Getenv("ERA5_STORE"), defaultStore),
		"`place` to fetch from: a URL of gs, s3, https or http, or a path, of a Zarr store or of a STAC document; ERA5_STORE sets it too")
	f.StringVar(&c.vars, "vars", defaultVars, "`variables`, separated by commas")
	f.StringVar(&c.Level, "level", defaultLevel, "`level` to take of variables that have levels, by its coordinate, as VALUE or DIMENSION=VALUE")
	f.StringVar(&c.from, "start", defaultStart, "first `date` or date and time (UTC), such as 2000-01-01 or 2000-01-01T06:00")
	f.StringVar(&c.to, "end", "", "last `date`, whole, or date and time; instead of -steps")
	f.BoolVar(&c.study, "study", false, "the study's year, "+defaultStart+" to "+studyEnd+": 1464 steps")
	f.BoolVar(&c.opening.FollowLinks, "follow-links", false, "follow symbolic links that lead outside a local source")
	f.TextVar(&c.opening.Consolidated, "consolidated", zarrio.Auto, "the source's consolidated metadata, `use` of: auto, if there are any; never; verify, which refuses a source whose documents differ from them")
	f.StringVar(&c.endpoint, "endpoint", "", "base `URL` that takes the place of the bucket service's own, of a mirror or for tests")
	f.IntVar(&c.requests, "j", 8, "`requests` under way at once")
	f.BoolVar(&c.whole, "whole-objects", false, "fetch objects whole, from servers without byte ranges")
	f.BoolVar(&c.plan, "plan", false, "say what would be fetched, and fetch nothing")
	f.BoolVar(&c.verify, "verify", false, "check the finished store in -out against its manifest, and fetch nothing")
	f.BoolVar(&c.AllowMissing, "allow-missing", false, "take the fill value for chunks that the source lacks")
	f.BoolVar(&c.force, "force", false, "replace a fetched store, or the beginnings of one, that has other parameters")

	f.BoolVar(&c.synthetic, "synthetic", false, "make the store rather than fetch it")
	f.IntVar(&c.steps, "steps", 0, fmt.Sprintf("number of time `steps` (default %d, or ERA5_STEPS; %d with -synthetic)", defaultSteps, syntheticSteps))
	f.StringVar(&c.form, "form", fixtures.FormRaw, "storage `form`: "+strings.Join(fixtures.Forms(), ", "))
	f.IntVar(&c.format, "format", 0, "Zarr `format`, 2 or 3 (default 2 for raw and lz4, 3 for the rest; shard has 3 only)")
	f.StringVar(&c.out, "out", "", "`folder` of the store (default fixtures/data/era5.zarr; with -synthetic synthetic-FORM-STEPS.zarr there, or with -format synthetic-FORM-vFORMAT-STEPS.zarr)")
	f.Func("grid", "points of a synthetic store as `LATxLON` (default 721x1440)", func(text string) error {
		lat, lon, _ := strings.Cut(text, "x")
		var err1, err2 error
		c.fields.NLat, err1 = strconv.Atoi(lat)
		c.fields.NLon, err2 = strconv.Atoi(lon)
		if err1 != nil || err2 != nil || c.fields.NLat < 1 || c.fields.NLon < 1 {
			return errors.New("want latitudes x longitudes, such as 121x240")
		}
		return nil
	})
	f.IntVar(&c.fields.Levels, "levels", 0, "number of pressure `levels` of a synthetic store; 0 leaves the dimension out")
	f.IntVar(&c.fields.ChunkSteps, "chunk-steps", 1, "`steps` in a chunk of a synthetic store")
	f.Func("order", "`order` of a synthetic store's dimensions: latlon (as at 0.25 degrees) or lonlat (as on coarser grids) (default latlon)",
		func(text string) error {
			if text != "latlon" && text != "lonlat" {
				return errors.New("want latlon or lonlat")
			}
			c.fields.LonLat = text == "lonlat"
			return nil
		})
	f.BoolVar(&c.fields.FOrder, "forder", false, "let the first dimension of a synthetic store's chunks vary fastest, as Fortran does")
	f.BoolVar(&c.fields.BigEndian, "big-endian", false, "store the values of a synthetic store with their high bytes first")
	f.Uint64Var(&c.fields.Seed, "seed", 0, "another `seed` makes other synthetic fields")
	return c, f
}

// resolve checks what was parsed and fills in what was left open.
func (c *command) resolve(flags *flag.FlagSet) error {
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var set []string
	flags.Visit(func(f *flag.Flag) { set = append(set, f.Name) })
	foreign, mode := syntheticOnly, "needs -synthetic"
	if c.synthetic {
		foreign, mode = fetchOnly, "doesn't go with -synthetic"
	}
	for _, name := range foreign {
		if slices.Contains(set, name) {
			return fmt.Errorf("-%s %s", name, mode)
		}
	}
	if c.synthetic {
		c.fields.Form, c.fields.Format, c.fields.Steps = c.form, c.format, c.steps
		if !slices.Contains(set, "steps") {
			c.fields.Steps = syntheticSteps
		}
		c.out = cmp.Or(c.out, syntheticDir(c.fields))
		return c.fields.Validate()
	}
	c.out = cmp.Or(c.out, filepath.Join(fixtures.Dir(), "data", "era5.zarr"))
	c.Store = withoutQuery(c.place)
	c.http.Requests = c.requests
	if c.requests < 1 || c.requests > 256 {
		return fmt.Errorf("-j %d: want 1 to 256", c.requests)
	}
	if err := c.resolveForm(); err != nil {
		return err
	}
	for name := range strings.SplitSeq(c.vars, ",") {
		name = strings.TrimSpace(name)
		if name == "" || strings.Contains(name, "/") || slices.Contains(c.Variables, name) {
			return fmt.Errorf("-vars %q: want different names without slashes, separated by commas", c.vars)
		}
		c.Variables = append(c.Variables, name)
	}
	if c.Level == "" {
		return errors.New(`-level "": want a value, such as 500`)
	}
	return c.resolveTimes(set)
}

// withoutQuery takes the query off a URL of http or https: a signature, which is secret, and another one each time. What chooses an
// asset of a STAC document stays.
func withoutQuery(place string) string {
	scheme, _, isURL := strings.Cut(place, "://")
	if !isURL || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return place
	}
	asset := ""
	if i := strings.LastIndex(place, "#asset"); i >= 0 {
		place, asset = place[:i], place[i:]
	}
	place, _, _ = strings.Cut(place, "?")
	return place + asset
}

func (c *command) resolveForm() error {
	c.Form, c.Format = c.form, c.format
	if !slices.Contains(fixtures.Forms(), c.Form) {
		return fmt.Errorf("form %q: want one of %q", c.Form, fixtures.Forms())
	}
	if c.Format == 0 {
		c.Format = 3
		if c.Form == fixtures.FormRaw || c.Form == fixtures.FormLZ4 {
			c.Format = 2
		}
	}
	switch {
	case c.Format != 2 && c.Format != 3:
		return fmt.Errorf("format %d: want 2 or 3", c.Format)
	case c.Format == 2 && c.Form == fixtures.FormShard:
		return fmt.Errorf("form %q in format 2: only format 3 has shards", c.Form)
	}
	return nil
}

// resolveTimes settles the range of time. set are the flags that were given.
func (c *command) resolveTimes(set []string) error {
	var chosen []string
	for _, name := range []string{"steps", "end", "study"} {
		if slices.Contains(set, name) {
			chosen = append(chosen, "-"+name)
		}
	}
	if len(chosen) > 1 {
		return fmt.Errorf("%s: want one of them", strings.Join(chosen, " and "))
	}
	if c.study {
		if slices.Contains(set, "start") {
			return errors.New("-start and -study: want one of them")
		}
		c.to = studyEnd
	}
	var err error
	if c.start, _, err = parseTime(c.from); err != nil {
		return fmt.Errorf("-start %w", err)
	}
	c.Start = c.start.Format(time.RFC3339)
	if c.to != "" {
		end, isDate, err := parseTime(c.to)
		if err != nil {
			return fmt.Errorf("-end %w", err)
		}
		if isDate { // the whole day
			end = end.AddDate(0, 0, 1).Add(-time.Second)
		}
		if end.Before(c.start) {
			return fmt.Errorf("-end %s is before -start %s", c.to, c.from)
		}
		c.end, c.End = end, end.Format(time.RFC3339)
		return nil
	}
	if c.Steps = c.steps; !slices.Contains(set, "steps") {
		c.Steps = defaultSteps
		if text := os.Getenv("ERA5_STEPS"); text != "" {
			if c.Steps, err = strconv.Atoi(text); err != nil {
				return fmt.Errorf("ERA5_STEPS %q: want a number", text)
			}
		}
	}
	if c.Steps < 1 || c.Steps > maxSteps {
		return fmt.Errorf("%d steps: want 1 to %d", c.Steps, maxSteps)
	}
	return nil
}

// maxSteps is more than any archive has: hourly steps since 1850 are 1.5 million.
const maxSteps = 1 << 22

// parseTime parses a date, or a date and time in UTC, of years that nanoseconds since 1970 can tell in an int64.
func parseTime(text string) (t time.Time, isDate bool, err error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		t, err = time.Parse(layout, strings.TrimSuffix(strings.Replace(text, " ", "T", 1), "Z"))
		if err == nil && t.Year() > 1677 && t.Year() < 2262 {
			return t, layout == time.DateOnly, nil
		}
	}
	return time.Time{}, false, fmt.Errorf("%q: want a date from 1678 to 2261, such as 2000-01-01, or a date and time, such as 2000-01-01T06:00", text)
}
