package arraytest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"zarrbench/zarrio/codec/codectest"
)

// A Change changes a file.
type Change struct {
	Name    string
	Damages bool // the file is none of a writer's afterwards, or is gone
	// To makes value the content of the file at path, unless it damages it.
	To func(path string, value []byte) error
}

// Changes lists ways to change a file, by another process or by this one.
var Changes = []Change{
	{"rename", false, Replace},
	{"in place", false, overwrite},
	{"in place, with its old times", false, func(path string, value []byte) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return errors.Join(overwrite(path, value), os.Chtimes(path, info.ModTime(), info.ModTime()))
	}},
	{"truncate", true, func(path string, _ []byte) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()/2)
	}},
	{"empty", true, func(path string, _ []byte) error { return os.Truncate(path, 0) }},
	{"remove", true, func(path string, _ []byte) error { return os.Remove(path) }},
}

// Replace puts another file at path, as writers do that are careful.
func Replace(path string, value []byte) error {
	return errors.Join(os.WriteFile(path+".new", value, 0o666), os.Rename(path+".new", path))
}

func overwrite(path string, value []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(value, 0)
	return errors.Join(err, f.Truncate(int64(len(value))), f.Close())
}

// Settle waits until a change of the file at path gives it another time: the kernel's clock for
// files ticks some hundred times a second.
func Settle(tb testing.TB, path string) {
	tb.Helper()
	probe := filepath.Join(tb.TempDir(), "probe")
	old, err := os.Stat(path)
	for err == nil {
		var now os.FileInfo
		if err = os.WriteFile(probe, []byte("x"), 0o666); err == nil {
			now, err = os.Stat(probe)
		}
		if err == nil && changedAt(now).After(changedAt(old)) {
			return
		}
	}
	tb.Fatal(err)
}

// Versions returns three frames of the same shape, with no element in common. The first two have
// the same stored size, but their blocks are stored in different orders; the third is longer.
func Versions(tb testing.TB) (a, b, longer Frame) {
	tb.Helper()
	noise := func(add byte) []byte {
		raw := make([]byte, 48_000)
		for i := range raw {
			raw[i] = byte(scramble(uint64(i)))%64 + add
		}
		return raw
	}
	frame := func(name string, add byte, size int, backwards bool) Frame {
		s := codectest.BloscSpec{Format: 1, Encode: func(b []byte) []byte { return b }, Typesize: 1, Blocksize: size, Backwards: backwards}
		return NewFrame(tb, name, codectest.BloscFrame(noise(add), s))
	}
	return frame("a", 1, 2000, false), frame("b", 65, 2000, true), frame("longer", 129, 1500, true)
}
