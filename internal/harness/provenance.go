package harness

import (
	"runtime/debug"

	"zarrbench/internal/buildinfo"
)

// commit returns the commit that this binary was built from, with -dirty if files were changed. It is "" if the binary doesn't
// have it: go test -c records it only with -buildvcs=true.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return buildinfo.Commit(info)
}
