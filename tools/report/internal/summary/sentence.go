package summary

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// IsEpoch reports whether a row times epochs. The study's sentence is about these rows.
func IsEpoch(name string) bool { return name == "Epoch" || strings.HasPrefix(name, "Epoch/") }

// sentence compares the medians of two sides in the study's words: "gds uses 25.98% less time than host". doubt is what takes the
// claim back, or "".
func sentence(base, to string, u *Unit, doubt string) string {
	var claim string
	c := u.Change
	switch share := (u.Sides[0].Median - u.Sides[1].Median) / u.Sides[0].Median; {
	case !c.Significant:
		claim = fmt.Sprintf("no significant difference between %s and %s (%s, %s)", base, to, PValue(c.P), counts(u))
	case share <= -1:
		claim = fmt.Sprintf("%s takes %s times as long as %s", to, twoDigits(1-share), base)
	case share < 0:
		claim = fmt.Sprintf("%s uses %s more time than %s", to, u.share(-share), base)
	default:
		claim = fmt.Sprintf("%s uses %s less time than %s", to, u.share(share), base)
	}
	if doubt != "" {
		claim += ", but " + doubt
	}
	return claim
}

// manySamples is how many samples a side has whose median is worth more than two digits: those of the study.
const manySamples = 10

// share writes a share of time in per cent: with two decimals, as the study did, if both sides have many samples, else with two
// digits.
func (u *Unit) share(v float64) string {
	for _, s := range u.Sides {
		if !u.Exact && len(s.Samples) < manySamples {
			return twoDigits(100*v) + "%"
		}
	}
	return fmt.Sprintf("%.2f%%", 100*v)
}

// twoDigits writes a positive number with two digits: 3.7, 12, 120.
func twoDigits(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 1, 64), 64)
	if err != nil || math.IsInf(rounded, 0) {
		return "?"
	}
	decimals := 0
	if rounded > 0 {
		decimals = max(0, 1-int(math.Floor(math.Log10(rounded))))
	}
	return strconv.FormatFloat(rounded, 'f', decimals, 64)
}

// Percent writes a change with a sign: "-25.98%", with two digits if there are few samples, or "?" where the base is 0.
func (u *Unit) Percent() string {
	switch c := u.Change; {
	case math.IsInf(c.Ratio, 0) || math.IsNaN(c.Ratio):
		return "?"
	case c.Ratio < 0:
		return "-" + u.share(-c.Ratio)
	default:
		return "+" + u.share(c.Ratio)
	}
}

// counts says how many samples a unit's sides have: "n=10", or "n=10+9".
func counts(u *Unit) string {
	a, b := len(u.Sides[0].Samples), len(u.Sides[1].Samples)
	if a == b {
		return fmt.Sprintf("n=%d", a)
	}
	return fmt.Sprintf("n=%d+%d", a, b)
}

// PValue writes a p value: "p=0.042", or "p<0.001".
func PValue(p float64) string {
	if p < 0.001 {
		return "p<0.001"
	}
	return fmt.Sprintf("p=%.3f", p)
}
