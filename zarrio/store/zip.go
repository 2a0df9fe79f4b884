package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"zarrbench/zarrio/internal/places"
)

// A Zip is the store of one zip file: its entries are the values, under their names. It is a [Store], a [Lister] and an
// [Opener], and any number of goroutines may use it at once.
//
// Stored entries are read in place, by ranges. Deflated ones are inflated from their beginning for each read; a value from
// OpenValue is inflated once. Whatever is read whole is checked against its CRC-32. An entry that is encrypted, a symbolic
// link or compressed by another method is listed, and refused when it is read.
//
// Keys may start at the file's root or, as archivers write them, under one folder that holds everything: where the root has
// no metadata document (zarr.json, .zgroup, .zarray) and its only folder has one, that folder's name is no part of the keys.
// Of several entries of one name the last counts: that is how a zip file is changed by appending to it. Names that are no
// valid keys, or have a backslash, are left out: [Zip.Unusable] lists them, and a key that one of them may mean is an error.
//
// It follows APPNOTE.TXT 6.3 with zip64, names in UTF-8 and code page 437, data descriptors, comments, and anything before the
// first entry. Files that are split over several disks are refused.
//
// archive/zip would do most of it, but its readers take no context, it doesn't tell where a local header lies, so that over
// a network each entry would cost a request more, and it believes the count of entries up to a thirtieth of the file's size.
type Zip struct {
	name     string
	src      Value
	size     int64 // of the file
	remote   bool  // whether reads of src have a price
	gap      int64 // see Coalesce
	part     int64
	requests int
	prefix   string // of the entries' names, before the key
	closed   atomic.Bool

	entries []zipEntry        // by key
	refused []Unusable        // names that can't be used, sorted
	meant   map[string]string // names that are no keys, by the keys that they may mean
	data    []atomic.Int64    // where each entry's bytes begin; 0 until its local header was read
	streams sync.Pool         // of *zipStream
}

var (
	_ Lister    = (*Zip)(nil)
	_ Opener    = (*Zip)(nil)
	_ Coalescer = (*Zip)(nil)
	_ Auditor   = (*Zip)(nil)
)

// ErrZip is what errors about a file that is no proper zip file are.
var ErrZip = errors.New("not a valid zip file")

// OpenZip opens the zip file at path. The caller closes it when nothing uses it any more.
func OpenZip(path string) (*Zip, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = places.CheckMode(info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, places.WithoutPath(err))
	}
	return openZip(context.Background(), &Zip{name: path, src: &fileValue{r: f, c: f, size: info.Size()}})
}

// NewZip opens the zip file of size bytes that r reads; name stands for it in errors. r must be safe for concurrent use.
// A read through r can't be called off: contexts are looked at before each. Close leaves r as it is.
func NewZip(r io.ReaderAt, size int64, name string) (*Zip, error) {
	if size < 0 {
		return nil, fmt.Errorf("%s: a size of %d bytes", name, size)
	}
	return openZip(context.Background(), &Zip{name: name, src: &fileValue{r: r, size: size}})
}

// OpenZipIn opens the zip file that is key's value in s, such as one on a web server: what is needed is read by ranges. Small
// directories take one request, and the first read of an entry one more than later ones or, where s is a [Coalescer] and the
// read begins close to the entry's start, none. The Zip keeps the value open until it is closed itself; s must outlive it.
func OpenZipIn(ctx context.Context, s Store, key string) (*Zip, error) {
	v, err := OpenValue(ctx, s, key)
	if err != nil {
		return nil, err
	}
	z := &Zip{name: fmt.Sprintf("%v/%s", s, key), src: v}
	if c, ok := s.(Coalescer); ok {
		z.remote = true
		z.gap, z.part = c.Coalesce()
		z.requests = c.Requests()
	}
	return openZip(ctx, z)
}

