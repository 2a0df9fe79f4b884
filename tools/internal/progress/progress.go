// Package progress shows how far a command's work is: by a bar on a terminal, otherwise by a line now and then.
package progress

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

// A State is how far the work is.
type State struct {
	Done, Total int64 // bytes of decoded fields
	Moved       int64 // bytes that came over the network; 0 if none do
	Retries     int64
}

// note says what came over the network.
func (s State) note() string {
	if s.Moved == 0 {
		return ""
	}
	text := fmt.Sprintf(", %d MB moved", s.Moved/1e6)
	if s.Retries > 0 {
		text += fmt.Sprintf(", %d retries", s.Retries)
	}
	return text
}

// New returns what shows how far the work called name is, and what clears up at the end: a bar where w is a terminal,
// otherwise a line now and then.
func New(w io.Writer, name string) (show func(State), finish func()) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return bar(w, name)
	}
	return lines(w, name, lineEvery), func() {}
}

func bar(w io.Writer, name string) (show func(State), finish func()) {
	var b *progressbar.ProgressBar
	show = func(s State) {
		if b == nil {
			b = progressbar.NewOptions64(s.Total, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(name),
				progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish())
		}
		b.Describe(name + s.note())
		_ = b.Set64(s.Done) // a terminal that is gone is no reason to stop
	}
	finish = func() {
		if b != nil {
			_ = b.Clear()
		}
	}
	return show, finish
}

func lines(w io.Writer, name string, every time.Duration) func(State) {
	start := time.Now()
	last := start
	var before int64 // that was there before the first call
	first := true
	return func(s State) {
		now := time.Now()
		if first {
			before, first = s.Done, false
		}
		if now.Sub(last) < every {
			return
		}
		last = now
		took := now.Sub(start)
		text := fmt.Sprintf("%s: %d of %d MB after %.0f s", name, s.Done/1e6, s.Total/1e6, took.Seconds())
		if s.Moved > 0 && took > 0 {
			text += fmt.Sprintf("%s, %.1f MB/s", s.note(), float64(s.Moved)/1e6/took.Seconds())
		}
		if done := s.Done - before; s.Moved > 0 && done > 0 {
			left := time.Duration(float64(took) * float64(s.Total-s.Done) / float64(done))
			text += fmt.Sprintf(", about %v left", left.Round(time.Second))
		}
		fmt.Fprintln(w, text)
	}
}
