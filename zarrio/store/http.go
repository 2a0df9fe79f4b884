package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// HTTPOptions say how an [HTTP] asks. The zero value is good for public data over a wide-area network.
type HTTPOptions struct {
	// Client sends the requests; nil is a client of the store's own, which speaks HTTP/1.1 over as many connections as
	// requests may be under way, and goes through the proxies that the environment names. The store works on a copy that
	// refuses redirects from https to http before it asks the client's own CheckRedirect.
	Client *http.Client

	// Requests is how many requests may be under way at once, over all goroutines; 0 is 64. One is under way until its
	// body is read, and not while it waits to be tried again.
	Requests int

	// Retries is how often one read is tried again where trying may help; 0 is 16, a negative number is never.
	Retries int

	// Backoff is about how long the first retry waits; each further one waits twice as long, up to MaxBackoff, which also
	// bounds what a server may ask for by Retry-After. 0 is 100 ms, and 20 s for MaxBackoff: with them a
	// server that has answered before is given up after two minutes or three.
	Backoff, MaxBackoff time.Duration

	// Timeout is how long a request may go without a byte arriving before it is given up and tried again; 0 is 30 s.
	// It bounds no request that makes progress; a context does.
	Timeout time.Duration

	// Reach is about how long a read waits for the first answer of a server that has not answered the store yet, its retries
	// included; 0 is 10 s, a negative number is as long as the other options say. A server that refuses connections, or whose
	// host is not found, is given up sooner, after 3 s at most. So a wrong URL is an error within seconds. Once the server has
	// answered anything, Retries, MaxBackoff and Timeout bound all reads, and an outage is waited out.
	Reach time.Duration

	// Header is sent with each request, but not to a host that a redirect leads to. The store sends no Authorization
	// or cookies by itself: what stands here is the caller's decision. Headers that change what an answer means, such
	// as Range, are refused.
	Header http.Header

	// Endpoint, such as "http://localhost:9000", takes the place of the service's own for gs:// and s3://, with the bucket
	// as the first part of the path. "" is the service's own. Other URLs don't use it.
	Endpoint string

	// Region is that of an s3:// bucket; "" is that of AWS_REGION, or else none. A bucket that turns out to be elsewhere
	// is followed there.
	Region string

	// Gap and MaxRead are what Coalesce returns; 0 is 1 MiB and 16 MiB, and a negative Gap is 0.
	Gap, MaxRead int64
}

// A request costs about 30 ms to the first byte, in which one connection brings about 1 MiB at 35 MB/s: a gap of that length
// costs no more than another request. After 16 MiB the first byte's wait is less than a tenth of the whole; longer reads
// gain nothing, hold back what could be decoded, and are dearer to repeat.
const (
	defaultGap     = 1 << 20
	defaultMaxRead = 16 << 20
)

// maxDrain is how much of a body that is not wanted is read, since a connection serves again only from its body's end on.
// To open another takes about as long.
const maxDrain = 256 << 10

// An HTTP is the store of the values below a URL: the key "a/b" is the URL's path followed by "/a/b", each byte escaped that
// has a meaning in URLs, and the URL's query as it is, so that a prefix signed by its query (a shared access signature) works.
// It is a [Store], an [Opener] and a [Coalescer], and any number of goroutines may use it at once.
//
// A read is one request: a range, or a suffix where it ends at the value's end. Further ones come where something failed,
// where a server has no suffix ranges, and where a range far from the end is counted from there. Lengths are checked, and
// a value that is read whole is also checked against the checksum that came with it (x-goog-hash, Content-MD5). Servers
// that ignore ranges are read through, as far as needed.
//
// Only what anyone may read can be read: no credentials are looked for or sent.
type HTTP struct {
	name   string
	root   atomic.Pointer[url.URL] // Another region's once an S3 bucket is found there.
	prefix string                  // before every key: empty, or ends in "/"
	bucket bool                    // whether the values are objects of a bucket, which root is
	s3     *s3Bucket               // nil unless AWS serves the bucket

	client     *http.Client
	own        bool // whether client is the store's own
	header     http.Header
	slots      chan struct{} // one element a request under way
	retries    int
	backoff    time.Duration
	maxBackoff time.Duration
	timeout    time.Duration
	reach      time.Duration
	gap, size  int64

	closed   atomic.Bool
	answered atomic.Bool // the server has answered a request
	counts   struct{ requests, retries, bytes atomic.Int64 }

	// What was learnt of the server. They only save requests: each answer is judged by itself.
	noHead   atomic.Bool  // HEAD is refused, but GET is not
	noSuffix atomic.Int32 // how many suffix ranges in a row were answered by the whole value
	noRange  atomic.Bool  // the last range was answered by the whole value
}

