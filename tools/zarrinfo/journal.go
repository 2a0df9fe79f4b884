package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"zarrbench/internal/atomicfile"
)

// journalVersion changes if a state gets another meaning.
const journalVersion = 1

// A journal is a file beside the output that holds the state of a survey that is not finished.
type journal struct {
	path    string
	of      identity
	resumed bool // the survey goes on from what was saved
	every   time.Duration
	last    time.Time // of the last save
}

// savedState is the content of a journal.
type savedState struct {
	Version int      `json:"zarrinfo_stats"`
	Of      identity `json:"of"`
	Totals  totals   `json:"totals"`
}

// openJournal returns the journal of a survey. If there is one of the same survey, s goes on from its
// state. A journal of another survey is an error.
func (c *command) openJournal(s *survey) (*journal, error) {
	j := &journal{path: cmp.Or(c.stats.out, c.stats.listBad) + ".partial", of: c.identity(s), every: c.stats.saveEvery, last: time.Now()}
	text, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	var saved savedState
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err = d.Decode(&saved)
	if _, end := d.Token(); err == nil && end != io.EOF {
		err = errors.New("data after the end")
	}
	if err == nil && saved.Version != journalVersion {
		err = fmt.Errorf("version %d, want %d", saved.Version, journalVersion)
	}
	what := ""
	if err == nil {
		if what = j.of.differs(&saved.Of); what == "" {
			err = s.fits(&saved.Totals)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s, the state of an interrupted run, can't be used: %w: delete it to begin anew", j.path, err)
	}
	if what != "" {
		return nil, fmt.Errorf("%s is the state of an interrupted run with another %s: repeat that run's command, or delete the file to begin anew", j.path, what)
	}
	s.totals = saved.Totals
	for _, b := range s.Bad {
		s.bad[b.Step] = true
	}
	j.resumed = true
	return j, nil
}

// fits returns an error if totals can't be a state of s.
func (s *survey) fits(t *totals) error {
	switch {
	case t.Next < s.steps.first || t.Next > s.steps.end:
		return fmt.Errorf("step %d is not one of %d to %d", t.Next, s.steps.first, s.steps.end)
	case len(t.Channels) != len(s.channels):
		return fmt.Errorf("%d channels, want %d", len(t.Channels), len(s.channels))
	}
	for i := range t.Channels {
		if n := len(s.opt.offsets); len(t.Channels[i].Differences) != n || len(t.Channels[i].Pairs) != n {
			return fmt.Errorf("channel %q has %d differences, want %d", s.channels[i], len(t.Channels[i].Differences), n)
		}
	}
	return nil
}

// save writes the state if the last one was written some time ago.
func (j *journal) save(t *totals) error {
	if time.Since(j.last) < j.every {
		return nil
	}
	return j.flush(t)
}

func (j *journal) flush(t *totals) error {
	text, err := json.Marshal(savedState{journalVersion, j.of, *t})
	if err != nil {
		return err
	}
	j.last = time.Now()
	return atomicfile.Write(j.path, append(text, '\n'))
}
