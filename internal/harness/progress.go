package harness

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A progress shows on stderr how far a row is: by a bar on a terminal, elsewhere by a line now and then. A row that takes less
// than quietFor shows nothing. stdout has only the results.
type progress struct {
	name    string
	samples int // an epoch
	done    int
	start   time.Time
	said    time.Time
	bar     *progressbar.ProgressBar
}

const (
	quietFor = 5 * time.Second
	sayEvery = 15 * time.Second
)

func newProgress(name string, samples int) *progress {
	now := time.Now()
	return &progress{name: name, samples: samples, start: now, said: now}
}

// add counts n more samples.
func (p *progress) add(n int) {
	p.done += n
	now := time.Now()
	if now.Sub(p.start) < quietFor {
		return
	}
	epochs := float64(p.done) / float64(max(p.samples, 1))
	if term.IsTerminal(int(os.Stderr.Fd())) {
		if p.bar == nil {
			p.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(p.name),
				progressbar.OptionShowIts(), progressbar.OptionSetItsString("samples"), progressbar.OptionClearOnFinish(),
				progressbar.OptionThrottle(200*time.Millisecond))
		}
		_ = p.bar.Set(p.done)
		return
	}
	if now.Sub(p.said) >= sayEvery {
		p.said = now
		fmt.Fprintf(os.Stderr, "%s: %.1f epochs in %v, %.0f samples/s\n", p.name, epochs, now.Sub(p.start).Round(time.Second), float64(p.done)/now.Sub(p.start).Seconds())
	}
}

// finish clears the bar.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
