package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/internal/cli"
)

// fakeBench stands in for the benchmarks: it prints rows of the small stores, with the path that the
// flags ask for. FAULT is what is wrong with those of the run whose flags match FAULT_OF.
const fakeBench = `#!/bin/sh
args=" $* "
case "$FAULT" in no-gpu) echo "zarrbench: -require: -engine host: libcuda.so.1: cannot open" && exit 1 ;; esac
case "$args" in *' -test.bench=^$ '*) echo 'Machine: fake' && exit ;; esac
fault=
case "$args" in *"$FAULT_OF"*) fault=$FAULT ;; esac
case "$fault" in
crash) echo 'panic: CUDA error 700' && exit 2 ;;
hang) exec sleep 60 ;;
esac
for store in raw lz4 shard zstd rawshard; do
	crc=1$store path=host
	case $store in raw) crc=11 ;; lz4) crc=12 ;; shard) crc=13 ;; zstd) crc=14 ;; rawshard) crc=15 ;; esac
	case "$store/$args" in raw*' gds '*) path='kvikIO compat' ;; esac
	case "$store $fault" in
	'raw swap') crc=12 ;;
	'lz4 swap') crc=11 ;;
	'zstd row') continue ;;
	'lz4 path') path='true GDS' ;;
	esac
	echo "BenchmarkEpoch/store=$store-2 1 2000000 ns/op 3000 MB/s 100 ceiling-% 0.006 cpu-sec/op $crc data-crc32 5 loss"
	echo "Path: Epoch/store=$store: path=$path, epochs=1, cufile-B=0"
done
`

// fakeKit makes a kit over fake programs, and the environment of a run with a fault.
func fakeKit(t *testing.T, fault, faultOf string) (out string) {
	t.Helper()
	dir := t.TempDir()
	out = filepath.Join(dir, "out")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "zarrbench.test"), []byte(fakeBench), 0o755))
	for _, v := range []struct{ name, value string }{
		{"KIT_DIR", dir}, {"KIT_DATA", filepath.Join(dir, "data")}, {"KIT_SMALL", "1"}, {"OUT", out}, {"FAULT", fault}, {"FAULT_OF", faultOf},
		{"KIT_SECONDS", ""}, {"KIT_STEPS", ""}, {"KIT_GRID", ""}, {"KIT_CUFILE", ""}, {"KIT_FLAGS", ""},
	} {
		t.Setenv(v.name, v.value)
	}
	return out
}

func TestRun(t *testing.T) {
	tests := []struct {
		name           string
		fault, faultOf string
		printed        string // somewhere
		last           string // at the end
	}{
		{"nothing", "", "", "ok   gds-compat-on", "nothing failed of: same\n"},
		{"digests swapped", "swap", "-io buffered", "FAIL host-buffered",
			"1 failed:\n  host-buffered: raw: data-crc32 is 12, want 11; lz4: data-crc32 is 11, want 12\n"},
		{"row missing", "row", "-workers 64", "FAIL host-64-workers", "1 failed:\n  host-64-workers: zstd: the row is missing\n"},
		{"untrue path", "path", "-pinned=false", "FAIL host-pageable", "1 failed:\n  host-pageable: lz4: path=true GDS, want host\n"},
		{"crash", "crash", "-layout padded", "       panic: CUDA error 700\n",
			"2 failed:\n  host-padded: exit status 2\n  gds-compat-on-padded: exit status 2\n"},
		{"no reference", "crash", "-shuffle 7 -engine cpu", "FAIL cpu-shuffled", "  host-shuffled: there is no reference\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out := fakeKit(t, test.fault, test.faultOf)
			var stdout strings.Builder
			err := run(t.Context(), []string{"same"}, &stdout, io.Discard)
			require.Contains(t, stdout.String(), test.printed)
			require.Truef(t, strings.HasSuffix(stdout.String(), test.last), "the end is other than %q:\n%s", test.last, stdout.String())
			if test.fault == "" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, cli.ErrPrinted) // exit status 1
			}
			log, err := os.ReadFile(filepath.Join(out, "log.txt"))
			require.NoError(t, err)
			require.Equal(t, stdout.String(), string(log))
			require.Contains(t, packed(t, filepath.Join(out, "logs.tgz")), "host-buffered.txt")
		})
	}
}

// packed returns the names of an archive's files.
func packed(t *testing.T, path string) (names []string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		require.NoError(t, err)
		names = append(names, h.Name)
	}
}

