//go:build !purego

package loss

// hasKernel is true since NEON is part of every arm64.
const hasKernel = true

// addGroups is addSquares for groups*Lanes elements at a and b. groups must not be 0.
//
//go:noescape
func addGroups(lanes *[Lanes]float64, a, b *float32, groups int)
