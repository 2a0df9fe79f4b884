package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"zarrbench/tools/internal/progress"
)

// maxShown bounds how many damaged files an error lists.
const maxShown = 10

// verify reads the store at out again, holds it against its manifest, and says what its content was proved by.
func verify(ctx context.Context, out string, stdout, stderr io.Writer) error {
	m, err := readManifest(out)
	if err != nil {
		return fmt.Errorf("%s can't be verified: %w", out, err)
	}
	var (
		mu       sync.Mutex
		problems = make([]error, len(m.Files)) // in the order of the files, whichever is read first
		s        progress.State
	)
	for _, f := range m.Files {
		s.Total += f.Bytes
	}
	show, finish := progress.New(stderr, "verify")
	err = parallel(ctx, 4, len(m.Files), func(ctx context.Context, _, i int) error {
		problems[i] = m.Files[i].check(out)
		mu.Lock()
		defer mu.Unlock()
		s.Done += m.Files[i].Bytes
		show(s)
		return ctx.Err()
	})
	finish()
	if err != nil {
		return err
	}
	problems = slices.DeleteFunc(problems, func(err error) bool { return err == nil })
	extra, err := unlisted(out, m.Files)
	if err != nil {
		return err
	}
	for _, name := range extra {
		problems = append(problems, fmt.Errorf("%s is not in the manifest", name))
	}
	if n := len(problems); n > 0 {
		if n > maxShown {
			problems = append(problems[:maxShown], fmt.Errorf("and %d more", n-maxShown))
		}
		return fmt.Errorf("%s is damaged: remove it, or fetch it again with -force:\n%w", out, errors.Join(problems...))
	}
	fmt.Fprintf(stdout, "%s: %d files, %d bytes, are as they were written (SHA-256)\n", out, len(m.Files), s.Total)
	return m.printProofs(stdout)
}

// unlisted returns the files of a store that are not among files, which are sorted, and are no manifest.
func unlisted(dir string, files []file) (names []string, err error) {
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(name) == manifestName {
			return err
		}
		listed := func(f file, name string) int { return strings.Compare(f.Path, name) }
		if _, ok := slices.BinarySearchFunc(files, name, listed); !ok {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// isChunk reports whether a key is a chunk's, or a shard's, rather than a document's, which may lack without harm.
func isChunk(key string) bool {
	name := path.Base(key)
	return !strings.HasPrefix(name, ".z") && name != "zarr.json"
}

// printProofs says how it is known that what was fetched is what the source has.
func (m manifest) printProofs(w io.Writer) error {
	count := make(map[string]int)
	for _, o := range m.Fetched {
		if o.Missing {
			count["missing"]++
		} else {
			count[o.Proof]++
		}
	}
	meaning := map[string]string{
		proofPinned: "read whole, and their SHA-256 was known beforehand",
		proofCRC32C: "read whole, and the server's CRC-32C of them agreed",
		proofMD5:    "read whole, and the server's MD5 of them agreed",
		proofLength: "read whole, and were as long as stated: the server gave no checksum",
		proofParts:  "read in part: each part had the length that was stated and was of one version, but no server has checksums of parts",
	}
	for _, proof := range proofs {
		if n := count[proof]; n > 0 {
			if _, err := fmt.Fprintf(w, "  %d objects of the source were %s\n", n, meaning[proof]); err != nil {
				return err
			}
		}
	}
	for _, o := range m.Fetched {
		if o.Missing && m.Parameters.AllowMissing && isChunk(o.Key) {
			if _, err := fmt.Fprintf(w, "  missing at the source, and the fill value here: %s\n", o.Key); err != nil {
				return err
			}
		}
	}
	return nil
}
