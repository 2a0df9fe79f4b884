//go:build !gds

package harness

const defaultEngine = "cpu"
