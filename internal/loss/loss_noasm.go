//go:build !(amd64 || arm64) || purego

package loss

// hasKernel is false: there is but the definition.
const hasKernel = false

func squaredError(a, b []float32) float64 { return squaredErrorGeneric(a, b) }
