//go:build !linux

package arraytest

import (
	"os"
	"time"
)

// changedAt returns when a file was last written.
func changedAt(info os.FileInfo) time.Time { return info.ModTime() }
