package summary

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A run writes benchmark output.
type run struct {
	head   string   // lines above the rows
	name   string   // of the row; Epoch/a where it is empty
	times  []int    // ns/op
	digest string   // data-crc32; 1 where it is empty, none where it is "-"
	more   string   // other metrics
	each   []string // other metrics, of each sample
	tail   string   // lines below
}

func (r run) String() string {
	var b strings.Builder
	b.WriteString(r.head)
	if r.head != "" {
		b.WriteByte('\n')
	}
	name := r.name
	if name == "" {
		name = "Epoch/a"
	}
	for i, t := range r.times {
		fmt.Fprintf(&b, "Benchmark%s\t1\t%d ns/op", name, t)
		switch r.digest {
		case "-":
		case "":
			b.WriteString("\t1 data-crc32")
		default:
			fmt.Fprintf(&b, "\t%s data-crc32", r.digest)
		}
		if r.more != "" {
			b.WriteString("\t" + r.more)
		}
		if r.each != nil {
			b.WriteString("\t" + r.each[i])
		}
		b.WriteByte('\n')
	}
	return b.String() + r.tail
}

var (
	slow = []int{200, 201, 202, 203, 204, 205}
	fast = []int{100, 101, 102, 103, 104, 105}

	long    = slices.Repeat([]int{2e9}, 6)
	brief   = slices.Repeat([]int{40e6}, 6)
	briefer = slices.Repeat([]int{20e6}, 6)
)

// findings writes what a report found, refusals in capitals: "DATA Epoch/a: text".
func findings(r *Report) []string {
	var list []string
	for i, all := range [][]Finding{r.Refusals, r.Warnings} {
		for _, f := range all {
			kind := f.Kind
			if i == 0 {
				kind = strings.ToUpper(kind)
			}
			list = append(list, strings.TrimSpace(kind+" "+f.Row)+": "+f.Text)
		}
	}
	return list
}

const (
	better  = "gds uses 49% less time than host" // fast against slow: 102.5 against 202.5
	but     = ", but host read from memory, gds from the disk"
	warning = "cache Epoch/a: host read from the page cache, gds past it"
)

