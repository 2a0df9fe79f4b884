package summary

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/perf/benchfmt"
)

// FuzzNew holds that whatever the files say, a report has all their measurements, once, and can be written as JSON.
func FuzzNew(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		text = text[:min(len(text), 1200)] // of longer ones, the fuzzer spends a minute on making each that it finds smaller
		f.Add(text, []byte{})
		f.Add(text[:bytes.LastIndexByte(text, '\n')+1], text)
	}
	for _, text := range []string{
		"Benchmark 1 2 B/op\n", "Benchmark-2 1 2 ns/op 3 loss\n", "BenchmarkA/gomaxprocs=3-4 1 2 ns/op\nBenchmarkA 1 2 ns/op\n", "BenchmarkX 1 1e-320 ns/op\nBenchmarkX 1 -1e100 B/s\n",
		"é: x\nBenchmarkX 1 1 \xff\xfe\nE: \xff\n", "Path: X: path=\nBenchmarkX\u00a01 0x1p-3 data-crc32\n", "Unit  x assume=exact\nBenchmarkX 1 1 x 1 y\n",
		"BenchmarkX 1 1 nsMB/op 5 B/op\n",
	} {
		f.Add([]byte(text), []byte(text))
		f.Add([]byte(text), []byte("BenchmarkX 1 1 ns/op\n"))
	}
	f.Fuzz(func(t *testing.T, base, to []byte) {
		in := []Input{{"base.txt", base}, {"dir/new.txt", to}}
		if len(to) == 0 {
			in = in[:1]
		}
		r, err := New(in, Options{})
		if err != nil {
			return
		}
		checkReport(t, r)
		for i, input := range in {
			want := count(input.Text)
			got := 0
			for _, row := range r.Rows {
				for _, u := range row.Units {
					if s := u.Sides[i]; s != nil {
						got += len(s.Samples)
						for _, raw := range s.Raw {
							if raw == "" || !bytes.Contains(input.Text, []byte(raw)) { // a number is ASCII
								t.Errorf("%s: raw %q isn't in the file", u.Name, raw)
							}
						}
					}
				}
			}
			if got != want {
				t.Errorf("%s: %d measurements, want %d", input.Path, got, want)
			}
		}
		document, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal(document, &back); err != nil || len(back.Rows) != len(r.Rows) {
			t.Errorf("%v: %d rows of %d", err, len(back.Rows), len(r.Rows))
		}
	})
}

// count returns how many measurements a text has.
func count(text []byte) (n int) {
	r := benchfmt.NewReader(bytes.NewReader(text), "")
	for r.Scan() {
		if rec, ok := r.Result().(*benchfmt.Result); ok {
			n += len(rec.Values)
		}
	}
	return n
}
