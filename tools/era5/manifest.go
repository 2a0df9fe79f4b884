package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"zarrbench/zarrio/store"
)

// manifestName is that of the manifest, in the folder of the first variable. In the store's own folder, readers that list it
// would look for a node of this name and wonder; in an array's, nobody looks for anything but documents and chunks.
const manifestName = ".era5-manifest.json"

// A manifest lists what was written, in the form of fixtures/manifest.json, and what it was made from.
type manifest struct {
	Version    int        `json:"era5_manifest"`
	Parameters parameters `json:"parameters"`
	Files      []file     `json:"files"`
	Fetched    []object   `json:"fetched"`
}

// manifest makes that of a whole fetch. l has what was written of coordinates and documents.
func (f *fetching) manifest(l *ledger) manifest {
	m := manifest{Version: 1, Parameters: f.parameters, Files: l.written(fmt.Sprint(f.source.store)), Fetched: slices.Clone(f.pins)}
	for _, e := range f.entries {
		m.Files = append(m.Files, e.Files...)
		m.Fetched = append(m.Fetched, e.Objects...)
	}
	slices.SortFunc(m.Files, byPath)
	slices.SortStableFunc(m.Fetched, func(a, b object) int { return strings.Compare(a.Key, b.Key) })
	return m
}

func (m manifest) write(name string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o666)
}

var errNoManifest = errors.New("it has no manifest of a fetch")

// readManifest reads the manifest of the store at dir.
func readManifest(dir string) (m manifest, err error) {
	names, err := fs.Glob(os.DirFS(dir), "*/"+manifestName)
	if err != nil {
		return m, err
	}
	if len(names) != 1 {
		return m, errNoManifest
	}
	text, err := os.ReadFile(filepath.Join(dir, names[0]))
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", names[0], err)
	}
	if m.Version != 1 {
		return m, fmt.Errorf("%s: version %d, want 1", names[0], m.Version)
	}
	return m, nil
}

// check holds the file below dir against its entry.
func (w file) check(dir string) error {
	if !fs.ValidPath(w.Path) {
		return fmt.Errorf("%q is not a path of a file in the store", w.Path)
	}
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(w.Path)))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	switch {
	case err != nil:
		return err
	case n != w.Bytes:
		return fmt.Errorf("%s has %d bytes, want %d", w.Path, n, w.Bytes)
	case hex.EncodeToString(h.Sum(nil)) != w.SHA256:
		return fmt.Errorf("%s has SHA-256 %x, want %s", w.Path, h.Sum(nil), w.SHA256)
	}
	return nil
}

// recorder is a Putter that takes down what is put in the ledger of the context.
type recorder struct{ store.Putter }

func (r recorder) String() string { return fmt.Sprint(r.Putter) }

func (r recorder) Put(ctx context.Context, key string, value []byte) error {
	if err := r.Putter.Put(ctx, key, value); err != nil {
		return err
	}
	if l := ledgerOf(ctx); l != nil {
		sum := sha256.Sum256(value)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.files = append(l.files, file{Path: strings.Clone(key), Bytes: int64(len(value)), SHA256: hex.EncodeToString(sum[:])})
	}
	return nil
}

// syncTree flushes a folder and all that is in it to the disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
