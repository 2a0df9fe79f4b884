package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineEvery is the least time between two lines of progress: a log should stay short.
const lineEvery = 5 * time.Second

// newProgress returns what shows bytes written of those to write, and what clears up at the end: a bar where w is a
// terminal, otherwise a line now and then.
func newProgress(w io.Writer) (show func(done, total int64), finish func()) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return bar(w)
	}
	return lines(w, lineEvery), func() {}
}

func bar(w io.Writer) (show func(done, total int64), finish func()) {
	var b *progressbar.ProgressBar
	show = func(done, total int64) {
		if b == nil {
			b = progressbar.NewOptions64(total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("synthetic store"),
				progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish())
		}
		_ = b.Set64(done) // a terminal that is gone is no reason to stop
	}
	finish = func() {
		if b != nil {
			_ = b.Clear()
		}
	}
	return show, finish
}

func lines(w io.Writer, every time.Duration) func(done, total int64) {
	start := time.Now()
	last := start
	return func(done, total int64) {
		now := time.Now()
		if now.Sub(last) < every {
			return
		}
		last = now
		fmt.Fprintf(w, "synthetic store: %d of %d MB after %.0f s\n", done/1e6, total/1e6, now.Sub(start).Seconds())
	}
}
