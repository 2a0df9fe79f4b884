package store

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Bucket is an [HTTP] whose values are the objects of a public bucket, and so a [Lister] where the bucket may be listed.
// Its names lie flat: one that has names under it may be a value too, and reads as missing where it is none.
type Bucket struct{ *HTTP }

var (
	_ Lister    = (*Bucket)(nil)
	_ Opener    = (*Bucket)(nil)
	_ Coalescer = (*Bucket)(nil)
)

// OpenBucket is [OpenHTTP] for gs://BUCKET/PREFIX and s3://BUCKET/PREFIX.
func OpenBucket(rawURL string, opt HTTPOptions) (*Bucket, error) {
	h, err := OpenHTTP(rawURL, opt)
	if err != nil {
		return nil, err
	}
	if !h.bucket {
		return nil, fmt.Errorf("%q: want a URL of gs or s3", h.name)
	}
	return &Bucket{h}, nil
}

// A page holds 1000 names of at most 1024 bytes, which XML may make six times as long. The names of one prefix are kept in
// memory: the chunks of an array are there, but nobody lists that many to look at them.
const (
	maxPage  = 8 << 20
	maxNames = 4 << 20
)

// A page is one answer to a request for names (ListObjectsV2 of S3, which Google's XML interface answers too).
type page struct {
	XMLName   xml.Name `xml:"ListBucketResult"`
	Truncated bool     `xml:"IsTruncated"`
	Next      string   `xml:"NextContinuationToken"`
	Keys      []string `xml:"Contents>Key"`
	Prefixes  []string `xml:"CommonPrefixes>Prefix"`
}

// List is described at [Lister]. Names that no key can have are left out.
func (b *Bucket) List(ctx context.Context, prefix string) ([]string, error) {
	err := b.ready(ctx)
	if err == nil && prefix != "" {
		err = CheckKey(prefix)
	}
	var names []string
	if err == nil {
		names, err = b.list(ctx, strings.Clone(prefix))
	}
	if err != nil {
		return nil, b.fail("list", prefix, err)
	}
	return names, nil
}

func (b *Bucket) list(ctx context.Context, prefix string) ([]string, error) {
	under := b.prefix
	if prefix != "" {
		under += prefix + "/"
	}
	var names []string
	found := false // whether anything is there, be it only an object that stands for a directory
	for token := ""; ; {
		var p *page
		err := b.retry(ctx, func(ctx context.Context) (err error) {
			p, err = b.page(ctx, under, token)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Concat(p.Keys, p.Prefixes) {
			name, ok := strings.CutPrefix(key, under)
			if !ok {
				return nil, fmt.Errorf("asked for names under %q, the server lists %.100q", under, key)
			}
			found = true
			part := strings.TrimSuffix(name, "/")
			if CheckKey(part) == nil && !strings.Contains(part, "/") {
				names = append(names, name)
			}
		}
		if !p.Truncated {
			break
		}
		if p.Next == "" || p.Next == token {
			return nil, errors.New("the server's list goes on, but it does not say where")
		}
		if len(names) > maxNames {
			return nil, fmt.Errorf("more than %d names", maxNames)
		}
		token = p.Next
	}
	if !found {
		return nil, fs.ErrNotExist
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// page asks for one page of the names under a prefix.
func (b *Bucket) page(ctx context.Context, under, token string) (p *page, err error) {
	query := url.Values{"list-type": {"2"}, "delimiter": {"/"}, "prefix": {under}}
	if token != "" {
		query.Set("continuation-token", token)
	}
	for moved := false; p == nil; moved = true {
		root := b.root.Load()
		u := *root
		u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // so that no server takes it for a plus
		if u.Path == "" {
			u.Path = "/"
		}
		err := b.send(ctx, http.MethodGet, &u, nil, func(resp *http.Response, body io.Reader) error {
			if !moved && b.follow(root, resp) {
				return nil
			}
			if resp.StatusCode != http.StatusOK {
				return statusError(resp, body)
			}
			text, err := io.ReadAll(io.LimitReader(body, maxPage+1))
			switch {
			case err != nil:
				return again("the list broke off after %d bytes: %w", len(text), err)
			case len(text) > maxPage:
				return fmt.Errorf("a list of more than %d bytes a page", maxPage)
			case resp.ContentLength >= 0 && int64(len(text)) != resp.ContentLength:
				return again("a list of %d bytes, with a Content-Length of %d", len(text), resp.ContentLength)
			}
			p = new(page)
			if err := xml.NewDecoder(bytes.NewReader(text)).Decode(p); err != nil {
				return fmt.Errorf("the answer is no list of a bucket: %w", err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}
