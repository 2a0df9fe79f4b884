//go:build !purego

package loss

import "golang.org/x/sys/cpu"

var hasKernel = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// addGroups is addSquares for groups*Lanes elements at a and b. groups must not be 0.
//
//go:noescape
func addGroups(lanes *[Lanes]float64, a, b *float32, groups int)
