//go:build !purego

package moments

// hasKernel is true since NEON is part of every arm64.
const hasKernel = true

// addGroups is lanes.add for groups*Lanes elements at x. groups must not be 0.
//
//go:noescape
func addGroups(l *lanes, x *float32, shift float64, groups int)
