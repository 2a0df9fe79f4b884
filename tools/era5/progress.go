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

// A state is how far the work is.
type state struct {
	done, total int64 // bytes of decoded fields
	moved       int64 // bytes that came over the network; 0 where none do
	retries     int64
}

// note says what came over the network.
func (s state) note() string {
	if s.moved == 0 {
		return ""
	}
	text := fmt.Sprintf(", %d MB moved", s.moved/1e6)
	if s.retries > 0 {
		text += fmt.Sprintf(", %d retries", s.retries)
	}
	return text
}

// newProgress returns what shows how far the work called name is, and what clears up at the end: a bar where w is a terminal,
// otherwise a line now and then.
func newProgress(w io.Writer, name string) (show func(state), finish func()) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return bar(w, name)
	}
	return lines(w, name, lineEvery), func() {}
}

func bar(w io.Writer, name string) (show func(state), finish func()) {
	var b *progressbar.ProgressBar
	show = func(s state) {
		if b == nil {
			b = progressbar.NewOptions64(s.total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(name),
				progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish())
		}
		b.Describe(name + s.note())
		_ = b.Set64(s.done) // a terminal that is gone is no reason to stop
	}
	finish = func() {
		if b != nil {
			_ = b.Clear()
		}
	}
	return show, finish
}

func lines(w io.Writer, name string, every time.Duration) func(state) {
	start := time.Now()
	last := start
	var before int64 // that was there before the first call
	first := true
	return func(s state) {
		now := time.Now()
		if first {
			before, first = s.done, false
		}
		if now.Sub(last) < every {
			return
		}
		last = now
		took := now.Sub(start)
		text := fmt.Sprintf("%s: %d of %d MB after %.0f s", name, s.done/1e6, s.total/1e6, took.Seconds())
		if s.moved > 0 && took > 0 {
			text += fmt.Sprintf("%s, %.1f MB/s", s.note(), float64(s.moved)/1e6/took.Seconds())
		}
		if done := s.done - before; s.moved > 0 && done > 0 {
			left := time.Duration(float64(took) * float64(s.total-s.done) / float64(done))
			text += fmt.Sprintf(", about %v left", left.Round(time.Second))
		}
		fmt.Fprintln(w, text)
	}
}