// openZip reads the directory. If that fails, the source is closed.
func openZip(ctx context.Context, z *Zip) (*Zip, error) {
	d := zipDirectory{src: z.src}
	if err := d.read(ctx); err != nil {
		z.src.Close()
		return nil, fmt.Errorf("%s: %w", z.name, err)
	}
	z.size = d.size
	z.refuse(d.refused)
	for _, e := range d.entries {
		if e.link {
			z.refused = append(z.refused, Unusable{e.key, e.check()})
		}
	}
	var twice []Unusable
	z.prefix, z.entries, twice = arrange(d.entries)
	z.refused = append(z.refused, twice...)
	slices.SortStableFunc(z.refused, func(a, b Unusable) int { return strings.Compare(a.Name, b.Name) })
	z.data = make([]atomic.Int64, len(z.entries))
	return z, nil
}

// refuse sets the names that are no keys.
func (z *Zip) refuse(names []Unusable) {
	z.refused = slices.Clone(names)
	z.meant = make(map[string]string, len(names))
	for _, u := range names {
		z.meant[cleanZipName(u.Name)] = u.Name
	}
}

// Unusable is described at [Auditor]: names that are no keys, symbolic links, and names of several entries that differ. All are
// returned for the root.
func (z *Zip) Unusable(ctx context.Context, prefix string) ([]Unusable, error) {
	if err := z.ready(ctx); err != nil {
		return nil, z.fail("list", prefix, err)
	}
	if prefix != "" {
		return nil, nil
	}
	return slices.Clone(z.refused), nil
}

// arrange sorts entries by key, keeps the last of those that have one, and takes away the folder that holds all, if any. twice are the
// keys of entries that were dropped and differ from those that were kept.
func arrange(entries []zipEntry) (prefix string, kept []zipEntry, twice []Unusable) {
	slices.SortStableFunc(entries, func(a, b zipEntry) int { return strings.Compare(a.key, b.key) })
	kept = entries[:0]
	for i, e := range entries {
		if i+1 == len(entries) || entries[i+1].key != e.key {
			kept = append(kept, e)
			continue
		}
		if next := entries[i+1]; (next.crc != e.crc || next.size != e.size) && (len(twice) == 0 || twice[len(twice)-1].Name != e.key) {
			twice = append(twice, Unusable{e.key, errors.New("is the name of several entries that differ, of which the last is read")})
		}
	}
	clear(entries[len(kept):])
	if prefix = topFolder(kept); prefix == "" {
		return "", kept, twice
	}
	inside := kept[:0]
	for _, e := range kept {
		if rest, ok := strings.CutPrefix(e.key, prefix); ok && rest != "" {
			e.key = rest
			inside = append(inside, e)
		}
	}
	clear(kept[len(inside):])
	return prefix, slices.Clip(inside), twice
}

// topFolder returns the folder that holds the hierarchy, with its slash, or "" where that is the root. What macOS adds beside
// a folder that it archives does not count.
func topFolder(entries []zipEntry) string {
	top := ""
	for _, e := range entries {
		i := strings.IndexByte(e.key, '/')
		if i < 0 {
			return ""
		}
		switch dir := e.key[:i+1]; dir {
		case top, "__MACOSX/":
		default:
			if top != "" {
				return ""
			}
			top = dir
		}
	}
	for _, doc := range []string{"zarr.json", ".zgroup", ".zarray"} {
		if _, ok := findEntry(entries, top+doc); ok {
			return top
		}
	}
	return ""
}

func findEntry(entries []zipEntry, key string) (int, bool) {
	return slices.BinarySearchFunc(entries, key, func(e zipEntry, key string) int { return cmp.Compare(e.key, key) })
}

// Close closes the file, unless it came by NewZip; later calls give an error that is [fs.ErrClosed], reads of open values
// too. It must not be called while another call runs.
func (z *Zip) Close() error {
	if z.closed.Swap(true) {
		return errClosed
	}
	return z.src.Close()
}

// String returns the path, or the name, that the Zip was opened with.
func (z *Zip) String() string { return z.name }