func TestFindings(t *testing.T) {
	host, gds := "Engine: host (8)\nEndpoint: device", "Engine: gds (8)\nEndpoint: device"
	direct := "Path: Epoch/a: path=true GDS, epochs=6\n"
	for _, tt := range []struct {
		name      string
		texts     []fmt.Stringer
		sentences []string
		want      []string // each is the beginning of a finding
	}{
		{"nothing to find", []fmt.Stringer{run{head: host, times: slow}, run{head: gds, times: fast, tail: direct}}, []string{better}, nil},
		{"one file", []fmt.Stringer{run{head: host, times: slow}}, nil, nil},

		{"digests", []fmt.Stringer{run{head: host, times: slow, digest: "1"}, run{head: gds, times: fast, digest: "2", tail: direct}}, nil,
			[]string{"DATA Epoch/a: data-crc32 is 1 in host and 2 in gds: the runs did not have the same data"}},
		{"digests that are one number", []fmt.Stringer{run{head: host, times: slow, digest: "1"}, run{head: gds, times: fast, digest: "1.0", tail: direct}}, nil,
			[]string{"DATA Epoch/a: data-crc32 is 1 in host and 1.0 in gds"}},
		{"digests that are one float64", []fmt.Stringer{run{head: host, times: slow, digest: "9007199254740993"}, run{head: gds, times: fast, digest: "9007199254740992", tail: direct}}, nil,
			[]string{"DATA Epoch/a: data-crc32 is 9007199254740993 in host and 9007199254740992 in gds"}},
		{"a digest of a codec's row", []fmt.Stringer{run{name: "Decode", times: slow, digest: "1"}, run{name: "Decode", times: fast, digest: "2"}}, nil,
			[]string{"DATA Decode: data-crc32 is 1 in a and 2 in b"}},
		{"losses", []fmt.Stringer{run{head: host, times: slow, more: "3.5 loss"}, run{head: gds, times: fast, more: "3.50 loss", tail: direct}}, nil,
			[]string{"LOSS Epoch/a: loss is 3.5 in host and 3.50 in gds"}},
		{"a digest on one side", []fmt.Stringer{run{head: host, times: slow}, run{head: gds, times: fast, digest: "-", tail: direct}}, nil,
			[]string{"DATA Epoch/a: data-crc32 is 1 in host and missing in gds: nothing proves"}},
		{"a digest of some runs", []fmt.Stringer{run{head: host, times: slow}, run{head: gds, times: fast[:1], digest: "-", tail: run{times: fast}.String() + direct}}, nil,
			[]string{"DATA Epoch/a: data-crc32 is 1 in host and 1, missing in gds: nothing proves"}},
		{"no digest", []fmt.Stringer{run{head: host, times: slow, digest: "-"}, run{head: gds, times: fast, digest: "-", tail: direct}}, []string{better},
			[]string{"data Epoch/a: Neither side has a data-crc32"}},
		{"no digest of a codec's row", []fmt.Stringer{run{name: "Decode", times: slow, digest: "-"}, run{name: "Decode", times: fast, digest: "-"}}, nil, nil},
		{"a digest that varies", []fmt.Stringer{run{head: host, times: slow, tail: run{times: slow, digest: "2"}.String()}, run{head: gds, times: fast, tail: direct}}, nil,
			[]string{"DATA Epoch/a: data-crc32 is 1, 2 in host and 1 in gds"}},
		{"a digest that varies in one file", []fmt.Stringer{run{times: slow, tail: run{times: slow, digest: "2"}.String()}}, nil,
			[]string{"exact Epoch/a: data-crc32 must not vary from run to run, but does in a: 1, 2."}},
		{"one row of two", []fmt.Stringer{run{times: slow, tail: run{name: "Epoch/b", times: slow, digest: "7"}.String()}, run{times: fast, tail: run{name: "Epoch/b", times: fast}.String()}},
			[]string{"b uses 49% less time than a"}, []string{"DATA Epoch/b: data-crc32 is 7 in a and 1 in b"}},

		{"endpoints", []fmt.Stringer{run{head: "Engine: cpu\nEndpoint: host", times: slow}, run{head: gds, times: fast, tail: direct}}, nil,
			[]string{"ENDPOINT: cpu ends in the memory of the host, gds in that of the GPU"}},
		{"other endpoints", []fmt.Stringer{run{head: "Engine: cpu\nEndpoint: disk", times: slow}, run{head: gds, times: fast, tail: direct}}, nil,
			[]string{"ENDPOINT: cpu ends in the memory of disk, gds in that of the GPU"}},
		{"one endpoint", []fmt.Stringer{run{head: "Engine: host", times: slow}, run{head: gds, times: fast, tail: direct}}, []string{better},
			[]string{"endpoint: host doesn't say in which memory it ends"}},
		{"mixed engines", []fmt.Stringer{run{head: host, times: slow, tail: run{head: gds, times: fast}.String()}, run{head: host, times: fast, tail: direct}}, nil,
			[]string{"ENGINE: host+gds has results of several engines (Engine: host, gds)", "path Epoch/a: No line Path:"}},
		{"mixed endpoints of one file", []fmt.Stringer{run{head: host, times: slow, tail: run{head: "Endpoint: host", times: fast}.String()}}, nil,
			[]string{"endpoint: host ends in several memories (Endpoint: device, host)"}},

		{"the page cache on one side", []fmt.Stringer{run{head: host + "\ncache: warm", times: slow}, run{head: gds + "\ncache: warm", times: fast, tail: direct}}, []string{better + but},
			[]string{warning}},
		{"the page cache as it was", []fmt.Stringer{run{head: host + "\ncache: as-is", times: slow}, run{head: gds + "\ncache: as-is", times: fast, tail: direct}}, []string{better + but},
			[]string{warning}},
		{"past the page cache on both sides", []fmt.Stringer{run{head: strings.Replace(host, "(", "(4 workers, direct, ", 1) + "\ncache: warm", times: slow, tail: "Path: Epoch/a: path=host, epochs=6\n"},
			run{head: gds + "\ncache: warm", times: fast, tail: direct}}, []string{better}, nil},
		{"the page cache on the other side", []fmt.Stringer{run{head: gds + "\ncache: warm", times: slow, tail: direct}, run{head: host + "\ncache: warm", times: fast}},
			[]string{"host uses 49% less time than gds" + but}, []string{warning}},
		{"compatibility mode reads past the page cache", []fmt.Stringer{run{head: host + "\ncache: warm", times: slow},
			run{head: gds + "\ncache: warm", times: fast, tail: "Path: Epoch/a: path=cuFile compat, epochs=6\n"}}, []string{"gds (path cuFile compat) uses 49% less time than host" + but},
			[]string{"path Epoch/a: The bytes of gds took the path cuFile compat, not true GDS", warning}},
		{"kvikIO's doesn't", []fmt.Stringer{run{head: host + "\ncache: warm", times: slow},
			run{head: gds + "\ncache: warm", times: fast, tail: "Path: Epoch/a: path=kvikIO compat, epochs=6\n"}}, []string{"gds (path kvikIO compat) uses 49% less time than host"},
			[]string{"path Epoch/a: The bytes of gds took the path kvikIO compat, not true GDS"}},
		{"cold on both sides", []fmt.Stringer{run{head: host + "\ncache: cold", times: slow}, run{head: gds + "\ncache: cold", times: fast, tail: direct}}, []string{better}, nil},
		{"cold, perhaps", []fmt.Stringer{run{head: host + "\ncache: cold-unverified", times: slow}}, nil,
			[]string{"cache: host dropped its files from the page cache, but"}},
		{"unequal cache states", []fmt.Stringer{run{head: "cache: cold\nsteps: 4", times: slow, tail: run{name: "Epoch/b", times: slow}.String()},
			run{head: "cache: warm\nsteps: 4", times: fast, tail: run{name: "Epoch/b", times: fast}.String()}}, nil,
			[]string{"MISSING: No row of a has its like in b",
				"cache Epoch/a cache:cold: The row is not compared, since the runs are not alike: cache is cold in a and warm in b.",
				"cache Epoch/b cache:cold: The row is not compared"}},
		{"unequal configuration", []fmt.Stringer{run{times: slow, tail: run{head: "steps: 4", name: "Epoch/b", times: slow}.String()},
			run{times: fast, tail: run{head: "steps: 5\nlayout: padded", name: "Epoch/b", times: fast}.String()}}, []string{"b uses 49% less time than a"},
			[]string{"config Epoch/b steps:4: The row is not compared, since the runs are not alike: steps is 4 in a and 5 in b, layout is not given in a and padded in b."}},
		{"other processors", []fmt.Stringer{run{name: "Epoch/a-2", times: slow}, run{name: "Epoch/a", times: fast}}, []string{"b uses 49% less time than a, but a had 2 processors, b 1"},
			[]string{"config Epoch/a: a ran on 2 processors, b on 1."}},
		{"several numbers of processors", []fmt.Stringer{run{name: "Epoch/a-2", times: slow, tail: run{name: "Epoch/a-4", times: slow}.String()}, run{name: "Epoch/a-2", times: fast}},
			[]string{"b uses 49% less time than a"}, []string{"missing Epoch/a gomaxprocs:4: The row is in a, but not in b."}},
		{"no number of processors in both", []fmt.Stringer{run{name: "Epoch/a-2", times: slow, tail: run{name: "Epoch/a-4", times: slow}.String()}, run{name: "Epoch/a-8", times: fast}}, nil,
			[]string{"MISSING: No row of a has its like in b",
				"config Epoch/a gomaxprocs:2: The row is not compared, since the runs are not alike: it ran on 2 processors in a and on 8 in b.",
				"config Epoch/a gomaxprocs:4: The row is not compared, since the runs are not alike: it ran on 4 processors in a and on 8 in b."}},
		{"other machines", []fmt.Stringer{run{head: "Machine: x, 2 CPUs", times: slow}, run{head: "Machine: y, 2 CPUs", times: fast}}, []string{"b uses 49% less time than a, but the machines differ"},
			[]string{"config: The files are of different machines, or of one that is set up differently: a ran on x, 2 CPUs, b on y, 2 CPUs."}},
		{"missing rows", []fmt.Stringer{run{times: slow, tail: run{name: "Epoch/b", times: slow}.String()}, run{times: fast, tail: run{name: "Epoch/c", times: fast}.String()}},
			[]string{"b uses 49% less time than a"}, []string{"missing Epoch/b: The row is in a, but not in b.", "missing Epoch/c: The row is in b, but not in a."}},

		{"a steady ceiling", []fmt.Stringer{run{times: slow, each: ceilings(100, 114)}}, nil, nil},
		{"an unsteady ceiling", []fmt.Stringer{run{times: long, each: ceilings(100, 117)}}, nil,
			[]string{"ceiling Epoch/a: The raw ceiling varied by 16% within the run of a (100 to 117 s)"}},
		{"short epochs", []fmt.Stringer{run{head: "steps: 16", times: brief, each: ceilings(100, 117), tail: run{name: "Epoch/b", times: briefer, each: ceilings(100, 130)}.String()}}, nil,
			[]string{"short: The epochs of a are too short to be steady, 20 to 40 ms: the raw ceiling varied by up to 26%. With 800 steps rather than 16 (make's STEPS, or a longer store) each takes a second."}},
		{"short epochs of two files", []fmt.Stringer{run{times: brief, each: ceilings(100, 117)}, run{times: brief, each: ceilings(100, 117)}},
			[]string{"no significant difference between a and b (p=1.000, n=6)"},
			[]string{"samples Epoch/a: No difference", "short: The epochs of a and b are too short to be steady, 40 ms: the raw ceiling varied by up to 16%. A store of more steps has longer ones."}},
		{"no ceiling", []fmt.Stringer{run{times: slow, each: ceilings(0, 0)}}, nil, nil},
		{"one ceiling", []fmt.Stringer{run{times: slow[:1], more: "5 ceiling-sec"}}, nil, []string{"samples Epoch/a: a has too few samples, 1: need >= 6 samples"}},

		{"no difference", []fmt.Stringer{run{times: slow}, run{times: []int{205, 200, 204, 201, 203, 202}}}, []string{"no significant difference between a and b (p=1.000, n=6)"},
			[]string{"insignificant Epoch/a: The difference of sec/op is not significant (p=1.000, n=6)."}},
		{"too few samples", []fmt.Stringer{run{times: slow[:3]}, run{times: fast[:2]}}, []string{"no significant difference between a and b (p=0.200, n=3+2)"},
			[]string{"samples Epoch/a: a has too few samples, 3", "samples Epoch/a: b has too few samples, 2", "samples Epoch/a: No difference can be told: need >= 4 samples"}},
		{"enough for the test alone", []fmt.Stringer{run{times: slow[:4]}, run{times: fast[:4]}}, []string{"b uses 50% less time than a"},
			[]string{"samples Epoch/a: a has too few samples, 4", "samples Epoch/a: b has too few samples, 4"}},
		{"more time", []fmt.Stringer{run{times: fast}, run{times: slow}}, []string{"b uses 98% more time than a"}, nil},
		{"no time at all", []fmt.Stringer{run{times: make([]int, 6)}, run{times: fast}}, nil, nil},
		{"no sentence but of epochs", []fmt.Stringer{run{name: "Epochs/a", times: slow}, run{name: "Epochs/a", times: fast}}, nil, nil},
		{"an epoch without parameters", []fmt.Stringer{run{name: "Epoch-4", times: slow}, run{name: "Epoch-4", times: fast}}, []string{"b uses 49% less time than a"}, nil},

		{"three times the time", []fmt.Stringer{run{times: fast}, run{times: []int{382, 382, 382, 382, 382, 382}}}, []string{"b takes 3.7 times as long as a"}, nil},
		{"emulated on one side", []fmt.Stringer{run{head: host, times: slow}, run{head: gds + "\nNote: emulated: timings mean nothing", times: fast, tail: direct}},
			[]string{better + ", but gds ran on an emulated GPU, whose times mean nothing"}, []string{"emulated: gds"}},
		{"cold, perhaps, of two files", []fmt.Stringer{run{head: host + "\ncache: cold-unverified", times: slow}, run{head: gds + "\ncache: cold-unverified", times: fast, tail: direct}},
			[]string{better + ", but whether they read from memory or from the disk is not known"}, []string{"cache: host", "cache: gds"}},
		{"emulated", []fmt.Stringer{run{head: host + "\nNote: emulated: timings mean nothing", times: slow}}, nil, []string{"emulated: host ran on an emulated GPU"}},
		{"mixed paths", []fmt.Stringer{run{head: gds, times: slow, tail: direct + "Path: Epoch/a: path=host, epochs=6\n"}}, nil,
			[]string{"path Epoch/a: The bytes of gds took the path true GDS and host, not true GDS"}},
		{"host takes its own path", []fmt.Stringer{run{head: host, times: slow, tail: "Path: Epoch/a: path=host, epochs=6\n"}}, nil, nil},
		{"no path", []fmt.Stringer{run{head: gds, times: slow}}, nil, []string{"path Epoch/a: No line Path: says which way the bytes of gds took"}},

		{"an exact unit varies", []fmt.Stringer{run{head: "Unit read-B/op assume=exact", times: slow, each: []string{"1 read-B/op", "1 read-B/op", "2 read-B/op", "3 read-B/op", "4 read-B/op", "5 read-B/op"}}}, nil,
			[]string{"exact Epoch/a: read-B/op must not vary from run to run, but does in a: 1, 2, 3, 4 and 1 more."}},
		{"bytes read in a shuffled order", []fmt.Stringer{run{head: "Unit read-B/op assume=exact\nshuffle: 1", times: slow, each: []string{"1 read-B/op", "1 read-B/op", "2 read-B/op", "3 read-B/op", "4 read-B/op", "5 read-B/op"}}}, nil, nil},
		{"a failure", []fmt.Stringer{run{times: slow, tail: "--- FAIL: BenchmarkEpoch/b\n    x.go:1: no\nFAIL\n"}}, nil,
			[]string{"failed: a tells of a failure in line 7 (--- FAIL: BenchmarkEpoch/b)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var texts []string
			for _, r := range tt.texts {
				texts = append(texts, r.String())
			}
			r := of(t, texts...)
			var sentences []string
			for _, s := range r.Sentences {
				sentences = append(sentences, s.Text)
			}
			if !slices.Equal(sentences, tt.sentences) {
				t.Errorf("sentences %q, want %q", sentences, tt.sentences)
			}
			got := findings(r)
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			checkReport(t, r)
		})
	}
}