func TestNoGPU(t *testing.T) {
	fakeKit(t, "no-gpu", "")
	var stdout strings.Builder
	err := run(t.Context(), nil, &stdout, io.Discard)
	require.ErrorIs(t, err, cli.ErrPrinted)
	require.Equal(t, "\nNo GPU can be used here, so nothing was proved:\n  -engine host: libcuda.so.1: cannot open\n", stdout.String())
}

// TestSkipped asks for a stage that this machine can't run.
func TestSkipped(t *testing.T) {
	fakeKit(t, "", "")
	t.Setenv("PATH", t.TempDir()+":/usr/bin:/bin")
	if exists(sanitizer) {
		t.Skip("this machine has a compute-sanitizer")
	}
	var stdout strings.Builder
	require.ErrorIs(t, run(t.Context(), []string{"sanitize"}, &stdout, io.Discard), cli.ErrPrinted)
	require.Contains(t, stdout.String(), "skip sanitize")
	require.True(t, strings.HasSuffix(stdout.String(), "skipped:\n  sanitize: there is no compute-sanitizer\nnothing could be tried\n"), stdout.String())
}

// TestUnpack unpacks wheels once, and tells which one is damaged.
func TestUnpack(t *testing.T) {
	fakeKit(t, "", "")
	c, err := newConfig(nil)
	require.NoError(t, err)
	k := &kit{config: c}
	require.NoError(t, os.Mkdir(filepath.Join(c.dir, "whl"), 0o777))
	wheel := filepath.Join(c.dir, "whl", "zarr-3.4.2-py3-none-any.whl")
	require.NoError(t, os.WriteFile(wheel, []byte("no zip file"), 0o666))
	require.ErrorContains(t, k.unpack(), "zarr-3.4.2-py3-none-any.whl: zip: not a valid zip file")

	f, err := os.Create(wheel)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	w, err := z.Create("zarr/__init__.py")
	require.NoError(t, err)
	_, err = w.Write([]byte("x = 1\n"))
	require.NoError(t, errors.Join(err, z.Close(), f.Close()))
	require.NoError(t, k.unpack())
	require.NoError(t, os.Remove(wheel))
	require.NoError(t, k.unpack())
	text, err := os.ReadFile(filepath.Join(c.dir, "site", "zarr", "__init__.py"))
	require.NoError(t, err)
	require.Equal(t, "x = 1\n", string(text))
}

// TestTimes has a job that never ends, and a run whose time is over.
func TestTimes(t *testing.T) {
	fakeKit(t, "hang", "-engine host")
	c, err := newConfig([]string{"same"})
	require.NoError(t, err)
	var stdout strings.Builder
	k, err := newKit(c, &stdout)
	require.NoError(t, err)
	defer k.log.Close()

	j := k.epochs("hangs", nil, "-engine", "host")
	j.limit = time.Millisecond
	require.False(t, k.do(t.Context(), j, nil))
	require.Equal(t, []string{"hangs: stopped after 1ms"}, k.failed)

	k.deadline = time.Now()
	require.False(t, k.do(t.Context(), j, nil))
	require.Len(t, k.failed, 1)
	require.Equal(t, []string{"hangs"}, k.leftOut)
	require.ErrorIs(t, k.summary(), cli.ErrPrinted)
	require.Contains(t, stdout.String(), "left out, since KIT_SECONDS=540 were over:\n  hangs\n1 failed:\n  hangs: stopped after 1ms\n")
}

func TestConfig(t *testing.T) {
	tests := []struct{ name, value, arg, want string }{
		{"KIT_SECONDS", "soon", "", "KIT_SECONDS=soon: want a whole number, 1 or more"},
		{"KIT_STEPS", "0", "", "KIT_STEPS=0: want a whole number, 1 or more"},
		{"KIT_GRID", "121", "", "KIT_GRID=121: want LATxLON, such as 121x240"},
		{"KIT_GRID", "121x240x3", "", "KIT_GRID=121x240x3: want LATxLON, such as 121x240"},
		{"KIT_DIR", "", "", "KIT_DIR is empty: start the kit by its run.sh"},
		{"KIT_GRID", "121x240", "sped", `no stage "sped": want some of kernels same cufile speed ceilings peers cold sanitize`},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			fakeKit(t, "", "")
			t.Setenv(test.name, test.value)
			var stderr strings.Builder
			err := run(t.Context(), strings.Fields(test.arg), io.Discard, &stderr)
			require.ErrorIs(t, err, cli.ErrUsage) // exit status 2
			require.ErrorContains(t, err, test.want)
			require.Contains(t, stderr.String(), "KIT_SECONDS")
		})
	}
}
