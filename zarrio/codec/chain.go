package codec

import (
	"errors"
	"fmt"
)

// A Chain decodes what several codecs encoded one after the other. It may be used by many goroutines at once, each with a
// Scratch of its own.
type Chain struct {
	steps []Decoder
	fixed int // how many of the last steps have a decoded length that follows from the chain's
}

// maxSteps bounds the codecs of a chain, so that their lengths fit a fixed array.
const maxSteps = 16

// NewChain returns the chain of the steps, which are listed in the order of decoding.
func NewChain(steps ...Decoder) (*Chain, error) {
	if len(steps) > maxSteps {
		return nil, fmt.Errorf("%d codecs one after the other; at most %d are supported: %w", len(steps), maxSteps, errors.ErrUnsupported)
	}
	c := &Chain{steps: steps}
	for i := len(steps) - 1; i >= 0; i-- {
		c.fixed++
		if _, ok := steps[i].(Fixed); !ok {
			break
		}
	}
	for _, d := range steps[:len(steps)-c.fixed] {
		_, fixed := d.(Trimmer)
		if _, sizer := d.(Sizer); !sizer && !fixed {
			return nil, fmt.Errorf("%s before a compressor: its decoded length can't be known: %w", d.Name(), errors.ErrUnsupported)
		}
	}
	return c, nil
}

// A StepError says which codec of a chain failed.
type StepError struct {
	Name string // as Decoder.Name gives it
	Err  error
}

func (e *StepError) Error() string { return fmt.Sprintf("%s: %v", e.Name, e.Err) }

func (e *StepError) Unwrap() error { return e.Err }

// Len returns the number of steps.
func (c *Chain) Len() int { return len(c.steps) }

// Steps returns the steps in the order of decoding; they must not be changed.
func (c *Chain) Steps() []Decoder { return c.steps }

// PartDecoder returns the chain's only step if that is a [PartDecoder], else nil: the parts of what another step made can't be
// decoded alone, and a checksum is one of all bytes.
func (c *Chain) PartDecoder() PartDecoder {
	if len(c.steps) != 1 {
		return nil
	}
	d, _ := c.steps[0].(PartDecoder)
	return d
}

// EncodedLen returns the encoded length of n decoded bytes, or false if it doesn't follow from n.
func (c *Chain) EncodedLen(n int) (int, bool) {
	for i := len(c.steps) - 1; i >= 0; i-- {
		f, ok := c.steps[i].(Fixed)
		if !ok {
			return 0, false
		}
		var err error
		if n, err = f.EncodedLen(n); err != nil {
			return 0, false
		}
	}
	return n, true
}

// EncodedLimit bounds the encoded length of n decoded bytes: no compressor makes noise much longer than it was.
func (c *Chain) EncodedLimit(n int) int {
	for i := len(c.steps) - 1; i >= 0; i-- {
		switch d := c.steps[i].(type) {
		case Fixed:
			if m, err := d.EncodedLen(n); err == nil {
				n = m
			}
		case Bounded:
			n = d.EncodedLimit(n)
		default:
			n += n/8 + 64<<10
		}
	}
	return n
}

// Decode decodes src into dst, whose length is exactly that of the decoded bytes. If spans is not nil, only these bytes of dst need
// be right, as for a [PartialDecoder]. Its errors are *StepError. dst must not overlap src.
func (c *Chain) Decode(dst, src []byte, spans []Span, s *Scratch) error {
	var lens [maxSteps]int // of the decoded bytes of each step, from the first that is known
	n := len(dst)
	for i := len(c.steps) - 1; i >= len(c.steps)-c.fixed; i-- {
		lens[i] = n
		if f, ok := c.steps[i].(Fixed); ok && i > 0 {
			var err error
			if n, err = f.EncodedLen(n); err != nil {
				return &StepError{f.Name(), err}
			}
		}
	}
	last, turn := len(c.steps)-1, 0
	for i, d := range c.steps {
		var out []byte
		var err error
		t, trims := d.(Trimmer)
		switch {
		case trims:
			if out, err = t.Trim(src); err == nil && i > last-c.fixed && len(out) != lens[i] {
				err = fmt.Errorf("decodes to %d bytes, expected %d", len(out), lens[i])
			}
		case i == last:
			out = dst
			if p, ok := d.(PartialDecoder); ok && spans != nil {
				err = p.DecodeSpans(dst, src, spans, s)
			} else {
				err = d.Decode(dst, src, s)
			}
		default:
			n := lens[i]
			if i <= last-c.fixed {
				n, err = d.(Sizer).DecodedLen(src, c.middleLimit(i, len(dst)), s)
			}
			if err == nil {
				out = s.middle(turn, n)
				turn++
				err = d.Decode(out, src, s)
			}
		}
		if err != nil {
			return &StepError{d.Name(), err}
		}
		src = out
	}
	if len(dst) == 0 || len(src) > 0 && &src[0] == &dst[0] {
		return nil
	}
	if len(c.steps) == 0 && len(src) != len(dst) {
		return &StepError{"bytes", fmt.Errorf("%d bytes, expected %d", len(src), len(dst))}
	}
	if spans == nil {
		copy(dst, src)
	}
	for _, p := range spans {
		copy(dst[p.Lo:p.Hi], src[p.Lo:p.Hi])
	}
	return nil
}

// middleLimit bounds the decoded length of step i of a chain that decodes to n bytes.
func (c *Chain) middleLimit(i, n int) int {
	rest := Chain{steps: c.steps[i+1:]}
	return rest.EncodedLimit(n)
}

// DecodeAll decodes src to as many bytes as it has, but no more than limit. They are in src or in s, and valid until either
// is used again.
func (c *Chain) DecodeAll(src []byte, limit int, s *Scratch) ([]byte, error) {
	turn := 0
	for _, d := range c.steps {
		if t, ok := d.(Trimmer); ok {
			var err error
			if src, err = t.Trim(src); err != nil {
				return nil, &StepError{d.Name(), err}
			}
			continue
		}
		z, ok := d.(Sizer)
		if !ok {
			return nil, &StepError{d.Name(), errors.New("can't tell how long its decoded bytes are")}
		}
		n, err := z.DecodedLen(src, limit, s)
		if err == nil {
			out := s.middle(turn, n)
			turn++
			err = d.Decode(out, src, s)
			src = out
		}
		if err != nil {
			return nil, &StepError{d.Name(), err}
		}
	}
	return src, nil
}

// middle returns memory for what a step decodes to. Steps that need some have one of two buffers in turn; one that only trims
// takes no turn, as what it returns lies in the buffer of the step before.
func (s *Scratch) middle(turn, n int) []byte { return grow(&s.mid[turn%2], n) }
