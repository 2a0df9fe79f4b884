package summary

import (
	"fmt"
	"strings"
)

// IsEpoch says whether a row times epochs, of which the study's sentence speaks.
func IsEpoch(name string) bool { return name == "Epoch" || strings.HasPrefix(name, "Epoch/") }

// sentence compares the medians of two sides in the study's words: "gds uses 25.98% less time than host".
func sentence(base, to string, u *Unit) string {
	c := u.Change
	if !c.Significant {
		return fmt.Sprintf("no significant difference between %s and %s (%s, %s)", base, to, PValue(c.P), counts(u))
	}
	more := "less"
	share := (u.Sides[0].Median - u.Sides[1].Median) / u.Sides[0].Median
	if share < 0 {
		more, share = "more", -share
	}
	return fmt.Sprintf("%s uses %.2f%% %s time than %s", to, 100*share, more, base)
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
