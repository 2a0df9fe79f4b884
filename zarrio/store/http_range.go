package store

import (
	"fmt"
	"strconv"
	"strings"
)

// A contentRange is what a Content-Range header of RFC 9110 (14.4) says: that the body is the bytes first to last of a value
// of total bytes, or that no byte of the range asked for is in the value.
type contentRange struct {
	first, last int64 // last < first: the range is not satisfied
	total       int64 // -1: not told
}

// parseContentRange parses "bytes 0-9/100", "bytes 0-9/*" and "bytes */100".
func parseContentRange(s string) (contentRange, error) {
	bad := func(what string) (contentRange, error) {
		return contentRange{}, fmt.Errorf("Content-Range %.100q: %s", s, what)
	}
	if s == "" {
		return contentRange{}, fmt.Errorf("no Content-Range")
	}
	unit, rest, _ := strings.Cut(s, " ")
	if !strings.EqualFold(unit, "bytes") {
		return bad("want the unit bytes")
	}
	span, size, ok := strings.Cut(rest, "/")
	if !ok {
		return bad("no total")
	}
	r := contentRange{last: -1, total: -1}
	if size != "*" {
		if r.total, ok = decimal(size); !ok {
			return bad("the total is no number")
		}
	}
	if span == "*" {
		if r.total < 0 {
			return bad("neither a range nor a total")
		}
		return r, nil
	}
	first, last, _ := strings.Cut(span, "-")
	var ok1, ok2 bool
	r.first, ok1 = decimal(first)
	r.last, ok2 = decimal(last)
	switch {
	case !ok1 || !ok2:
		return bad("not a range of numbers")
	case r.last < r.first:
		return bad("ends before it begins")
	case r.total >= 0 && r.last >= r.total:
		return bad("ends beyond the total")
	}
	return r, nil
}

// decimal parses digits alone: no sign, no space, nothing beyond an int64.
func decimal(s string) (int64, bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
