//go:build !(gds && linux && (amd64 || arm64))

package main

import "testing"

func runTests(m *testing.M) int { return m.Run() }
