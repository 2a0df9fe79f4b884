package summary

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Fact is what a file's head says of a run, under one key.
type Fact struct {
	Key string
	// Values has one element if all files say the same, else one for each file, "" where a file doesn't say it.
	Values []string
}

// The lines of a head that tell of a whole run, in the order in which they are shown.
var headKeys = []string{"Date", "Store", "Machine", "GDS", "Engine", "Codecs", "Endpoint", "Commit", "Note"}

// Facts returns what the heads of the files say of where, when and on what the runs were: the lines of
// capital keys, and as the last the lines in lower case that all files share.
func (r *Report) Facts() []Fact {
	var facts []Fact
	for _, key := range headKeys {
		f := Fact{Key: key}
		for i := range r.Files {
			f.Values = append(f.Values, r.Files[i].Fact(key))
		}
		if !slices.ContainsFunc(f.Values, func(v string) bool { return v != "" }) {
			continue
		}
		if len(slices.Compact(slices.Clone(f.Values))) == 1 {
			f.Values = f.Values[:1]
		}
		facts = append(facts, f)
	}
	if config := r.sharedConfig(); config != "" {
		facts = append(facts, Fact{Key: "Config", Values: []string{config}})
	}
	return facts
}

// sharedConfig returns the lines in lower case that all files have.
func (r *Report) sharedConfig() string {
	var shared []string
	for _, l := range r.Files[0].Config {
		if !slices.ContainsFunc(r.Files, func(f File) bool { return !slices.Contains(f.Config, l) }) {
			shared = append(shared, l.Key+": "+l.Value)
		}
	}
	return strings.Join(shared, ", ")
}

// Fact returns what a file's head says under a key, several lines of it as one, or "" for nothing.
func (f *File) Fact(key string) string {
	if key == "Date" {
		return f.dates()
	}
	list := values(f.Notes, key)
	const most = 4 // stores that are made for a run have a name of their own in each
	if more := len(list) - most; more > 0 {
		list = append(list[:most:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, "; ")
}

// dates returns when the file's runs began: one time, or the first and the last.
func (f *File) dates() string {
	const day, clock = "2006-01-02", "15:04"
	first, last := f.First, f.Last
	switch {
	case first.IsZero():
		return ""
	case first.Format(day) != last.Format(day):
		return first.Format(day+" "+clock) + " to " + last.Format(day+" "+clock) + " UTC"
	case first.Format(clock) != last.Format(clock):
		return first.Format(day+" "+clock) + " to " + last.Format(clock) + " UTC"
	}
	return first.Format(day+" "+clock) + " UTC"
}

// addDate notes a line Date:, and reports whether it is one.
func (f *File) addDate(l Line) bool {
	if l.Key != "Date" {
		return false
	}
	at, err := time.Parse(time.RFC3339, l.Value)
	if err != nil {
		return false
	}
	at = at.UTC()
	if f.First.IsZero() || at.Before(f.First) {
		f.First = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
	return true
}

// Commit returns the commit that the file's lines Commit: name, or "" if there is none, or several.
func (f *File) Commit() string {
	if list := values(f.Notes, "Commit"); len(list) == 1 {
		return list[0]
	}
	return ""
}
