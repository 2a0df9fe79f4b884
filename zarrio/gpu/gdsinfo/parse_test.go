package gdsinfo

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseDriver(t *testing.T) {
	for text, want := range map[string][2]string{
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\nGCC version: 12.3.0": {"570.124.06", "open"},
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Mon Feb 26":                                  {"535.161.08", "proprietary"},
		"NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.65  Release Build":                         {"580.65", "open"},
		"something else\n535.1": {"", "proprietary"},
		"":                      {"", "proprietary"},
	} {
		if version, kind := parseDriver(text); version != want[0] || kind != want[1] {
			t.Errorf("%q: %q, %q; want %q", text, version, kind, want)
		}
	}
}

func TestParseBAR1(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int64
	}{
		{"small", "0xa0000000 0xa0ffffff 0x40200\n0x6000000000 0x600fffffff 0x14220c\n0x0 0x0 0x0\n0x6010000000 0x6011ffffff 0x14220c\n", 256 << 20},
		{"data centre", "0x60000000000 0x60000ffffff 0x14220c\n0x0 0x0 0x0\n0x58000000000 0x59fffffffff 0x14220c\n0x0 0x0 0x0\n0x5a000000000 0x5a001ffffff 0x14220c\n", 128 << 30},
		{"no memory", "0xe000 0xe07f 0x40101\n0x1000 0x1fff 0x40101\n", 0},
		{"backwards", "0xa0000000 0xa0ffffff 0x40200\n0x2000 0x1000 0x40200\n", 0},
		{"all there is", "0xa0000000 0xa0ffffff 0x40200\n0x0 0xffffffffffffffff 0x40200\n", 0},
		{"ROM", strings.Repeat("0x0 0x0 0x0\n", 5) + "0xa0000000 0xa0ffffff 0x40200\n0xb0000000 0xb0ffffff 0x40200\n", 0},
		{"nothing", "", 0},
		{"no numbers", "a b c\n", 0},
	} {
		if got := parseBAR1(tt.text); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestParseStats(t *testing.T) {
	for text, want := range map[string]map[string]int64{
		"Reads\t\t: n=12 ok=11 err=1 readMiB=44 io_state_err=0\nReads : Bandwidth(MiB/s)=5 Avg\nWrites : n=3 ok=3\nSparse Reads : n=9\n": {"n": 12, "ok": 11, "err": 1, "readMiB": 44},
		"Reads : n=x ok= err\n": {},
		"Reads n=4":             {},
		"":                      {},
	} {
		if got := parseStats(text); !maps.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string][]int{"570.124.06": {570, 124, 6}, "6.8.0-45-generic": {6, 8, 0}, "x86_64": nil, "": nil, "5": {5}, "5.": {5}} {
		if got, _ := numbers(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	for _, tt := range []struct {
		version string
		want    bool
	}{{"6.2.0", true}, {"6.2", true}, {"6.1.99", false}, {"7", true}, {"6", false}, {"10.0", true}, {"", false}, {"unknown", false}} {
		if got := atLeast(tt.version, 6, 2); got != tt.want {
			t.Errorf("%q at least 6.2: %v", tt.version, got)
		}
	}
}

func TestFindMount(t *testing.T) {
	const table = "22 27 0:21 / /proc rw - proc proc rw\n" +
		"27 1 8:1 / / rw,relatime shared:1 master:2 - ext4 /dev/root rw,data=ordered\n" +
		"half a line\n" +
		"28 27 259:3 / /data rw - xfs /dev/nvme1n1 rw\n" +
		"29 27 0:40 / /data rw - btrfs /dev/nvme2n1 rw,subvol=/\n" +
		"30 29 0:41 / /data/with\\040space\\134\\0x rw - tmpfs none\n"
	for dir, want := range map[string]mount{
		"/":                         {"8:1", "/", "rw,relatime,rw,data=ordered", "ext4", "/dev/root"},
		"/database":                 {"8:1", "/", "rw,relatime,rw,data=ordered", "ext4", "/dev/root"},
		"/data":                     {"0:40", "/data", "rw,rw,subvol=/", "btrfs", "/dev/nvme2n1"},
		"/data/x":                   {"0:40", "/data", "rw,rw,subvol=/", "btrfs", "/dev/nvme2n1"},
		`/data/with space\\0x/more`: {"0:41", `/data/with space\\0x`, "rw", "tmpfs", "none"},
	} {
		if got, ok := findMount(table, dir); !ok || got != want {
			t.Errorf("%s: %+v (%v), want %+v", dir, got, ok, want)
		}
	}
	if m, ok := findMount("28 27 259:3 / /data rw - xfs /dev/nvme1n1 rw\n", "/home"); ok {
		t.Errorf("a directory that no mount holds: %+v", m)
	}
}

func TestCached(t *testing.T) {
	const cache = "head\x00/usr/lib/libc.so.6\x00libcufile.so.0\x00/opt/a/libcufile.so.0\x00/opt/b/libcufile.so.0\x00/opt/c/libcufile.so.0.1\x00"
	if got := cached(cache); !slices.Equal(got, []string{"/opt/a", "/opt/b"}) {
		t.Errorf("%q", got)
	}
}

func TestParseConfig(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                      "",
		"// all\n{\"a\": \"//\"}": "",
		"{\n\n \"properties\": }": "line 3: ",
		`{"properties": {"allow_compat_mode": "yes"}}`: "cannot unmarshal",
		"": "line 1: ",
	} {
		var c config
		if err := c.parse(text); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) && !strings.Contains(err.Error(), "unmarshal") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzUncomment checks that comments are taken away, nothing else is, and that no input is too odd.
func FuzzUncomment(f *testing.F) {
	for _, s := range []string{"", "/", "//", "/*", "/* */", "/*/", `"`, `"\`, `"//"`, `"\"//"//x`, "{\n// a\n\"b\": 1 /* c\n */ }", "[1,/**/2]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := uncomment([]byte(s))
		if len(got) != len(s) || strings.Count(string(got), "\n") != strings.Count(s, "\n") {
			t.Errorf("%q became %q", s, got)
		}
		if json.Valid([]byte(s)) && string(got) != s {
			t.Errorf("%q has no comments, and became %q", s, got)
		}
		if again := uncomment(got); string(again) != string(got) {
			t.Errorf("%q has comments left: %q", s, got)
		}
	})
}

// FuzzParse checks that nothing that a machine may tell is too odd.
func FuzzParse(f *testing.F) {
	f.Add("36 35 98:0 / /a\\040b rw,noatime master:1 - ext4 /dev/sda1 rw,data=ordered", "/a b")
	f.Add("0xa0000000 0xa0ffffff 0x40200\n0x6000000000 0x600fffffff 0x14220c\n", "/")
	f.Add("Reads : n=12 ok=11 err=1 readMiB=44\n", "")
	f.Fuzz(func(t *testing.T, text, dir string) {
		if m, ok := findMount(text, dir); ok && m.point != "/" && !strings.HasPrefix(dir, m.point) {
			t.Errorf("%q lies in %+v", dir, m)
		}
		if n := parseBAR1(text); n < 0 {
			t.Errorf("%q: %d bytes", text, n)
		}
		parseStats(text)
		parseDriver(text)
		cached(text)
	})
}
