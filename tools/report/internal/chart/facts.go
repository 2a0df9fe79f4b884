package chart

import (
	"slices"
	"strings"

	"zarrbench/tools/report/internal/summary"
)

// The lines of a file's head without which a picture says nothing, and others that fit beneath one.
var (
	neededFacts = []string{"Store", "Machine", "Date"}
	otherFacts  = []string{"GDS", "Engine", "Note", "Config"}
)

// Facts returns what must be known of a picture apart from its page: what was read, where and when, by which engine and under
// which configuration. Each is a line, or a line for each side where they differ.
func Facts(r *summary.Report) []string { return factLines(r, slices.Concat(neededFacts, otherFacts)) }

// Needed returns those of Facts that say what was read, where and when.
func Needed(r *summary.Report) []string { return factLines(r, neededFacts) }

func factLines(r *summary.Report, keys []string) []string {
	if len(r.Files) == 0 {
		return nil
	}
	var lines []string
	facts := r.Facts()
	for _, key := range keys {
		i := slices.IndexFunc(facts, func(f summary.Fact) bool { return f.Key == key })
		switch {
		case i < 0 && slices.Contains(neededFacts, key):
			lines = append(lines, key+": not recorded")
		case i < 0:
		case len(facts[i].Values) == 1:
			lines = append(lines, Printable(key+": "+facts[i].Values[0]))
		default:
			for side, v := range facts[i].Values {
				if v == "" {
					v = "not recorded"
				}
				lines = append(lines, Printable(key+" of "+Label(r, side)+": "+v))
			}
		}
	}
	return lines
}

// Brief returns the store, the machine and the date in a line for a title, without what is not recorded.
func Brief(r *summary.Report) string {
	var parts []string
	for _, key := range neededFacts {
		for _, f := range r.Facts() {
			if f.Key != key {
				continue
			}
			for i, v := range f.Values {
				if v == "" {
					continue
				}
				if key == "Machine" {
					v, _, _ = strings.Cut(v, ", GOMAXPROCS")
				}
				if len(f.Values) > 1 {
					v += " (" + Label(r, i) + ")"
				}
				parts = append(parts, Printable(v))
			}
		}
	}
	return strings.Join(parts, " · ")
}

// Texts returns what findings say, each text once.
func Texts(all []summary.Finding) []string {
	var texts []string
	for _, f := range all {
		if !slices.Contains(texts, f.Text) {
			texts = append(texts, f.Text)
		}
	}
	return texts
}
