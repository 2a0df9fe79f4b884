package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"zarrbench/zarrio/store"
)

// explain makes, of the error of a source that can't be reached, one that says how to go on.
func (o options) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil || !unreachable(err) {
		return err
	}
	return fmt.Errorf(`%w

The source can't be reached from here: %s%s was tried. Nothing was fetched. To go on without it
  make fields up, which are enough to measure with:  go run ./tools/era5 -synthetic
  or copy a store that was fetched elsewhere to      %s`, err, o.Store, o.at(), o.out)
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

// unreachable says whether an error is of the network, or of a proxy or a server that lets nobody through, and not of what the
// source holds.
func unreachable(err error) bool {
	_, answered := errors.AsType[*store.StatusError](err)
	return answered || unanswered(err)
}

// unanswered says whether an error is of the network.
func unanswered(err error) bool {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok && !errors.Is(err, context.Canceled)
}
