package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// An object is what is known of a value of the source that was read.
type object struct {
	Key        string `json:"path"`
	Bytes      int64  `json:"bytes"`            // its whole length
	SHA256     string `json:"sha256,omitempty"` // where it was read whole
	Source     string `json:"source"`           // its URL or path
	Generation string `json:"generation,omitempty"`
	ETag       string `json:"etag,omitempty"`
	Moved      int64  `json:"moved"` // bytes that came of it
	Requests   int64  `json:"requests,omitempty"`
	Proof      string `json:"proof,omitempty"` // one of the proofs
	Missing    bool   `json:"missing,omitempty"`
}

// The proofs that what was read of an object is what its source has. They are listed from the strongest to the weakest.
const (
	proofPinned = "pinned SHA-256"   // it was read whole, and is the one that has long been known
	proofCRC32C = "server's CRC-32C" // it was read whole, and the server's checksum agrees
	proofMD5    = "server's MD5"
	proofLength = "length"        // it was read whole, and is as long as the server says
	proofParts  = "parts' length" // parts of it were read, of one version and each as long as the server says: parts have no checksum
)

// proofs are all of them, as [verify] reports them.
var proofs = []string{proofPinned, proofCRC32C, proofMD5, proofLength, proofParts}

// A file is a file that was written: an entry of the manifest, in the form of fixtures/manifest.json.
type file struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Source string `json:"source"`
}

func byPath(a, b file) int { return strings.Compare(a.Path, b.Path) }

// A ledger takes down what a piece of work read and wrote. It goes along in the work's context, since zarrio's calls lie
// between the work and the requests. It may be used by many goroutines at once.
type ledger struct {
	mu      sync.Mutex
	objects map[string]*object // by key
	changed error              // the first sign that an object changed between two requests
	files   []file
}

func newLedger() *ledger { return &ledger{objects: make(map[string]*object)} }

type ledgerKey struct{}

func withLedger(ctx context.Context, l *ledger) context.Context {
	return context.WithValue(ctx, ledgerKey{}, l)
}

func ledgerOf(ctx context.Context) *ledger {
	l, _ := ctx.Value(ledgerKey{}).(*ledger)
	return l
}

// update changes what is known of key's object.
func (l *ledger) update(key string, f func(*object)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.objects[key]
	if o == nil {
		o = &object{Key: strings.Clone(key)}
		l.objects[o.Key] = o
	}
	f(o)
}

// read returns the objects that were read, sorted by key, or an error where one changed meanwhile.
func (l *ledger) read() ([]object, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []object
	for _, key := range slices.Sorted(maps.Keys(l.objects)) {
		list = append(list, *l.objects[key])
	}
	return list, l.changed
}

// written returns the files that were written, sorted by path. source is where their content is from.
func (l *ledger) written(source string) []file {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.files)
	for i := range list {
		list[i].Source = source
	}
	slices.SortFunc(list, byPath)
	return list
}
