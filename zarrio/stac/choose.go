package stac

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A ChoiceError says why no asset of a document was chosen, and lists the assets that there are.
type ChoiceError struct {
	Document *Document
	Reason   string
	Key      string // the asset that was asked for, or ""

	unsupported bool
}

// maxListed is how many assets a message lists.
const maxListed = 20

// Error returns the reason and, each in a line of its own, the assets with their keys, types and
// hrefs. The hrefs lack their queries, which may be secrets. Zarr assets come first.
func (e *ChoiceError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "STAC %s %q: %s", e.Document.Type, short(e.Document.ID), e.Reason)
	assets := slices.Clone(e.Document.Assets)
	slices.SortStableFunc(assets, func(x, y Asset) int {
		switch {
		case x.Zarr == y.Zarr:
			return 0
		case x.Zarr:
			return -1
		}
		return 1
	})
	for i, a := range assets {
		if i == maxListed {
			fmt.Fprintf(&b, "\n  and %d more", len(assets)-i)
			break
		}
		media := "no type"
		if a.Type != "" {
			media = printable(a.Type)
		}
		href, _, query := strings.Cut(a.Href, "?")
		href = printable(href)
		if query {
			href += "?..."
		}
		fmt.Fprintf(&b, "\n  %q (%s) %s", short(a.Key), media, href)
		if a.Zarr && a.Refused != "" {
			fmt.Fprintf(&b, ": %s", a.Refused)
		}
	}
	return b.String()
}

// Is reports whether target is [errors.ErrUnsupported] and the document has Zarr assets, but none
// that can be opened.
func (e *ChoiceError) Is(target error) bool { return e.unsupported && target == errors.ErrUnsupported }

// printable is text from a document, for a terminal.
func printable(s string) string {
	q := fmt.Sprintf("%q", short(s))
	return q[1 : len(q)-1]
}

// Choose returns the asset that is to be opened: the one that key names or, if key is "", the
// only Zarr asset that can be opened. Of several, it is the only one with the role "data". The
// error is a [ChoiceError].
//
// An asset that key names need not be called a Zarr store, as long as its type doesn't call it
// something else.
func (d *Document) Choose(key string) (*Asset, error) {
	if key != "" {
		return d.named(key)
	}
	var open, data []int
	virtual := 0
	for i, a := range d.Assets {
		switch {
		case !a.Zarr:
		case a.Refused != "":
			virtual++
		default:
			open = append(open, i)
			if slices.Contains(a.Roles, "data") {
				data = append(data, i)
			}
		}
	}
	switch {
	case len(open) == 1:
		return &d.Assets[open[0]], nil
	case len(data) == 1:
		return &d.Assets[data[0]], nil
	case len(open) > 1:
		example := url.PathEscape(d.Assets[open[0]].Key)
		return nil, &ChoiceError{Document: d, Reason: fmt.Sprintf("%d Zarr assets: choose one by its key, as in #asset=%s", len(open), short(example))}
	case virtual > 0:
		return nil, &ChoiceError{Document: d, Reason: "no Zarr asset that can be opened", unsupported: true}
	case len(d.Assets) == 0:
		return nil, &ChoiceError{Document: d, Reason: "it has no assets"}
	}
	return nil, &ChoiceError{Document: d, Reason: "no Zarr asset"}
}

// named returns the asset at key.
func (d *Document) named(key string) (*Asset, error) {
	i, found := slices.BinarySearchFunc(d.Assets, key, func(a Asset, key string) int { return strings.Compare(a.Key, key) })
	if !found {
		return nil, &ChoiceError{Document: d, Key: key, Reason: fmt.Sprintf("no asset %q", short(key))}
	}
	a := &d.Assets[i]
	media, _ := mediaType(a.Type)
	plain := media == "" || media == "application/octet-stream" || media == "application/zip"
	switch {
	case !a.Zarr && !plain:
		return nil, &ChoiceError{Document: d, Key: key, Reason: fmt.Sprintf("asset %q is no Zarr store", short(key))}
	case a.Refused != "":
		return nil, &ChoiceError{Document: d, Key: key, Reason: fmt.Sprintf("asset %q: %s", short(key), a.Refused), unsupported: true}
	}
	return a, nil
}