var (
	_ Opener    = (*HTTP)(nil)
	_ Coalescer = (*HTTP)(nil)
)

// ownHeaders are those whose meaning the store relies on.
var ownHeaders = []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	"Accept-Encoding", "Host", "Content-Length", "Transfer-Encoding"}

// OpenHTTP makes a store of the values below rawURL, which is http://, https://, or names an object of a public bucket,
// gs://BUCKET/PREFIX or s3://BUCKET/PREFIX, whose prefix is taken literally. Nothing is asked of the server yet.
// [OpenBucket] gives a store that can also be listed. The caller closes the store when nothing uses it any more.
func OpenHTTP(rawURL string, opt HTTPOptions) (*HTTP, error) {
	h := &HTTP{
		client:     opt.Client,
		header:     opt.Header.Clone(),
		retries:    max(opt.Retries, 0),
		backoff:    cmp.Or(opt.Backoff, 100*time.Millisecond),
		maxBackoff: cmp.Or(opt.MaxBackoff, 20*time.Second),
		timeout:    cmp.Or(opt.Timeout, 30*time.Second),
		reach:      cmp.Or(opt.Reach, 10*time.Second),
		gap:        max(cmp.Or(opt.Gap, defaultGap), 0),
		size:       cmp.Or(opt.MaxRead, defaultMaxRead),
	}
	if opt.Retries == 0 {
		h.retries = 16
	}
	requests := cmp.Or(opt.Requests, 64)
	if requests < 0 || h.backoff < 0 || h.maxBackoff < 0 || h.timeout < 0 || h.size < 0 {
		return nil, errors.New("negative HTTPOptions, where only Retries, Reach and Gap may be")
	}
	for name := range h.header {
		if slices.Contains(ownHeaders, http.CanonicalHeaderKey(name)) {
			return nil, fmt.Errorf("header %s is the store's own to set", name)
		}
	}
	h.slots = make(chan struct{}, requests)
	if err := h.locate(rawURL, opt); err != nil {
		return nil, err
	}
	if h.client == nil {
		h.client, h.own = newClient(requests), true
	} else {
		c := *h.client
		h.client = &c
	}
	h.client.CheckRedirect = h.checkRedirect(h.client.CheckRedirect)
	return h, nil
}

// newClient makes a client that keeps as many connections as there may be requests. HTTP/2 would put all of them into one
// connection, whose window and whose losses they would share. How long an answer may take is for the timer of each request.
func newClient(requests int) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           requests,
		MaxIdleConnsPerHost:    requests,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return &http.Client{Transport: t}
}

// A redirectError is a redirect that is not followed.
type redirectError struct{ text string }

func (e redirectError) Error() string { return e.text }

// checkRedirect returns the policy for redirects. next is the one of the client that was given, or nil.
func (h *HTTP) checkRedirect(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch from := via[len(via)-1].URL; {
		case len(via) >= 10:
			return redirectError{"redirected 10 times"}
		case req.URL.Scheme != "https" && (from.Scheme == "https" || req.URL.Scheme != "http"):
			return redirectError{fmt.Sprintf("redirected from %s to %s on %s, which is refused", from.Scheme, req.URL.Scheme, req.URL.Host)}
		case req.URL.User != nil:
			return redirectError{fmt.Sprintf("redirected to %s with a user name, which is refused", req.URL.Host)}
		}
		req.Header.Del("Referer") // It would carry the signature of a signed URL.
		if req.URL.Host != via[0].URL.Host {
			for name := range h.header {
				req.Header.Del(name)
			}
		}
		if next != nil {
			return next(req, via)
		}
		return nil
	}
}

// Close closes idle connections of the store's own client; later calls give an error that is [fs.ErrClosed].
// Reads under way go on.
func (h *HTTP) Close() error {
	if h.closed.Swap(true) {
		return errClosed
	}
	if h.own {
		h.client.CloseIdleConnections()
	}
	return nil
}

