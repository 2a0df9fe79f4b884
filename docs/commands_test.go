//go:build !race

// Package docs holds the pages of the documentation, and the test that types their commands. It isn't built with the race
// detector: what it runs is other programs.
package docs

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A rule says what is typed for a command that can't be typed as it is written. One whose command ends in "..." is for all that
// begin so.
type rule struct {
	command string
	typed   []string // with values for what is written in capitals, or as alternatives
	env     []string
	dir     string // beside the module
	skip    string // why it isn't typed at all
}

const (
	bucket = "needs the public bucket"
	gpu    = "needs a GPU: the command fails without one, as it says"
	itself = "runs this test, among others"
	kit    = "downloads Python packages, and make ci builds one"
	hours  = "takes hours, or as long as it is told"
)

var rules = []rule{
	{command: "make test", skip: itself},
	{command: "make ci", skip: itself},
	{command: "make fuzz", skip: hours},
	{command: "make soak", skip: hours},
	{command: "make mutate", skip: hours},
	{command: "go test -short ./...", skip: "takes minutes, and make test runs more"},
	{command: "make layouts OLD=old.test", skip: hours},
	{command: "make check", skip: "takes minutes, and make test runs it"},
	{command: "go generate ./...", skip: bucket},
	{command: "go run ./tools/era5", skip: bucket},
	{command: "go run ./tools/era5 -study -plan", skip: bucket},
	{command: "go run ./tools/era5 -steps 1 -plan", skip: bucket},
	{command: "go run ./tools/era5 -verify", skip: bucket + ", to have a store that was fetched"},
	{command: "go run ./tools/bench -count 10 -o base.txt ./base.test -o head.txt ./head.test -- -test.run='^$' -test.bench=Epoch -test.benchtime=1x -store /data/era5.zarr -cache cold -require", skip: gpu},
	{command: "go run -tags gds ./tools/gdscheck DIR", skip: gpu},
	{command: "go run -tags gds ./tools/gdscheck /data", skip: gpu},

	{command: "make kit", skip: kit},
	{command: "GOARCH=arm64 make kit", skip: kit},
	{command: "KIT_PYTHON=3.11 make kit", skip: kit},
	{command: "make kit-smoke", skip: "takes minutes, and make ci runs it"},
	{command: ".kit/run.sh...", skip: gpu},
	{command: "KIT_SECONDS=180 .kit/run.sh kernels same", skip: gpu},
	{command: "KIT_GRID=121x240 .kit/run.sh speed", skip: gpu},

	{command: "go run ./tools/serve -delay 20ms FOLDER", skip: "serves until it is interrupted, and has tests of its own"},
	{command: "go list -m -versions github.com/TuSKan/go-cufile", skip: "asks a server, which has no such module"},

	{command: "make gate", env: []string{"COUNT=5", "THRESHOLD=10000%"}}, // two epochs of one program, of a few milliseconds
	{command: "go run ./tools/report [-html FILE] BASE.txt [NEW.txt]", typed: []string{"go run ./tools/report BASE.txt", "go run ./tools/report -html page.html BASE.txt NEW.txt"}},
	{command: "go run ./tools/bench -o a.txt ./a.test -o b.txt ./b.test -- FLAGS", typed: []string{"go run ./tools/bench -o a.txt ./a.test -o b.txt ./b.test -- -test.bench=Epoch -test.benchtime=1x -store ERA5.zarr"}},
	{command: "go run ./tools/zarrinfo PATH|URL", typed: []string{"go run ./tools/zarrinfo ERA5.zarr", "go run ./tools/zarrinfo -check ERA5.zarr"}},
	{command: "go run ./tools/zarrinfo -stats FILE.json STORE", typed: []string{"go run ./tools/zarrinfo -stats stats.json -area -list-bad bad.json ERA5.zarr"}},
	{command: "go run ./tools/era5 -synthetic -steps N -form raw|lz4|zstd|gzip|bzstd|shard -format 2|3 -out DIR", typed: []string{
		"go run ./tools/era5 -synthetic -steps 2 -form shard -format 3 -out shard.zarr",
		"go run ./tools/era5 -synthetic -steps 8 -form lz4 -format 2 -out low.zarr -grid 121x240 -levels 13 -chunk-steps 8 -order lonlat"}},
	{command: "report -history DIR -html FILE NEW.txt", typed: []string{"go run ./tools/report -history history -html history.html NEW.txt"}},
	{command: "go run ./tools/report warm-host.txt warm-compat-on.txt", typed: []string{"go run ./tools/report old.txt new.txt"}},
	{command: "go mod edit -replace zarrbench=../zarrbench && go get zarrbench/zarrio", dir: "mine",
		typed: []string{"go mod edit -replace zarrbench=../zarrbench && go get zarrbench/zarrio && go vet ."}},
}

func (r rule) covers(c command) bool {
	prefix, all := strings.CutSuffix(r.command, "...")
	return c.line == r.command || all && strings.HasPrefix(c.line, prefix)
}

