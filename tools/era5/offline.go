package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"zarrbench/zarrio/store"
)

// explain makes, of the error of a source that can't be reached, one that says how to go on.
func (o options) explain(ctx context.Context, err error) error {
	_, refused := errors.AsType[*store.StatusError](err) // by a proxy perhaps
	if ctx.Err() != nil || !isRemote(o.Store) || !refused && !unanswered(err) {
		return err
	}
	return fmt.Errorf(`%w

The source can't be reached from here: %s%s was tried. Nothing was fetched. To go on without it
  make fields up, which are enough to measure with:  go run ./tools/era5 -synthetic
  or copy a store that was fetched elsewhere to      %s`, err, o.Store, o.at(), o.out)
}

// isRemote reports whether a place is on a server.
func isRemote(place string) bool {
	scheme, _, isURL := strings.Cut(place, "://")
	return isURL && !strings.EqualFold(scheme, "file")
}

// unanswered reports whether an error of a remote store is of the network: no answer came, or none that could be understood.
func unanswered(err error) bool {
	_, read := errors.AsType[*store.KeyError](err)
	_, answered := errors.AsType[*store.StatusError](err)
	return read && !answered && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrBadKey) && !errors.Is(err, store.ErrChanged)
}

// at says by which address a bucket was tried.
func (o options) at() string {
	switch scheme, _, _ := strings.Cut(o.Store, "://"); {
	case o.endpoint != "":
		return " at " + o.endpoint
	case strings.EqualFold(scheme, "gs"):
		return " at https://storage.googleapis.com"
	}
	return ""
}
