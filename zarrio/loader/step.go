package loader

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"zarrbench/zarrio/meta"
)

// A Step is an offset along the step dimension: N indices, or the time Time if ByTime is true. The
// zero Step is an offset of no indices.
//
// In text and in JSON, a number counts indices, such as 2 or "-1", and a duration is a time, such
// as "-6h", "0h" or "10d". Durations are those of [time.ParseDuration], after days if there are
// any, as in "1d12h".
type Step struct {
	N      int
	Time   time.Duration
	ByTime bool
}

// ParseStep parses a step's text.
func ParseStep(s string) (Step, error) {
	n, err := strconv.Atoi(s)
	switch {
	case err == nil && (n > math.MaxInt32 || n < -math.MaxInt32):
		return Step{}, fmt.Errorf("step %q is too large: want -%d to %d", s, math.MaxInt32, math.MaxInt32)
	case err == nil:
		return Step{N: n}, nil
	}
	d, err := parseDuration(s)
	if err != nil {
		return Step{}, err
	}
	return Step{Time: d, ByTime: true}, nil
}

// parseDuration parses a duration with days, if any, in front.
func parseDuration(s string) (time.Duration, error) {
	fail := func() (time.Duration, error) {
		return 0, fmt.Errorf("step %q: want a number of steps, such as 2 or -1, or a duration, such as -6h or 10d", s)
	}
	rest := strings.TrimLeft(s, "+-")
	sign := s[:len(s)-len(rest)]
	if len(sign) > 1 || rest == "" {
		return fail()
	}
	var days int64
	if before, after, ok := strings.Cut(rest, "d"); ok {
		n, err := strconv.ParseUint(before, 10, 32)
		if err != nil {
			return fail()
		}
		days, rest = int64(n), after
		if rest == "" {
			rest = "0h"
		}
	}
	// time.ParseDuration takes a further sign, and a zero without a unit.
	if strings.ContainsAny(rest, "+-") || rest == "0" {
		return fail()
	}
	d, err := time.ParseDuration(sign + rest)
	if err != nil {
		return fail()
	}
	const day = 24 * time.Hour
	if days > int64(math.MaxInt64/day) {
		return 0, fmt.Errorf("step %q is too long: want at most %d days", s, math.MaxInt64/day)
	}
	whole := time.Duration(days) * day
	if sign == "-" {
		whole = -whole
	}
	sum, fits := addTime(int64(whole), int64(d))
	if !fits {
		return 0, fmt.Errorf("step %q is too long: want at most %d days", s, math.MaxInt64/day)
	}
	return time.Duration(sum), nil
}

// String returns the step's text. A time of whole hours is in hours, such as "240h".
func (s Step) String() string {
	if !s.ByTime {
		return strconv.Itoa(s.N)
	}
	return spellDuration(s.Time)
}

// spellDuration returns the text of a duration: in hours, minutes or seconds if it is a whole
// number of them.
func spellDuration(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%unit.size == 0 {
			return strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		}
	}
	return d.String()
}

// MarshalText returns the step's text.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText parses a step's text.
func (s *Step) UnmarshalText(text []byte) error {
	step, err := ParseStep(string(text))
	if err == nil {
		*s = step
	}
	return err
}

// MarshalJSON returns a number of indices, or the text of a time.
func (s Step) MarshalJSON() ([]byte, error) {
	if !s.ByTime {
		return strconv.AppendInt(nil, int64(s.N), 10), nil
	}
	return json.Marshal(s.String())
}

// UnmarshalJSON parses a number of indices, or a step's text.
func (s *Step) UnmarshalJSON(doc []byte) error {
	text := string(doc)
	if !isNumber(doc) {
		var err error
		if text, err = jsonText(doc, "a number of steps or a duration"); err != nil {
			return err
		}
	}
	return s.UnmarshalText([]byte(text))
}

// isNumber reports whether a JSON value is a number.
func isNumber(doc []byte) bool {
	return len(doc) > 0 && (doc[0] == '-' || doc[0] >= '0' && doc[0] <= '9')
}

// jsonText returns a JSON value that is a string. The text want describes the wanted value in the
// error.
func jsonText(doc []byte, want string) (string, error) {
	var text *string
	if json.Unmarshal(doc, &text) != nil || text == nil {
		return "", fmt.Errorf("want %s, found %s", want, meta.Quote(doc))
	}
	return *text, nil
}

// addTime returns a+b, or false if that overflows.
func addTime(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}
