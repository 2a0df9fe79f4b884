package gdsinfo

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile is how much of a file is looked at. The largest of interest is the kernel's configuration, of some 300 KiB.
const maxFile = 4 << 20

// beneath is the folder that what the machine tells is read beneath: "" is the machine's own.
type beneath string

func (r beneath) path(name string) string { return filepath.Join(string(r), name) }

// read returns the text of a file, without space around it. A name that ends in .gz is decompressed.
func (r beneath) read(name string) (string, error) {
	f, err := os.Open(r.path(name))
	if err != nil {
		return "", plain(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return "", err
		}
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFile))
	return string(bytes.TrimSpace(data)), plain(err)
}

// plain is err without the operation and the path, which stand beside it in a report.
func plain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// value returns the text of a file for a Fact.
func (r beneath) value(name string) string {
	text, err := r.read(name)
	switch {
	case err != nil:
		return notRead(err)
	case text == "":
		return "empty"
	}
	return text
}

// notRead is the value of a Fact whose source gave err.
func notRead(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	return "unreadable: " + err.Error()
}

// exists reports whether there is a file or folder of that name.
func (r beneath) exists(name string) bool {
	_, err := os.Stat(r.path(name))
	return err == nil
}

func (r beneath) isDir(name string) bool {
	info, err := os.Stat(r.path(name))
	return err == nil && info.IsDir()
}

// names lists a folder, sorted; nothing if it can't be listed.
func (r beneath) names(dir string) []string {
	entries, _ := os.ReadDir(r.path(dir)) // sorted; what was read before an error counts
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// glob lists the files of a folder whose names have a prefix and then digits only, as device nodes do.
func (r beneath) glob(dir, prefix string) []string {
	return slices.DeleteFunc(r.names(dir), func(name string) bool {
		number, ok := strings.CutPrefix(name, prefix)
		return !ok || number == "" || strings.Trim(number, "0123456789") != ""
	})
}

// resolve follows symbolic links and returns where a name leads, as a name beneath the root. Links of the fake roots of tests
// are relative, as those of sysfs are.
func (r beneath) resolve(name string) (string, bool) {
	path, err := filepath.EvalSymlinks(r.path(name))
	if err != nil {
		return "", false
	}
	if r == "" || r == "/" {
		return path, true
	}
	base, err := filepath.EvalSymlinks(string(r))
	if err != nil {
		return "", false
	}
	inside, ok := strings.CutPrefix(path, base)
	return inside, ok
}

// field returns the first value of a name in lines of "name<sep>value".
func field(text, name, sep string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, sep); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
