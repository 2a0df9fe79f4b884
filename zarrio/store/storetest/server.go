package storetest

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A ServerFault is one way in which a [Server] fails.
type ServerFault string

const (
	RequestTimeout     ServerFault = "408"
	TooManyRequests    ServerFault = "429"
	RetryAfter         ServerFault = "429 with Retry-After" // of a second
	InternalError      ServerFault = "500"
	BadGateway         ServerFault = "502"
	ServiceUnavailable ServerFault = "503"
	GatewayTimeout     ServerFault = "504"
	Reset              ServerFault = "reset"               // the connection is reset in the middle of the body
	Truncated          ServerFault = "truncated"           // the connection is closed there
	WrongRange         ServerFault = "wrong Content-Range" // of other bytes than the body's
	WrongBytes         ServerFault = "wrong bytes"         // one bit is another, which a checksum alone can tell
	WholeValue         ServerFault = "200"                 // the whole value comes in place of a range
)

// ServerFaults returns all faults but WrongBytes: what a client must be able to put right by itself.
func ServerFaults() []ServerFault {
	return []ServerFault{RequestTimeout, TooManyRequests, RetryAfter, InternalError, BadGateway, ServiceUnavailable, GatewayTimeout,
		Reset, Truncated, WrongRange, WholeValue}
}

// ServerOptions say how a [Server] behaves. With the zero value it knows ranges, HEAD and strong ETags, and never fails.
type ServerOptions struct {
	// Rate is the share of requests that each of Faults befalls. Which ones is settled by Seed, the request, and how often
	// it came before, whatever the order in which goroutines make them.
	Rate   float64
	Faults []ServerFault
	Seed   uint64

	Latency time.Duration // before each answer

	NoRange  bool // ranges are answered by the whole value
	NoSuffix bool // so are suffix ranges
	NoHead   bool // HEAD is answered by 405
	NoETag   bool
	NoTotal  bool // 416 comes without the value's size
	Chunked  bool // whole values come in chunks, without a Content-Length
	Hash     bool // the CRC-32C of the whole value comes in x-goog-hash
	Private  bool // what is missing is answered by 403

	// Bucket, unless empty, is the first part of the path of each value, under which names can be listed (ListObjectsV2)
	// in pages of PageSize names; 0 is 1000.
	Bucket   string
	PageSize int

	// Hook, unless nil, may answer in the server's place; it returns whether it did.
	Hook func(w http.ResponseWriter, r *http.Request) bool
}

// A Server serves values over HTTP on the loopback interface, counts what is asked of it, and fails as it is told.
// Any number of goroutines may use it at once.
type Server struct {
	URL string // without a slash at its end; that of the bucket, if there is one

	opt ServerOptions

	mu       sync.Mutex
	files    map[string][]byte
	log      []ServerRequest
	before   map[string]int // how often each request came
	inFlight int
	most     int
	faults   int
}

// A ServerRequest is what a [Server] was asked.
type ServerRequest struct {
	Method string
	Key    string
	Path   string // as it was sent, escaped
	Query  string
	Range  string
	Header http.Header
}

// NewServer starts a server of files, which it keeps, for the duration of a test.
func NewServer(tb testing.TB, files map[string][]byte, opt ServerOptions) *Server {
	s := &Server{opt: opt, files: maps.Clone(files), before: make(map[string]int)}
	if s.files == nil {
		s.files = make(map[string][]byte)
	}
	server := httptest.NewServer(s)
	tb.Cleanup(server.Close)
	s.URL = server.URL
	if opt.Bucket != "" {
		s.URL += "/" + opt.Bucket
	}
	return s
}

// Set makes value the value of key, which gives it another ETag.
func (s *Server) Set(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[key] = value
}

// ETag returns that of key's value.
func (s *Server) ETag(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return etag(s.files[key])
}

func etag(value []byte) string {
	return fmt.Sprintf(`"%08x-%d"`, crc32.ChecksumIEEE(value), len(value))
}

// Log returns the requests so far, in the order in which they came.
func (s *Server) Log() []ServerRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]ServerRequest(nil), s.log...)
}

// ResetLog forgets the requests so far.
func (s *Server) ResetLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

// Requests returns how many requests came.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.log)
}

