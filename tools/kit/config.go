package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A config is what a run is asked for, by its arguments and the environment.
type config struct {
	dir      string // the kit's folder
	out      string
	dataDir  string // "" if the kit looks for one
	time     time.Duration
	steps    int
	lat, lon int
	small    bool
	cufile   string
	flags    []string // of every benchmark
	want     []string // names of stages
	named    bool     // the stages were named
}

// newConfig reads the environment. args are names of stages.
func newConfig(args []string) (c config, err error) {
	if c.dir = os.Getenv("KIT_DIR"); c.dir == "" {
		return c, fmt.Errorf("KIT_DIR is empty: start the kit by its run.sh")
	}
	c.out = cmp.Or(os.Getenv("OUT"), filepath.Join(c.dir, "out"))
	c.dataDir = os.Getenv("KIT_DATA")
	c.cufile = os.Getenv("KIT_CUFILE")
	c.flags = strings.Fields(os.Getenv("KIT_FLAGS"))
	c.small = os.Getenv("KIT_SMALL") == "1"
	steps, grid := 256, "721x1440"
	if c.small {
		steps, grid = 16, "65x64"
	}
	seconds, err := number("KIT_SECONDS", 540)
	if err != nil {
		return c, err
	}
	c.time = time.Duration(seconds) * time.Second
	if c.steps, err = number("KIT_STEPS", steps); err != nil {
		return c, err
	}
	grid = cmp.Or(os.Getenv("KIT_GRID"), grid)
	if n, err := fmt.Sscanf(grid+"\n", "%dx%d\n", &c.lat, &c.lon); n != 2 || err != nil || c.lat < 2 || c.lon < 2 {
		return c, fmt.Errorf("KIT_GRID=%s: want LATxLON, such as 121x240", grid)
	}
	var known []string
	for _, s := range stages() {
		known = append(known, s.name)
	}
	for _, name := range args {
		if !slices.Contains(known, name) {
			return c, fmt.Errorf("no stage %q: want some of %s", name, strings.Join(known, " "))
		}
	}
	c.want, c.named = args, len(args) > 0
	if !c.named {
		c.want = known
	}
	return c, nil
}

// number returns a whole number of the environment, 1 or more.
func number(name string, otherwise int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s=%s: want a whole number, 1 or more", name, text)
	}
	return n, nil
}

func (c config) bench() string   { return filepath.Join(c.dir, "bin", "zarrbench.test") }
func (c config) ptxTest() string { return filepath.Join(c.dir, "bin", "kernels.test") }
func (c config) gdscheck() string {
	return filepath.Join(c.dir, "bin", "gdscheck")
}
func (c config) logs() string { return filepath.Join(c.dir, "logs") }

// logPath is where the output of a job goes.
func (c config) logPath(label string) string { return filepath.Join(c.logs(), label+".txt") }