// Coalesce is described at [Coalescer]: what holds for the store that the file lies in holds for its entries.
func (z *Zip) Coalesce() (gap, size int64) { return z.gap, z.part }

// Requests is described at [Coalescer].
func (z *Zip) Requests() int { return z.requests }

// List is described at [Lister].
func (z *Zip) List(ctx context.Context, prefix string) ([]string, error) {
	err := z.ready(ctx)
	if err == nil && prefix != "" {
		err = CheckKey(prefix)
	}
	if err != nil {
		return nil, z.fail("list", prefix, err)
	}
	dir := prefix
	if dir != "" {
		dir += "/"
	}
	i, _ := findEntry(z.entries, dir)
	found, names := prefix == "", []string{}
	for i < len(z.entries) {
		rest, ok := strings.CutPrefix(z.entries[i].key, dir)
		if !ok {
			break
		}
		found = true
		slash := strings.IndexByte(rest, '/')
		switch {
		case rest == "": // the directory itself
			i++
		case slash < 0:
			names = append(names, rest)
			i++
		default:
			names = append(names, rest[:slash+1])
			// All under it come next, however many, and after them what follows "/" in its place.
			skip, _ := findEntry(z.entries[i:], dir+rest[:slash]+string(rune('/'+1)))
			i += skip
		}
	}
	if !found {
		return nil, z.fail("list", prefix, fs.ErrNotExist)
	}
	return names, nil
}

// ReadRange is described at [Store]. The size is that of the directory, and what can't be true of it is an error.
func (z *Zip) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	i, err := z.find(ctx, key)
	if err == nil {
		n, size, err = z.readEntry(ctx, i, dst, off)
	}
	if err != nil {
		return 0, 0, z.fail("read", key, err)
	}
	return n, size, nil
}

// find returns the number of key's entry, if it can be read.
func (z *Zip) find(ctx context.Context, key string) (int, error) {
	if err := z.ready(ctx); err != nil {
		return 0, err
	}
	if err := CheckKey(key); err != nil {
		return 0, err
	}
	i, ok := findEntry(z.entries, key)
	if !ok {
		// A directory's entries follow where its name with a slash would be; it may have one of its own there.
		j, _ := findEntry(z.entries, key+"/")
		if j < len(z.entries) && len(z.entries[j].key) > len(key) && z.entries[j].key[len(key)] == '/' && z.entries[j].key[:len(key)] == key {
			return 0, syscall.EISDIR
		}
		return 0, z.absent(key)
	}
	return i, z.entries[i].check()
}

// absent returns the error of a key that no entry has: [fs.ErrNotExist], unless a name that can't be used may mean it. Its chunk
// must not read as the fill value.
func (z *Zip) absent(key string) error {
	name, ok := z.meant[z.prefix+key]
	if !ok {
		return fs.ErrNotExist
	}
	return fmt.Errorf("%w: the file has a name that is no key and may mean this one, %q: %w", ErrZip, name, badZipName(name))
}

func (z *Zip) ready(ctx context.Context) error {
	if z.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

// fail makes a KeyError of err. What the source says of its own key is left out: it is in the store's name.
func (z *Zip) fail(op, key string, err error) error {
	if e, ok := errors.AsType[*KeyError](err); ok {
		err = e.Err
	}
	return &KeyError{Store: z.name, Op: op, Key: strings.Clone(key), Err: err}
}

// A fileValue is a value that a ReaderAt reads.
type fileValue struct {
	r    io.ReaderAt
	c    io.Closer // may be nil
	size int64
}

func (v *fileValue) ReadRange(ctx context.Context, dst []byte, off int64) (n int, size int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	off, n = span(v.size, off, len(dst))
	n, err = readFull(v.r, dst[:n], off)
	if err != nil {
		return 0, 0, places.WithoutPath(err)
	}
	return n, v.size, nil
}

func (v *fileValue) Close() error {
	if v.c == nil {
		return nil
	}
	return v.c.Close()
}
