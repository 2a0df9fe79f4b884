package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"zarrbench/zarrio/internal/places"
)

var (
	errLinkLoop = errors.New("is a symbolic link that leads to itself")
	errNowhere  = errors.New("is a symbolic link to nothing")
)

// Unusable is described at [Auditor]: links that lead outside and aren't followed, to nothing, or back to a directory that they
// are in, and names that no key can have.
func (d *Dir) Unusable(ctx context.Context, prefix string) ([]Unusable, error) {
	entries, err := d.entries(ctx, prefix)
	if err != nil {
		return nil, d.fail("list", prefix, err)
	}
	var list []Unusable
	for _, e := range entries {
		name := e.Name()
		switch {
		case isTemp(name):
		case CheckKey(name) != nil:
			list = append(list, Unusable{name, ErrBadKey})
		case e.Type()&fs.ModeSymlink != 0:
			if _, err := d.resolve(prefix, name); err != nil {
				list = append(list, Unusable{name, err})
			}
		}
	}
	slices.SortFunc(list, func(a, b Unusable) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// resolve reports whether the link name in the directory at prefix leads to a directory, or why it can't be used.
func (d *Dir) resolve(prefix, name string) (isDir bool, err error) {
	info, err := d.stat(path.Join(prefix, name))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return false, errNowhere
	case errors.Is(err, syscall.ELOOP), err != nil && strings.Contains(err.Error(), "too many links"):
		return false, errLinkLoop
	case err != nil:
		return false, outside(places.WithoutPath(err))
	case !info.IsDir():
		return false, nil
	}
	for at := prefix; ; at = path.Dir(at) {
		if at == "" {
			at = "."
		}
		over, err := d.stat(at)
		if err != nil {
			return false, places.WithoutPath(err)
		}
		if os.SameFile(info, over) {
			return false, fmt.Errorf("is a symbolic link that leads back to %q, which it is in", at)
		}
		if at == "." {
			return true, nil
		}
	}
}

// outside is errOutside for the error of os.Root that means it.
func outside(err error) error {
	if err != nil && (errors.Is(err, syscall.EXDEV) || strings.Contains(err.Error(), "path escapes from parent")) {
		return errOutside
	}
	return err
}
