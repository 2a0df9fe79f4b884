package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"zarrbench/internal/moments"
	"zarrbench/internal/statsfile"
	"zarrbench/zarrio"
)

// judge returns what is wrong with the fields of a step, for -list-bad.
func (s *survey) judge(step int, fields []moments.Sums) []badReason {
	var reasons []badReason
	for c := range fields {
		if reason := s.judgeField(&fields[c]); reason != "" {
			reasons = append(reasons, badReason{step, s.channels[c], reason})
		}
	}
	return reasons
}

func (s *survey) judgeField(f *moments.Sums) string {
	share := float64(f.Missing) / float64(max(f.Missing+f.Count, 1))
	switch {
	case share > s.opt.badShare:
		return fmt.Sprintf("%.4g%% of the values are NaN", 100*share)
	case f.Infinite():
		return "has infinite values"
	}
	return ""
}

func (s *survey) addBad(step int, reasons []badReason) {
	s.bad[step] = true
	s.Bad = append(s.Bad, reasons...)
}

// readSingle reads one step alone. If the step is bad, readSingle adds it to the list with a reason for
// each channel, or returns the error if there is no list.
func (s *survey) readSingle(ctx context.Context, step int) error {
	if s.singles == nil {
		opt := s.options(s.channels)
		opt.Retain, opt.OnSample = s.reach, s.onSample
		var err error
		if s.singles, err = s.newLoader(ctx, opt); err != nil {
			return err
		}
	}
	var failed *zarrio.ChunkError
	if err := s.singles.Seek(0, step); err != nil {
		return err
	}
	for b, err := range s.singles.Batches(ctx) {
		switch {
		case err == nil:
			return s.use(ctx, b)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, &failed):
			return err
		case step < s.Next:
			return nil // listed before
		case s.opt.listBad == "":
			return fmt.Errorf("at %s: %w (-list-bad lists such steps, and leaves them out)", s.steps.name(step), err)
		}
		break
	}
	reasons, err := s.diagnose(ctx, step)
	if err != nil {
		return err
	}
	if len(reasons) == 0 { // each channel can be read now
		reasons = []badReason{{step, failed.Array, newFault(failed).reason()}}
	}
	s.addBad(step, reasons)
	s.Next = step + 1
	return s.save(&s.totals)
}

// diagnose reads the channels of a step one by one, and returns what is wrong with each.
func (s *survey) diagnose(ctx context.Context, step int) ([]badReason, error) {
	var reasons []badReason
	for c, name := range s.channels {
		reason, err := s.diagnoseChannel(ctx, step, c)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			reasons = append(reasons, badReason{step, name, reason})
		}
	}
	return reasons, nil
}

func (s *survey) diagnoseChannel(ctx context.Context, step, c int) (reason string, err error) {
	names := []string{s.channels[c]}
	path, _, _ := strings.Cut(names[0], "@")
	a, err := s.group.Array(ctx, path)
	if err != nil {
		return "", err
	}
	if !slices.Contains(a.Dims(), stepDim) { // a loader needs a channel that has steps
		names = append(names, s.stepped)
	}
	l, err := s.newLoader(ctx, s.options(names))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.Seek(0, step); err != nil {
		return "", err
	}
	for b, err := range l.Batches(ctx) {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if failed, ok := errors.AsType[*zarrio.ChunkError](err); ok {
			if failed.Array != a.Path() {
				return "", nil // that is told of the other channel
			}
			return newFault(failed).reason(), nil
		}
		if err != nil {
			return "", err
		}
		sums, err := moments.Plane(field(b, 0, slices.Index(l.Channels(), names[0])), nil)
		if err != nil {
			return "", err
		}
		return s.judgeField(&sums), nil
	}
	return "", nil
}

// reasons returns the list of bad steps as its file has it.
func (s *survey) reasons() []statsfile.Reason {
	var list []statsfile.Reason
	for _, b := range s.Bad {
		list = append(list, statsfile.Reason{Time: s.steps.name(b.Step), Channel: b.Channel, Reason: b.Reason})
	}
	return list
}
