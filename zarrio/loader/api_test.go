package loader_test

import (
	"testing"

	"zarrbench/zarrio/internal/zarrtest"
)

// TestAPI holds the exported API: go test ./zarrio/meta -run TestAPI -update accepts a change.
func TestAPI(t *testing.T) { zarrtest.API(t) }
