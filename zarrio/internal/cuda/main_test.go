//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"zarrbench/internal/cudaemu"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		loadChild()
		os.Exit(0)
	}
	os.Exit(cudaemu.Main(m))
}

// childVariable makes this executable a child that loads the library it finds and says how that went.
const childVariable = "ZARRBENCH_CUDA_LOAD"

// A loaded is what a child says.
type loaded struct {
	Step, Call, Name, Text string
	Code                   int
	Version, Count         int
	Emulated               bool
}

func loadChild() {
	var l loaded
	d, err := Load()
	if err != nil {
		l.Text = err.Error()
		if load, ok := errors.AsType[*LoadError](err); ok {
			l.Step = load.Step
		}
		if e, ok := errors.AsType[*Error](err); ok {
			l.Call, l.Code, l.Name = e.Call, e.Code, e.Name
		}
	} else {
		l.Version, l.Count, l.Emulated = d.Version(), d.Count(), d.Emulated()
	}
	b, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}
