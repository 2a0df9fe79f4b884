//go:build !(amd64 || arm64) || purego

package moments

// hasKernel is false: there is only the definition.
const hasKernel = false

// addGroups is lanes.add for groups*Lanes elements at x.
func addGroups(*lanes, *float32, float64, int) { panic("moments: no kernel") }