// Every command of the documentation works as it is typed, or stands among the rules with the reason why it isn't tried. Small
// stores and few runs are asked for by the variables of the Makefile and of the go command alone.
func TestCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it builds and runs all programs")
	}
	for _, program := range []string{"sh", "make", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	found := documented(t, root)
	for _, r := range rules {
		require.True(t, slices.ContainsFunc(found, r.covers), "%q is a rule, but no command", r.command)
	}
	b := newBed(t, root)
	for _, c := range found {
		r := rule{command: c.line}
		if i := slices.IndexFunc(rules, func(r rule) bool { return r.covers(c) }); i >= 0 {
			r = rules[i]
		}
		if r.typed == nil {
			r.typed = []string{c.line}
		}
		for _, line := range r.typed {
			t.Run(strings.ReplaceAll(line, "/", "|"), func(t *testing.T) {
				if r.skip != "" {
					t.Skipf("%s: %s", c.where, r.skip)
				}
				b.enter(t, c.where, line, r)
			})
		}
	}
}

// A bed is a copy of the module to type commands in, so that they find and overwrite nothing of the user's.
type bed struct {
	top    string // of the copy, zarrbench, and an empty module beside it, mine
	module string
	env    []string
}

// results are what commands that compare read: the same runs under all names that the documentation has for them.
var results = []string{"BASE.txt", "NEW.txt", "base.txt", "head.txt", "old.txt", "new.txt", "cpu.txt", "gpu.txt"}

func newBed(t *testing.T, root string) *bed {
	t.Helper()
	// With -trimpath the go command takes what other copies have built, wherever they lie. This folder is on the disk of the
	// checkout, whose files can be dropped from the page cache.
	top := filepath.Join(root, ".commands")
	if os.Mkdir(top, 0o777) != nil { // another run has it, or nothing can be written here
		top = t.TempDir()
	} else {
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(top)) })
	}
	b := &bed{top: top, module: filepath.Join(top, "zarrbench")}
	flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -benchtime=1x -vet=off -trimpath")
	b.env = append(os.Environ(), "STEPS=2", "COUNT=2", "GOFLAGS="+flags, "TMPDIR="+top,
		"MAKEFLAGS=", "MAKELEVEL=") // those of a make that runs this test aren't for the commands
	copyModule(t, root, b.module)
	mine := filepath.Join(top, "mine")
	require.NoError(t, os.Mkdir(mine, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(mine, "main.go"), []byte(excerpt(t, filepath.Join(root, "docs", "library.md"), "go", "package main\n")), 0o666))
	sample := excerpt(t, filepath.Join(root, "docs", "samples.md"), "json", "{")
	require.NoError(t, os.WriteFile(filepath.Join(b.module, "sample.json"), []byte(sample), 0o666))
	for _, line := range []string{
		"go run ./tools/era5 -synthetic -steps 8 -grid 12x24 -levels 3 -form lz4 -out ERA5.zarr",
		"go run ./tools/era5 -synthetic -steps 8 -grid 12x24 -form raw -out data/era5.zarr",
		"go test -c -o a.test . && cp a.test b.test && ./a.test -test.bench=Epoch -test.benchtime=1x -test.count=5 -store ERA5.zarr > results.txt",
		"cd ../mine && go mod init mine",
	} {
		out, err := b.run(t, b.module, nil, line)
		require.NoError(t, err, "%s\n%s", line, out)
	}
	return b
}

// copyModule copies the module's files, without what was built and measured in it.
func copyModule(t *testing.T, from, to string) {
	t.Helper()
	skip := []string{".git", ".commands", ".kit", "fixtures/data", "results"}
	require.NoError(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(skip, filepath.ToSlash(name)) && d.IsDir():
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o777)
		case !d.Type().IsRegular() || filepath.Ext(name) == ".test" || filepath.Dir(name) == "." && filepath.Ext(name) == ".txt":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, info.Mode().Perm())
	}))
}

// run runs a command line in a folder and returns what it printed.
func (b *bed) run(t *testing.T, dir string, env []string, line string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = dir, slices.Concat(b.env, env)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// enter types a command of the documentation, with the files there that it reads, and none that an earlier one left.
func (b *bed) enter(t *testing.T, where, line string, r rule) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.module, "results.txt"))
	require.NoError(t, err)
	for _, name := range results {
		path := filepath.Join(b.module, name)
		if strings.Contains(line, "report") || strings.Contains(line, "benchstat") {
			require.NoError(t, os.WriteFile(path, text, 0o666))
		} else {
			require.NoError(t, os.RemoveAll(path))
		}
	}
	dir := b.module
	if r.dir != "" {
		dir = filepath.Join(b.top, r.dir)
	}
	start := time.Now()
	out, err := b.run(t, dir, r.env, strings.NewReplacer(" /data", " "+b.module+"/data", "=/data", "="+b.module+"/data").Replace(line))
	t.Logf("%v", time.Since(start).Round(time.Millisecond))
	if err != nil && strings.Contains(out, "stay in the page cache") {
		t.Skipf("%s: no file can be dropped from the page cache here", where)
	}
	if err != nil && strings.Contains(out, "ZARRBENCH_EMULATE=1: no C compiler") {
		t.Skipf("%s: no C compiler to build the emulated GPU", where)
	}
	require.NoError(t, err, "%s: %s\n%s", where, line, out)
}
