//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/numa"
)

// TestGPUNode: where the machine has several memory nodes, the workers run on the GPU's, and leave their threads as they were.
func TestGPUNode(t *testing.T) {
	var before unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))
	cpu := 0
	for !before.IsSet(cpu) {
		cpu++
	}
	g := testGPU(t, 0)
	dev := g
	sys := t.TempDir()
	for name, text := range map[string]string{
		"devices/system/node/has_cpu":                          "0-1",
		"devices/system/node/node1/cpulist":                    fmt.Sprint(cpu),
		"bus/pci/devices/" + dev.dev.PCIBusID() + "/numa_node": "1",
	} {
		path := filepath.Join(sys, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o666))
	}
	dev.node = numa.OfPCI(sys, dev.dev.PCIBusID())
	host, cufile := must(t)(NewHost(g, HostOptions{Workers: 3})), must(t)(NewGDS(g, GDSOptions{Workers: 3}))
	for name, e := range map[string]Engine{"host": host, "gds": cufile} {
		if want := "(3 workers on NUMA node 1, "; !strings.Contains(e.String(), want) {
			t.Errorf("%s: %v, want %q in it", name, e, want)
		}
		core := &host.(*hostEngine).core
		if name == "gds" {
			core = &cufile.(*gdsEngine).core
		}
		for i, w := range core.workers {
			var now unix.CPUSet
			var err error
			w.Do(func() { err = unix.SchedGetaffinity(0, &now) })
			if err != nil || now.Count() != 1 || !now.IsSet(cpu) {
				t.Errorf("%s: worker %d may run on %d CPUs, want number %d alone: %v", name, i, now.Count(), cpu, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
