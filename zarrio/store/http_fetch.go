package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
)

// A fetch is one read of one value, over as many requests as it takes: one, where nothing fails and all is known.
type fetch struct {
	h   *HTTP
	key string
	dst []byte
	off int64

	value version // of the bytes that are there, or what is known beforehand
	n     int     // how many bytes of dst are there
	steps int     // requests of this attempt

	noHead bool // HEAD was tried, and did not tell the size
	lost   bool // a range was refused without a word on the size
	moved  bool // the bucket was followed to its region
}

// maxSteps is more requests than an attempt can need while each brings something new: a HEAD, a range of one byte in its place,
// a suffix, a range, a region, and what a server may do that changes its mind.
const maxSteps = 8

// maxSuffixes is how often a suffix may be answered by the whole value until no more are asked for. One may be by chance.
const maxSuffixes = 3

// An ask is one request for bytes.
type ask struct {
	head        bool
	probe       bool  // only the size is wanted
	first, last int64 // the range, unless suffix is set
	suffix      int64
}

// span is the range of the bytes asked for in a value of size bytes.
func (a ask) span(size int64) (first, last int64) {
	if a.suffix > 0 {
		return max(size-a.suffix, 0), size - 1
	}
	return a.first, min(a.last, size-1)
}

func (a ask) String() string {
	if a.suffix > 0 {
		return fmt.Sprintf("bytes=-%d", a.suffix)
	}
	return fmt.Sprintf("bytes=%d-%d", a.first, a.last)
}

// attempt makes requests until all is there or one fails.
func (f *fetch) attempt(ctx context.Context) error {
	for f.steps = 0; ; f.steps++ {
		a, done := f.next()
		if done {
			return nil
		}
		if f.steps == maxSteps {
			return fmt.Errorf("%d requests without an end: the server contradicts itself", f.steps)
		}
		if err := f.request(ctx, a); err != nil {
			return err
		}
	}
}

// next says what to ask for.
func (f *fetch) next() (a ask, done bool) {
	if f.value.size >= 0 {
		first, want := span(f.value.size, f.off, len(f.dst))
		a.first, a.last = first+int64(f.n), first+int64(want)-1
		return a, f.n == want
	}
	// A suffix much longer than dst would bring more than is wanted. The comparison can't overflow.
	far := f.off < 0 && f.off+int64(len(f.dst)) < -f.h.gap
	switch {
	case len(f.dst) == 0 || f.lost || far || f.off < 0 && f.h.noSuffix.Load() >= maxSuffixes:
		if f.noHead || f.h.noHead.Load() {
			return ask{probe: true}, false
		}
		return ask{head: true}, false
	case f.off < 0:
		return ask{suffix: -max(f.off, -math.MaxInt64)}, false
	default:
		a.first = f.off + int64(f.n)
		a.last = f.off + min(int64(len(f.dst))-1, math.MaxInt64-f.off)
		return a, false
	}
}

func (f *fetch) request(ctx context.Context, a ask) error {
	method, header := http.MethodGet, make(http.Header, 2)
	if a.head {
		method = http.MethodHead
	} else {
		header.Set("Range", a.String())
	}
	if f.value.strong() {
		header.Set("If-Match", f.value.tag)
	}
	root := f.h.root.Load()
	u := join(root, f.h.prefix+f.key)
	return f.h.send(ctx, method, u, header, func(resp *http.Response, body io.Reader) error {
		if !f.moved && f.h.follow(root, resp) {
			f.moved = true
			return nil
		}
		// aws-chunked tells how the object was uploaded, not how it comes back.
		if enc := resp.Header.Get("Content-Encoding"); resp.StatusCode/100 == 2 && enc != "" && enc != "identity" && enc != "aws-chunked" {
			return fmt.Errorf("the value comes in Content-Encoding %.40q, though it was asked for as it is", enc)
		}
		if a.head {
			return f.headed(resp, body)
		}
		switch resp.StatusCode {
		case http.StatusPartialContent:
			return f.partial(a, resp, body)
		case http.StatusOK:
			return f.whole(a, resp, body)
		case http.StatusRequestedRangeNotSatisfiable:
			return f.unsatisfied(a, resp)
		case http.StatusPreconditionFailed:
			if header.Get("If-Match") != "" {
				return fmt.Errorf("%w: it has no longer the ETag %.100q", ErrChanged, f.value.tag)
			}
		}
		return statusError(resp, body)
	})
}

// headed takes the size from the answer to HEAD. Where that is refused, as by a URL signed for GET alone, GET is tried next.
func (f *fetch) headed(resp *http.Response, body io.Reader) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK && resp.ContentLength >= 0:
		return f.accept(versionOf(resp, resp.ContentLength))
	case code/100 == 2, slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusMethodNotAllowed, http.StatusNotImplemented}, code):
		f.noHead = true
		return nil
	}
	return statusError(resp, body)
}

// accept makes v the version that is read, unless that is another one.
func (f *fetch) accept(v version) error {
	if err := f.value.check(v); err != nil {
		return err
	}
	if f.noHead && f.value.size < 0 {
		f.h.noHead.Store(true) // GET told what HEAD did not.
	}
	if v.tag == "" {
		v.tag = f.value.tag
	}
	if v.date == "" {
		v.date = f.value.date
	}
	f.value = v
	return nil
}