func ceilings(low, high int) []string {
	list := slices.Repeat([]string{fmt.Sprintf("%d ceiling-sec", (low+high)/2)}, len(slow))
	list[1], list[4] = fmt.Sprintf("%d ceiling-sec", low), fmt.Sprintf("%d ceiling-sec", high)
	return list
}

// checkReport holds what is true of every report.
func checkReport(t *testing.T, r *Report) {
	t.Helper()
	refused := map[string]bool{}
	for _, f := range r.Refusals {
		refused[f.Row] = true
	}
	if len(r.Refusals) > 0 && len(r.Files) != 2 {
		t.Errorf("a refusal without a comparison: %+v", r.Refusals)
	}
	for _, s := range r.Sentences {
		if refused[""] || refused[s.Row] || !strings.HasPrefix(s.Row, "Epoch") {
			t.Errorf("a sentence of a row that has none: %+v", s)
		}
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		for _, u := range row.Units {
			if len(u.Sides) != len(r.Files) {
				t.Errorf("%s, %s: %d sides, want %d", row.Key(), u.Name, len(u.Sides), len(r.Files))
			}
			all := true
			for _, s := range u.Sides {
				if s == nil {
					all = false
					continue
				}
				if !(s.Low <= s.Median && s.Median <= s.High) || !(s.StdDev >= 0) || len(s.Samples) == 0 || u.Exact != (len(s.Raw) == len(s.Samples)) {
					t.Errorf("%s, %s: %+v", row.Key(), u.Name, *s)
				}
			}
			want := len(r.Files) == 2 && all && !refused[""] && !refused[row.Key()]
			if (u.Change != nil) != want {
				t.Errorf("%s, %s: change %+v, want one: %v", row.Key(), u.Name, u.Change, want)
			}
			if c := u.Change; c != nil && row.Doubt != "" && !c.Unjudged {
				t.Errorf("%s, %s: judged, but %s", row.Key(), u.Name, row.Doubt)
			}
			if c := u.Change; c != nil && (!(c.P >= 0 && c.P <= 1) || c.Ratio != c.Ratio || c.Worse && u.Better == Neither) {
				t.Errorf("%s, %s: %+v", row.Key(), u.Name, *c)
			}
		}
	}
}
