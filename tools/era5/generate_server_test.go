package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// go generate, in a fresh copy of what is versioned and without a network, ends with the message that says how to go on, and
// leaves the copy as it was.
func TestGenerateOffline(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it builds a copy of the module")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	list, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skipf("what is versioned can't be listed: %v", err)
	}
	fresh := filepath.Join(t.TempDir(), "zarrbench")
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) { // removed, and not yet from the index
			continue
		}
		to := filepath.Join(fresh, name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o777)
		}
		if err == nil {
			err = os.WriteFile(to, data, 0o777)
		}
		require.NoError(t, err)
	}
	before := names(t, fresh)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := fmt.Sprintf("http://%v", l.Addr())
	l.Close()

	cmd := newChild(t, "go", "generate", "./...")
	cmd.Dir = fresh
	// With -trimpath the copy's folder, another one each time, doesn't matter to the cache of the go command.
	cmd.Env = append(cmd.Env, "HTTPS_PROXY="+closed, "https_proxy="+closed, "NO_PROXY=", "no_proxy=", "GOPROXY=off", "GOFLAGS=-mod=readonly -trimpath")
	err = cmd.Run()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("go generate: %v, want exit status 1\n%s", err, &cmd.stderr)
	}
	for _, want := range []string{defaultStore, closed[len("http://"):], "go run ./tools/era5 -synthetic", "copy a store that was fetched elsewhere to",
		filepath.Join("fixtures", "data", "era5.zarr")} {
		if !strings.Contains(cmd.stderr.String(), want) {
			t.Errorf("%s\nwant %q in it", &cmd.stderr, want)
		}
	}
	if n := strings.Count(cmd.stderr.String(), ": running "); n != 1 {
		t.Errorf("%d commands fail, want that of tools/era5 alone\n%s", n, &cmd.stderr)
	}
	if after := names(t, fresh); !slices.Equal(after, before) {
		t.Errorf("%d files and folders are there, want the %d that were", len(after), len(before))
	}
}

// names lists all that is below dir, folders too.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		list = append(list, path)
		return err
	})
	require.NoError(t, err)
	return list
}
