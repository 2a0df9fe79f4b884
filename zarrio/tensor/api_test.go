package tensor_test

import (
	"testing"

	"zarrbench/zarrio/internal/zarrtest"
)

// TestAPI holds the exported API: go test ./zarrio/tensor -run TestAPI -update accepts a change.
func TestAPI(t *testing.T) { zarrtest.API(t) }
