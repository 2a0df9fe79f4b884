package harness

import (
	"runtime/debug"

	"zarrbench/internal/buildinfo"
)

// commit returns the commit that this binary was built from, with -dirty if files were changed, or "" if the Go command did not
// note it: go test -c notes it with -buildvcs=true.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return buildinfo.Commit(info)
}
