package store

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"
)

// locate finds out where rawURL's values are.
func (h *HTTP) locate(rawURL string, opt HTTPOptions) error {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	switch strings.ToLower(scheme) {
	case "http", "https":
		u, err := parseBase(rawURL)
		if err != nil {
			return err
		}
		shown := *u
		shown.RawQuery = ""
		h.name = shown.String()
		h.root.Store(u)
		return nil
	case "gs", "s3":
		bucket, prefix, _ := strings.Cut(rest, "/")
		prefix = strings.TrimSuffix(prefix, "/")
		if err := checkBucket(bucket, prefix); err != nil {
			return fmt.Errorf("%q: %w", rawURL, err)
		}
		h.bucket = true
		h.name = strings.TrimSuffix(rawURL, "/")
		if prefix != "" {
			h.prefix = prefix + "/"
		}
		return h.locateBucket(strings.ToLower(scheme), bucket, opt)
	}
	return fmt.Errorf("%q: want a URL of http, https, gs or s3", rawURL)
}

func (h *HTTP) locateBucket(scheme, bucket string, opt HTTPOptions) error {
	switch {
	case opt.Endpoint != "":
		u, err := parseBase(opt.Endpoint)
		if err != nil {
			return err
		}
		h.root.Store(join(u, bucket))
	case scheme == "gs":
		h.root.Store(&url.URL{Scheme: "https", Host: "storage.googleapis.com", Path: "/" + bucket})
	default:
		region := opt.Region
		if region == "" {
			region = os.Getenv("AWS_REGION")
		}
		if region != "" && !isLabel(region) {
			return fmt.Errorf("region %q: want letters, digits and hyphens", region)
		}
		h.s3 = &s3Bucket{bucket}
		h.root.Store(h.s3.url(region))
	}
	return nil
}

// An s3Bucket is a bucket that AWS serves.
type s3Bucket struct{ name string }

// url is the bucket's address in region, or the one without a region. A name that is no label of a host name, or has
// dots, which no certificate covers, stands in the path.
func (b *s3Bucket) url(region string) *url.URL {
	host := "s3.amazonaws.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		host = "s3." + region + ".amazonaws.com.cn"
	case region != "":
		host = "s3." + region + ".amazonaws.com"
	}
	if isLabel(b.name) {
		return &url.URL{Scheme: "https", Host: b.name + "." + host}
	}
	return &url.URL{Scheme: "https", Host: host, Path: "/" + b.name}
}

// follow makes the region that an answer names the bucket's, if AWS serves it, root was in another, and the answer was
// that the object is elsewhere.
func (h *HTTP) follow(root *url.URL, resp *http.Response) bool {
	region := resp.Header.Get("X-Amz-Bucket-Region")
	elsewhere := resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusBadRequest
	if h.s3 == nil || !elsewhere || !isLabel(region) {
		return false
	}
	there := h.s3.url(region)
	if there.Host == root.Host {
		return false
	}
	h.root.Store(there)
	return true
}

// isLabel reports whether s can be one label of a host name as AWS writes them.
func isLabel(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// parseBase parses the URL of a prefix, and takes one slash off its end.
func parseBase(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // The rest repeats the URL with its query.
		}
		return nil, fmt.Errorf("not a URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("URL of scheme %q, want http or https", u.Scheme)
	case u.Host == "":
		return nil, errors.New("URL without a host")
	case u.User != nil:
		return nil, errors.New("URL with a user name, which is not sent: only public objects can be read, or signed URLs")
	case u.Fragment != "" || strings.Contains(rawURL, "#"):
		return nil, errors.New("URL with a fragment: a \"#\" in a name is written %23")
	case strings.Contains(u.RawPath, "%") && u.RawPath != u.EscapedPath():
		return nil, errors.New("URL whose path is escaped in part: spaces and other letters than ASCII want escapes too")
	}
	base := *u
	if path, ok := strings.CutSuffix(u.EscapedPath(), "/"); ok { // not where the path ends in %2F
		base.RawPath, base.Path = path, strings.TrimSuffix(u.Path, "/")
	}
	return &base, nil
}

func checkBucket(bucket, prefix string) error {
	for _, c := range []byte(bucket) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("bucket name with %q", c)
		}
	}
	if strings.Trim(bucket, ".") == "" {
		return errors.New("no bucket name")
	}
	if !utf8.ValidString(prefix) || strings.IndexByte(prefix, 0) >= 0 {
		return ErrBadKey
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "." || part == ".." {
			return ErrBadKey
		}
	}
	return nil
}

// join returns root's URL with key below its path.
func join(root *url.URL, key string) *url.URL {
	u := *root
	u.RawPath = root.EscapedPath() + "/" + escapeKey(key)
	u.Path = root.Path + "/" + key
	return &u
}

// escapeKey escapes every byte of key but the unreserved ones of RFC 3986 and the slashes. Of the others, some have a meaning
// in paths only to some servers: S3 takes "+" for a space.
func escapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(key))
	for _, c := range []byte(key) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '/':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
