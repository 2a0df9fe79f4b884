package progress

import (
	"bytes"
	"strings"
	"testing"
)

func TestProgress(t *testing.T) {
	var buf bytes.Buffer
	show := lines(&buf, "synthetic store", 0)
	show(State{Done: 1e6, Total: 2e6})
	show(State{Done: 2e6, Total: 2e6})
	if want := "synthetic store: 1 of 2 MB after 0 s\nsynthetic store: 2 of 2 MB after 0 s\n"; buf.String() != want {
		t.Errorf("lines wrote %q, want %q", buf.String(), want)
	}
	buf.Reset()
	show = lines(&buf, "era5", 0)
	show(State{Done: 0, Total: 2e6, Moved: 3e6})
	show(State{Done: 1e6, Total: 2e6, Moved: 5e6, Retries: 2})
	for _, want := range []string{"era5: 0 of 2 MB", ", 3 MB moved, ", "era5: 1 of 2 MB", ", 5 MB moved, 2 retries, ", " MB/s, about ", " left\n"} {
		if !strings.Contains(buf.String(), want) {
			t.Errorf("lines wrote %q, want %q in it", buf.String(), want)
		}
	}
	buf.Reset()
	lines(&buf, "era5", lineEvery)(State{Done: 1, Total: 2})
	if buf.Len() != 0 {
		t.Errorf("a line at once: %q", buf.String())
	}
	show, finish := bar(&buf, "era5")
	finish() // nothing was shown
	show(State{Done: 1e6, Total: 2e6, Moved: 5e6})
	finish()
	if !strings.Contains(buf.String(), "era5, 5 MB moved") {
		t.Errorf("bar wrote %q", buf.String())
	}
}
