package store

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// tempPrefix starts the names that Put writes under until the value is whole. Their length does not depend on the key's,
// so that a name as long as the file system allows can be put.
const tempPrefix = ".zarrio-tmp-"

func isTemp(name string) bool { return strings.HasPrefix(name, tempPrefix) }

// Put makes value the value of key, and makes the directories above it. It writes beside the file and renames, so that
// readers find the old value or the new one, and an error leaves the old one and nothing else. A process that is killed may
// leave a file that List does not show. A symbolic link at key is replaced, not followed.
//
// Put does not flush to the disk: a flush takes milliseconds a value, and what this package writes can be written again.
// A power cut may therefore lose values put shortly before, or leave them empty or short.
func (d *Dir) Put(ctx context.Context, key string, value []byte) error {
	err := d.check(ctx, key)
	if err == nil && isTemp(path.Base(key)) {
		err = ErrBadKey // List would not show it
	}
	if err == nil {
		err = d.put(key, value)
	}
	if err != nil {
		return d.fail("put", key, err)
	}
	return nil
}

func (d *Dir) put(key string, value []byte) error {
	parent := path.Dir(key)
	if parent != "." {
		err := d.root.MkdirAll(parent, 0o777)
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) {
			return errParent
		}
		if err != nil {
			return err
		}
	}
	temp := path.Join(parent, tempPrefix+rand.Text())
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = d.write(f, value)
	// A full disk may be found out at close only, with quotas and on network file systems.
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = d.root.Rename(temp, key)
	}
	if err != nil {
		d.root.Remove(temp) // The error that matters is the first.
	}
	return err
}
