//go:build !purego

package moments

import "golang.org/x/sys/cpu"

// hasKernel reports whether this CPU can run addGroups.
var hasKernel = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// addGroups is lanes.add for groups*Lanes elements at x. groups must not be 0.
//
//go:noescape
func addGroups(l *lanes, x *float32, shift float64, groups int)