// String returns the URL that was opened, without its query, which may be a secret.
func (h *HTTP) String() string { return h.name }

// Coalesce is described at [Coalescer]. Of a server that ignores ranges, parts are best
// read as one however far apart they are.
func (h *HTTP) Coalesce() (gap, size int64) {
	if h.noRange.Load() {
		return h.size, h.size
	}
	return h.gap, h.size
}

// Requests is described at [Coalescer].
func (h *HTTP) Requests() int { return cap(h.slots) }

// HTTPCounts are what a store has asked of its server.
type HTTPCounts struct {
	Requests int64 // requests begun, retries among them; a redirect that is followed counts once
	Retries  int64 // attempts after the first
	Bytes    int64 // bytes of bodies that arrived, wanted or not
}

// Counts returns the counts since the store was opened.
func (h *HTTP) Counts() HTTPCounts {
	return HTTPCounts{Requests: h.counts.requests.Load(), Retries: h.counts.retries.Load(), Bytes: h.counts.bytes.Load()}
}

// ReadRange is described at [Store]. An empty dst asks for the size alone. A value that changes between the requests of
// one read gives an error that is [ErrChanged]; one that needs permission, an error that is [fs.ErrPermission].
func (h *HTTP) ReadRange(ctx context.Context, key string, dst []byte, off int64) (n int, size int64, err error) {
	v := unknownVersion
	return h.readRange(ctx, key, dst, off, &v)
}

// readRange reads from the version v of key's value, and makes v the one that it found if it was unknown.
func (h *HTTP) readRange(ctx context.Context, key string, dst []byte, off int64, v *version) (n int, size int64, err error) {
	if err = h.ready(ctx); err == nil {
		err = CheckKey(key)
	}
	f := fetch{h: h, dst: dst, off: off, value: *v}
	if err == nil {
		f.key = strings.Clone(key)
		err = h.retry(ctx, f.attempt)
	}
	if err != nil {
		return 0, 0, h.fail("read", key, err)
	}
	*v = f.value
	return f.n, f.value.size, nil
}

func (h *HTTP) ready(ctx context.Context) error {
	if h.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

func (h *HTTP) fail(op, key string, err error) error {
	return &KeyError{Store: h.name, Op: op, Key: strings.Clone(key), Err: err}
}

// send makes one request within the limit, and gives its answer to receive. A request that nothing arrives of for as long as
// the timeout is given up. The error is a *temporary where trying again may help.
func (h *HTTP) send(ctx context.Context, method string, u *url.URL, header http.Header, receive func(*http.Response, io.Reader) error) error {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	if err := ctx.Err(); err != nil { // select takes either where both are ready.
		return err
	}

	under, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timeout := h.timeout
	if h.unreached() {
		timeout = min(timeout, h.reach)
	}
	timer := time.AfterFunc(timeout, func() { cancel(errStalled) })
	defer timer.Stop()
	req, err := http.NewRequestWithContext(under, method, u.String(), nil)
	if err != nil {
		return bare(err)
	}
	for name, values := range h.header {
		req.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Accept-Encoding", "identity")

	h.counts.requests.Add(1)
	resp, err := h.client.Do(req)
	if err != nil {
		err = bare(err)
		if !lasting(err) {
			err = &temporary{err: err}
		}
	} else {
		h.answered.Store(true)
		body := &arriving{h: h, r: resp.Body, timer: timer}
		err = receive(resp, body)
		if resp.ContentLength-body.n <= maxDrain {
			io.CopyN(io.Discard, body, maxDrain)
		}
		resp.Body.Close()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case context.Cause(under) == errStalled && (errors.Is(err, errStalled) || errors.Is(err, context.Canceled)):
		return &temporary{err: fmt.Errorf("%w for %v", errStalled, timeout)}
	}
	return err
}

// arriving is a body that counts, and puts off the timer, as its bytes arrive.
type arriving struct {
	h     *HTTP
	r     io.Reader
	timer *time.Timer
	n     int64
}

func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if n > 0 {
		a.n += int64(n)
		a.h.counts.bytes.Add(int64(n))
		a.timer.Reset(a.h.timeout)
	}
	return n, err
}
