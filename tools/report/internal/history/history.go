// Package history keeps the output of benchmark runs over commits, and finds where a row's times changed.
//
// A history is a directory. Each run is a file of its own, the output as it was, under a name that says when, and of which
// commit:
//
//	DIR/MACHINE/TIME_COMMIT_RANDOM.txt
//
// A file appears under its name when it is whole and on the disk, and is never written again. So processes that append at
// once lose nothing and need no lock, a process that is killed leaves at most a file whose name begins with a dot, which
// nothing reads, and histories can be merged by copying, or kept in git.
package history

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"zarrbench/internal/utf"
	"zarrbench/tools/report/internal/summary"
)

// A Run is the output of one run of benchmarks.
type Run struct {
	Commit string    `json:"commit"` // as git names it, with -dirty behind it where files were changed
	Time   time.Time `json:"time"`   // when it began, or if its text doesn't say that, when it was appended
	Path   string    `json:"path"`   // of its file
	Text   []byte    `json:"-"`
}

// content is a digest of what the run measured. It is the same for a text in another encoding or with other line ends.
func (r Run) content() [sha256.Size]byte {
	text, err := utf.DecodeLines(r.Text)
	if err != nil {
		text = r.Text // it can't be read as a run either
	}
	return sha256.Sum256(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
}

// Known returns the run among runs that has a text's content, whatever commit and time it was kept under, or nil if there is none.
func Known(runs []Run, text []byte) *Run {
	content := Run{Text: text}.content()
	for i := range runs {
		if runs[i].content() == content {
			return &runs[i]
		}
	}
	return nil
}

const (
	suffix     = ".txt"
	tempPrefix = ".tmp-"
	timeLayout = "20060102T150405.000000000Z"
)

// Append adds a run to the history in dir, which it makes if it isn't there, and returns the path of the run's file. Of the
// run it takes the commit and the text, and the time unless that is zero, which stands for now. Text without usable results
// is an error: a history must not need a cure.
func Append(dir string, run Run) (path string, err error) {
	return appender{write: (*os.File).Write}.append(dir, run)
}

// An appender appends; tests have one that is killed half-way.
type appender struct {
	write func(*os.File, []byte) (int, error)
}

func (a appender) append(dir string, run Run) (string, error) {
	if err := checkCommit(run.Commit); err != nil {
		return "", err
	}
	at := run.Time
	if at.IsZero() {
		at = time.Now()
	}
	rep, err := summary.New([]summary.Input{{Path: "the run", Text: run.Text}}, summary.Options{})
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, folder(machine(&rep.Files[0])))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	temp := filepath.Join(dir, tempPrefix+rand.Text())
	if err := a.writeFile(temp, run.Text); err != nil {
		return "", errors.Join(err, os.Remove(temp))
	}
	path := filepath.Join(dir, fileName(at, run.Commit))
	if err := publish(temp, path); err != nil {
		return "", errors.Join(err, os.Remove(temp))
	}
	// The name is in the directory, which has a way to the disk of its own. Some file systems can't be asked for it.
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return path, nil
}

// writeFile makes a file that is whole on the disk.
func (a appender) writeFile(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = a.write(f, text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// publish gives the file temp its final name. A link, unlike a rename, never takes the place of another file; where the file
// system has no links, that the name has 128 random bits must do.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) {
		return os.Rename(temp, path)
	}
	if err != nil {
		return err
	}
	return os.Remove(temp)
}

// Read returns the runs of a history in the order of their times. Files that can't be read, or whose names are
// no runs', are left out, and stand in skipped. The runs of one machine that was renamed stand in two folders; what tells
// machines apart is in the texts.
func Read(dir string) (runs []Run, skipped []error, err error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, nil, err
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch hidden := strings.HasPrefix(entry.Name(), ".") && path != dir; {
		case hidden && entry.IsDir():
			return fs.SkipDir
		case err != nil:
			skipped = append(skipped, err)
			return nil
		case hidden || entry.IsDir() || filepath.Ext(path) != suffix:
			return nil
		}
		run, err := readRun(path)
		if err != nil {
			skipped = append(skipped, err)
			return nil
		}
		runs = append(runs, run)
		return nil
	})
	slices.SortStableFunc(runs, func(a, b Run) int { return a.Time.Compare(b.Time) })
	return runs, skipped, err
}

// readRun reads one run's file.
func readRun(path string) (Run, error) {
	at, commit, err := parseName(filepath.Base(path))
	if err != nil {
		return Run{}, fmt.Errorf("%s: %w", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Run{}, err
	}
	return Run{Commit: commit, Time: at, Path: path, Text: text}, nil
}

// fileName is a new name for a run's file.
func fileName(at time.Time, commit string) string {
	return at.UTC().Format(timeLayout) + "_" + commit + "_" + rand.Text() + suffix
}

// parseName takes a run's file's name apart.
func parseName(name string) (at time.Time, commit string, err error) {
	name = strings.TrimSuffix(name, suffix)
	first, last := strings.Index(name, "_"), strings.LastIndex(name, "_") // a commit that was given by hand may have one
	if first < 0 || first == last {
		return at, "", errors.New("expected a name TIME_COMMIT_RANDOM" + suffix)
	}
	if at, err = time.Parse(timeLayout, name[:first]); err != nil {
		return at, "", errors.New("expected a name that begins with a time such as " + timeLayout)
	}
	commit = name[first+1 : last]
	return at, commit, checkCommit(commit)
}

// folder is the name of a machine's folder: what can be read of it, and a digest of the rest.
func folder(machine string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(machine) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	const most = 80
	words := b.String()
	words = strings.Trim(words[:min(len(words), most)], "-")
	return fmt.Sprintf("%s-%x", words, sha256.Sum256([]byte(machine)))[:len(words)+9]
}
