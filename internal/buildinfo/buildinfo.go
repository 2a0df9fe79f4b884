// Package buildinfo tells what a binary was built from.
package buildinfo

import "runtime/debug"

// Commit returns the commit that the Go command noted in info, with "-dirty" if files were changed,
// or "" if it noted none.
func Commit(info *debug.BuildInfo) string {
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}