// partial takes an answer that holds the range asked for.
func (f *fetch) partial(a ask, resp *http.Response, body io.Reader) error {
	r, err := parseContentRange(resp.Header.Get("Content-Range"))
	if err != nil {
		return &temporary{err: err}
	}
	if r.total < 0 {
		return fmt.Errorf("the server does not tell the value's size: Content-Range %.100q", resp.Header.Get("Content-Range"))
	}
	v := versionOf(resp, r.total)
	if err := f.value.check(v); err != nil {
		return err
	}
	if first, last := a.span(r.total); r.first != first || r.last != last {
		return again("asked for %v of %d bytes, the answer holds bytes %d to %d", a, r.total, r.first, r.last)
	}
	length := r.last - r.first + 1
	if resp.ContentLength >= 0 && resp.ContentLength != length {
		return again("a Content-Length of %d for bytes %d to %d", resp.ContentLength, r.first, r.last)
	}
	if err := f.accept(v); err != nil {
		return err
	}
	f.h.noRange.Store(false)
	if a.suffix > 0 {
		f.h.noSuffix.Store(0)
	}
	if a.probe {
		return nil
	}
	return f.receive(resp.Header, body, length)
}

// whole takes an answer that holds the whole value, though a part was asked for, and cuts the part out of it.
func (f *fetch) whole(a ask, resp *http.Response, body io.Reader) error {
	size := resp.ContentLength
	if size < 0 && resp.ProtoMajor == 1 && !slices.Contains(resp.TransferEncoding, "chunked") {
		return errors.New("the answer has neither a length nor chunks: its end could not be told from a break")
	}
	v := versionOf(resp, size)
	if err := f.value.check(v); err != nil {
		return err
	}
	if size < 0 {
		return f.measure(a, v, resp.Header, body)
	}
	if err := f.accept(v); err != nil {
		return err
	}
	if a.probe {
		return nil
	}
	first, want := span(size, f.off, len(f.dst))
	if a.suffix > 0 && first > f.h.gap && !f.h.noRange.Load() {
		// Some servers have ranges, but no suffixes. Now that the size is known there is another way to ask.
		f.h.noSuffix.Add(1)
		return nil
	}
	if int64(want) < size {
		f.h.noRange.Store(true)
	}
	skip := first + int64(f.n)
	if n, err := io.CopyN(io.Discard, body, skip); err != nil {
		return f.brokeOff(n, size, err)
	}
	return f.receive(resp.Header, body, size-skip)
}

// receive reads what is missing in dst from the beginning of body, which has length bytes.
func (f *fetch) receive(header http.Header, body io.Reader, length int64) error {
	size := f.value.size
	_, want := span(size, f.off, len(f.dst))
	n, err := io.ReadFull(body, f.dst[f.n:want])
	f.n += n
	if err != nil {
		return f.brokeOff(int64(n), length, err)
	}
	if int64(n) == length {
		if more, _ := body.Read(make([]byte, 1)); more > 0 {
			f.n = 0
			return again("a body of more than the %d bytes it should have", length)
		}
	}
	if int64(want) == size {
		if err := checkHash(header, f.dst[:want]); err != nil {
			f.n = 0
			return err
		}
	}
	return nil
}

// brokeOff makes an error of a body that ended after n of length bytes. What has arrived is kept if its ETag says of what
// comes later that it is of the same version.
func (f *fetch) brokeOff(n, length int64, err error) error {
	if !f.value.strong() {
		f.n = 0
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return again("the body broke off after %d of %d bytes: %w", n, length, io.ErrUnexpectedEOF)
	}
	return again("the body broke off after %d of %d bytes: %w", n, length, err)
}

// measure takes a whole value whose size is known at its end only.
func (f *fetch) measure(a ask, v version, header http.Header, body io.Reader) error {
	broken := func(n int64, err error) error {
		f.n = 0
		return again("the body broke off after %d bytes: %w", n, err)
	}
	first := f.off
	if f.value.size >= 0 {
		first, _ = span(f.value.size, f.off, len(f.dst))
	}
	if a.probe || first < 0 {
		size, err := io.Copy(io.Discard, body)
		if err != nil {
			return broken(size, err)
		}
		v.size = size
		return f.accept(v)
	}
	skipped, err := io.CopyN(io.Discard, body, first)
	f.n = 0
	for err == nil && f.n < len(f.dst) {
		var n int
		n, err = body.Read(f.dst[f.n:])
		f.n += n
	}
	size := skipped + int64(f.n)
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, body)
		size += rest
	}
	if err != nil && err != io.EOF {
		return broken(size, err)
	}
	v.size = size
	if err := f.accept(v); err != nil {
		f.n = 0
		return err
	}
	if int64(f.n) < size {
		f.h.noRange.Store(true)
		return nil
	}
	if err := checkHash(header, f.dst[:f.n]); err != nil {
		f.n = 0
		return err
	}
	return nil
}

// unsatisfied takes the answer that no byte of the range is in the value.
func (f *fetch) unsatisfied(a ask, resp *http.Response) error {
	r, err := parseContentRange(resp.Header.Get("Content-Range"))
	if err != nil || r.total < 0 || r.last >= r.first {
		// Some servers don't say how long the value is.
		switch {
		case a.probe:
			r.total = 0 // It has no first byte.
		case f.value.size < 0 && !f.lost:
			f.lost = true
			return nil
		default:
			return fmt.Errorf("the server refuses the range %v of %d bytes", a, f.value.size)
		}
	}
	if err := f.value.check(version{size: r.total}); err != nil {
		return err
	}
	if first, last := a.span(r.total); first <= last && a.suffix == 0 {
		return fmt.Errorf("the server refuses the range %v of %d bytes", a, r.total)
	}
	// It may have refused a suffix for being longer than the value. What to ask next follows from the size.
	f.value.size = r.total
	return nil
}