// Faults returns how many requests a fault befell.
func (s *Server) Faults() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// MostInFlight returns how many requests were under way at once at most. A request is under way until the last byte of its
// answer is about to be sent; one that its client has given up, until the server finds out.
func (s *Server) MostInFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/")
	inBucket := true
	if s.opt.Bucket != "" {
		key, inBucket = strings.CutPrefix(key, s.opt.Bucket)
		key = strings.TrimPrefix(key, "/")
	}
	value, found, fault := s.enter(r, key)
	leave := sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inFlight--
	})
	defer leave()

	if s.opt.Hook != nil && s.opt.Hook(w, r) {
		return
	}
	if s.opt.Latency > 0 {
		time.Sleep(s.opt.Latency)
	}
	if status, wait, ok := fault.status(); ok {
		if wait {
			w.Header().Set("Retry-After", "1")
		}
		http.Error(w, fmt.Sprintf("a fault: %s", fault), status)
		return
	}
	switch {
	case !inBucket:
		http.Error(w, "<Error><Code>NoSuchBucket</Code></Error>", http.StatusNotFound)
	case key == "" && r.URL.Query().Get("list-type") == "2":
		s.list(w, r)
	case !found && s.opt.Private:
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
	case !found:
		http.Error(w, "<Error><Code>NoSuchKey</Code></Error>", http.StatusNotFound)
	case r.Method == http.MethodHead && s.opt.NoHead:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case r.Method != http.MethodHead && r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		s.serve(w, r, value, fault, leave)
	}
}

// enter counts a request, finds its value, and draws its fault, or "".
func (s *Server) enter(r *http.Request, key string) (value []byte, found bool, fault ServerFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, ServerRequest{Method: r.Method, Key: key, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Range: r.Header.Get("Range"), Header: r.Header.Clone()})
	s.inFlight++
	s.most = max(s.most, s.inFlight)

	id := fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Range"))
	s.before[id]++
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", id, s.before[id])
	u := rand.New(rand.NewPCG(s.opt.Seed, h.Sum64())).Float64()
	if s.opt.Rate > 0 && u < s.opt.Rate*float64(len(s.opt.Faults)) {
		fault = s.opt.Faults[min(int(u/s.opt.Rate), len(s.opt.Faults)-1)]
		s.faults++
	}
	value, found = s.files[key]
	return value, found, fault
}

// status is the status of the faults that are one.
func (f ServerFault) status() (status int, wait, ok bool) {
	if f == WholeValue {
		return 0, false, false
	}
	number, _, _ := strings.Cut(string(f), " ")
	status, err := strconv.Atoi(number)
	return status, f == RetryAfter, err == nil
}

// serve answers with value or a part of it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, value []byte, fault ServerFault, leave func()) {
	header := w.Header()
	tag := etag(value)
	if !s.opt.NoETag {
		header.Set("ETag", tag)
		if match := r.Header.Get("If-Match"); match != "" && match != tag {
			http.Error(w, "", http.StatusPreconditionFailed)
			return
		}
	}
	if s.opt.Hash {
		sum := crc32.Checksum(value, crc32.MakeTable(crc32.Castagnoli))
		header.Set("X-Goog-Hash", "crc32c="+base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)))
	}
	header.Set("Content-Type", "application/octet-stream")

	status, body := http.StatusOK, value
	spec := r.Header.Get("Range")
	if s.opt.NoRange || fault == WholeValue || r.Method == http.MethodHead || s.opt.NoSuffix && strings.HasPrefix(spec, "bytes=-") {
		spec = ""
	}
	if spec != "" {
		first, last, ok := parseRange(spec, int64(len(value)))
		if !ok {
			if !s.opt.NoTotal {
				header.Set("Content-Range", fmt.Sprintf("bytes */%d", len(value)))
			}
			http.Error(w, "", http.StatusRequestedRangeNotSatisfiable)
			return
		}
		status, body = http.StatusPartialContent, value[first:last+1]
		if fault == WrongRange {
			first, last = first+1, last+1
		}
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(value)))
	}
	if status != http.StatusOK || !s.opt.Chunked {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if fault == WrongBytes && len(body) > 0 {
		body = append([]byte(nil), body...)
		body[len(body)/2] ^= 4
	}
	half := body[:len(body)/2]
	switch {
	case r.Method == http.MethodHead || len(body) == 0:
		leave()
		w.WriteHeader(status)
	case fault == Reset:
		leave()
		reset(w, status, half)
	case fault == Truncated:
		leave()
		w.WriteHeader(status)
		w.Write(half)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(status)
		w.Write(body[:len(body)-1])
		leave()
		w.Write(body[len(body)-1:])
	}
}

// reset sends a header and a part of its body, and resets the connection.
func reset(w http.ResponseWriter, status int, part []byte) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	fmt.Fprintf(buf, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	w.Header().Write(buf)
	io.WriteString(buf, "\r\n")
	buf.Write(part)
	buf.Flush()
	if c, ok := conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
}

// parseRange parses one range of RFC 9110 (14.1.2). It is not ok if no byte of it is in a value of size bytes.
func parseRange(spec string, size int64) (first, last int64, ok bool) {
	spec, ok = strings.CutPrefix(spec, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !ok || !dash {
		return 0, 0, false
	}
	last, err := strconv.ParseInt(cmp.Or(to, strconv.FormatInt(size-1, 10)), 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if from == "" {
		first, last = max(size-last, 0), size-1
	} else if first, err = strconv.ParseInt(from, 10, 64); err != nil {
		return 0, 0, false
	}
	last = min(last, size-1)
	return first, last, first <= last
}
