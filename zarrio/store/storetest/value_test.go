package storetest_test

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"zarrbench/zarrio/store"
	"zarrbench/zarrio/store/storetest"
)

// readValue reads an open value of key whole and says what it got.
func readValue(t *testing.T, v store.Value, off int64) string {
	t.Helper()
	dst := make([]byte, 100)
	n, _, err := v.ReadRange(t.Context(), dst, off)
	if err != nil {
		return err.Error()
	}
	return string(dst[:n])
}

func TestFaultsValue(t *testing.T) {
	f := newFaults(t)
	v, err := f.OpenValue(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if f.Total() != 0 {
		t.Errorf("%d reads before the first", f.Total())
	}
	steps := []struct {
		fault storetest.Fault
		off   int64
		want  string
	}{
		{storetest.Fault{Value: []byte("new")}, -2, "ew"},
		{storetest.Fault{}, 5, "56789"},
		{storetest.Fault{Cut: 3}, -2, "56"},
		{storetest.Fault{Short: 4}, 0, "012345"},
	}
	for i, tt := range steps {
		f.Set("a", tt.fault)
		if got := readValue(t, v, tt.off); got != tt.want {
			t.Errorf("fault %+v: read %q, want %q", tt.fault, got, tt.want)
		}
		if got := f.Reads("a"); got != i+1 {
			t.Errorf("Reads(a) = %d, want %d", got, i+1)
		}
	}
	f.Set("a", storetest.Fault{After: 1, Err: fs.ErrPermission})
	for i := range 3 {
		_, _, err := v.ReadRange(t.Context(), nil, 0)
		if e, ok := errors.AsType[*store.KeyError](err); errors.Is(err, fs.ErrPermission) != (i >= 1) || i >= 1 && (!ok || e.Key != "a") {
			t.Errorf("read %d: %v", i, err)
		}
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}

	f.Set("none", storetest.Fault{Value: []byte("here")})
	v, err = f.OpenValue(t.Context(), "none")
	if err != nil {
		t.Fatal(err)
	}
	if got := readValue(t, v, 0); got != "here" {
		t.Errorf("a value that is only a fault: %q", got)
	}
	f.Clear()
	if _, _, err := v.ReadRange(t.Context(), nil, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the fault: %v, want fs.ErrNotExist", err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecorder(t *testing.T) {
	storetest.Run(t, func(t *testing.T, files map[string][]byte) store.Store {
		return storetest.NewRecorder(newDir(t, files))
	})

	r := storetest.NewRecorder(newDir(t, map[string][]byte{"a": []byte("0123456789")}))
	v, err := r.OpenValue(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if got := readValue(t, v, -3); got != "789" {
		t.Errorf("read %q", got)
	}
	if got := read(t.Context(), r, "a", 2); got != "23456789 of 10" {
		t.Errorf("read %q", got)
	}
	r.OpenValue(t.Context(), "none")
	if got, want := r.Reads("a"), []storetest.Read{{Off: -3, Len: 100}, {Off: 2, Len: 100}}; !slices.Equal(got, want) {
		t.Errorf("Reads(a) = %v, want %v", got, want)
	}
	if r.Opens("a") != 1 || r.Opens("none") != 1 || r.Opens("b") != 0 {
		t.Errorf("Opens = %d, %d, %d, want 1, 1, 0", r.Opens("a"), r.Opens("none"), r.Opens("b"))
	}
	if opens, reads := r.Total(); opens != 2 || reads != 2 {
		t.Errorf("Total() = %d, %d, want 2, 2", opens, reads)
	}
	r.Clear()
	if opens, reads := r.Total(); opens != 0 || reads != 0 {
		t.Errorf("Total() after Clear = %d, %d", opens, reads)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}
