package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A workdir is the folder beside the output in which that comes about: .NAME.fetch, with the store, the journal and a lock. It
// is on the output's file system, so that the store can be renamed into its place.
type workdir struct {
	path string
	lock *os.File
}

// workPath is the folder for an output.
func workPath(out string) string {
	return filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".fetch")
}

func (w *workdir) storePath() string   { return filepath.Join(w.path, "store") }
func (w *workdir) journalPath() string { return filepath.Join(w.path, "journal") }
func (w *workdir) oldPath() string     { return filepath.Join(w.path, "old") }

// errBusy is what errors.Is finds when another process fetches into the same place.
var errBusy = errors.New("another fetch into this place is under way")

// openWorkdir makes the folder if it is not there, and locks it. The caller closes it.
func openWorkdir(out string) (*workdir, error) {
	w := &workdir{path: workPath(out)}
	for range 10 { // it may be removed by its owner between being made and being locked
		if err := os.MkdirAll(w.path, 0o777); err != nil {
			return nil, err
		}
		name := filepath.Join(w.path, "lock")
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: %w", out, err)
		}
		held, err1 := f.Stat()
		there, err2 := os.Stat(name)
		if err1 == nil && err2 == nil && os.SameFile(held, there) {
			w.lock = f
			return w, nil
		}
		f.Close()
	}
	return nil, fmt.Errorf("%s: %w", out, errBusy)
}

// close gives the lock back and leaves the rest.
func (w *workdir) close() error { return w.lock.Close() }

// clear removes what is in the folder, but for the lock. The journal goes first: what it vouches for must be there.
func (w *workdir) clear() error {
	for _, path := range []string{w.journalPath(), w.storePath(), w.oldPath()} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// takeAway moves the store that is to be replaced, if there is one, into the folder.
func (w *workdir) takeAway(out string) error {
	if err := os.RemoveAll(w.oldPath()); err != nil {
		return err
	}
	err := os.Rename(out, w.oldPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// remove removes the folder. The lock's file goes last, and is still held.
func (w *workdir) remove() error {
	if err := w.clear(); err != nil {
		return err
	}
	return os.RemoveAll(w.path)
}

// resume opens the journal, made anew where there is none, and returns the entries of it. A journal with entries must be of a fetch
// with the same parameters and pins, unless force: then all begins anew.
func (w *workdir) resume(h header, force bool) (*journal, []entry, error) {
	f, err := os.OpenFile(w.journalPath(), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, nil, err
	}
	entries, err := h.goOn(f)
	if err == nil {
		return &journal{f: f}, entries, nil
	}
	f.Close()
	if !force && !errors.Is(err, errNoJournal) {
		return nil, nil, fmt.Errorf("%s: %w: go on with the command that began it, or begin anew with -force", w.path, err)
	}
	if err := w.clear(); err != nil {
		return nil, nil, err
	}
	if f, err = os.OpenFile(w.journalPath(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
		return nil, nil, err
	}
	j := &journal{f: f}
	if err := j.append(h); err != nil {
		f.Close()
		return nil, nil, err
	}
	return j, nil, nil
}

// goOn reads the journal in f, and makes it ready for more. It returns errNoJournal where nothing is lost by beginning anew.
func (h header) goOn(f *os.File) ([]entry, error) {
	old, entries, length, err := readJournal(f)
	if err != nil {
		return nil, err
	}
	err = h.accepts(old)
	switch {
	case err != nil && len(entries) == 0:
		return nil, errNoJournal
	case err != nil:
		return nil, err
	}
	if err := f.Truncate(length); err != nil {
		return nil, err
	}
	_, err = f.Seek(length, io.SeekStart)
	return entries, err
}

// accepts says why a fetch that began with old can't go on as h, or nil.
func (h header) accepts(old header) error {
	if !h.Parameters.equal(old.Parameters) {
		return fmt.Errorf("a fetch with other parameters was begun (%s)", old.Parameters)
	}
	before := make(map[string]object)
	for _, o := range old.Pins {
		before[o.Key] = o
	}
	for _, now := range h.Pins {
		was, ok := before[now.Key]
		if !ok {
			return fmt.Errorf("the source changed since this fetch began: %s is there now", now.Key)
		}
		if d := was.differs(now); d != "" {
			return fmt.Errorf("the source changed since this fetch began: %s: %s", now.Key, d)
		}
	}
	return nil
}

// differs says how an object differs from another version of itself, or "".
func (o object) differs(now object) string {
	switch {
	case o.Missing != now.Missing:
		return fmt.Sprintf("missing: it was %t, and is %t now", o.Missing, now.Missing)
	case o.SHA256 != now.SHA256:
		return "its content is another one"
	case o.Generation != "" && now.Generation != "" && o.Generation != now.Generation:
		return fmt.Sprintf("its generation was %s, and is %s now", o.Generation, now.Generation)
	case o.ETag != "" && now.ETag != "" && o.ETag != now.ETag:
		return fmt.Sprintf("its ETag was %.100s, and is %.100s now", o.ETag, now.ETag)
	}
	return ""
}
