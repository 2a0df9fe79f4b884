package storetest

import (
	"cmp"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// list answers with one page of the names under a prefix, as ListObjectsV2 does.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	type key struct{ Key string }
	type prefix struct{ Prefix string }
	type result struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []key
		CommonPrefixes        []prefix
	}
	q := r.URL.Query()
	under, delimiter := q.Get("prefix"), q.Get("delimiter")
	var names []string
	s.mu.Lock()
	for name := range s.files {
		rest, ok := strings.CutPrefix(name, under)
		if !ok || name <= q.Get("continuation-token") {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			rest = rest[:i+1]
		}
		names = append(names, under+rest)
	}
	s.mu.Unlock()
	slices.Sort(names)
	names = slices.Compact(names)

	var res result
	if size := cmp.Or(s.opt.PageSize, 1000); len(names) > size {
		names = names[:size]
		res.IsTruncated = true
		res.NextContinuationToken = names[size-1]
		if delimiter != "" && strings.HasSuffix(names[size-1], delimiter) {
			res.NextContinuationToken += "\U0010ffff" // after all that lies under it
		}
	}
	for _, name := range names {
		if delimiter != "" && strings.HasSuffix(name, delimiter) && name != under {
			res.CommonPrefixes = append(res.CommonPrefixes, prefix{name})
		} else {
			res.Contents = append(res.Contents, key{name})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	text, err := xml.Marshal(res)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(text)
}
