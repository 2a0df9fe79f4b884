package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

func TestReadAll(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 5000)
	d := openDir(t, t.TempDir())
	if err := d.Put(t.Context(), "big", big); err != nil {
		t.Fatal(err)
	}
	f := storetest.NewFaults(d)
	if got, err := store.ReadAll(t.Context(), f, "big", 1<<20); err != nil || !bytes.Equal(got, big) {
		t.Errorf("ReadAll = %d bytes, %v, want %d", len(got), err, len(big))
	}

	tests := []struct {
		name  string
		fault storetest.Fault
		limit int64
		want  string
	}{
		{"limit", storetest.Fault{}, 49_999, "50000 bytes, more than the limit of 49999"},
		{"shrinking", storetest.Fault{After: 1, Short: 1}, 1 << 20, "read 49999 of 50000 bytes"},
		{"missing", storetest.Fault{Err: fs.ErrNotExist}, 1 << 20, "file does not exist"},
		{"vanishing", storetest.Fault{After: 1, Err: fs.ErrNotExist}, 1 << 20, "file does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.Set("big", tt.fault)
			got, err := store.ReadAll(t.Context(), f, "big", tt.limit)
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(got) != 0 {
				t.Errorf("ReadAll = %d bytes, %v, want %q", len(got), err, tt.want)
			}
			if e, ok := errors.AsType[*store.KeyError](err); !ok || e.Key != "big" {
				t.Errorf("%v names no key", err)
			}
		})
	}
}

func TestCheckKey(t *testing.T) {
	good := []string{"a", "zarr.json", ".zarray", "t2m/c/0/0/0", "..a/b..", "...", "a b/ü", "a\\b", strings.Repeat("long/", 1000) + "x"}
	bad := []string{"", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "../a", "a/..", "a\x00", "\xc3"}
	for _, key := range good {
		if err := store.CheckKey(key); err != nil {
			t.Errorf("CheckKey(%.20q): %v", key, err)
		}
	}
	for _, key := range bad {
		if err := store.CheckKey(key); err != store.ErrBadKey {
			t.Errorf("CheckKey(%.20q): %v, want ErrBadKey", key, err)
		}
	}
}
