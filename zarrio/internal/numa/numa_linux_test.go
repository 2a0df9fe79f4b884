package numa

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

const device = "0000:01:00.0"

// machine writes a folder that tells of nodes with CPUs, and of the device on one of them.
func machine(t *testing.T, cpus []string, node string) string {
	t.Helper()
	sys := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(sys, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("devices/system/node/has_cpu", fmt.Sprintf("0-%d", len(cpus)-1))
	if len(cpus) == 1 {
		write("devices/system/node/has_cpu", "0")
	}
	for i, list := range cpus {
		write(fmt.Sprintf("devices/system/node/node%d/cpulist", i), list)
	}
	write("bus/pci/devices/"+device+"/numa_node", node)
	return sys
}

func affinity(t *testing.T) unix.CPUSet {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestEnter moves a thread to the node of a device, and back.
func TestEnter(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := affinity(t)
	own := 0
	for !before.IsSet(own) {
		own++
	}
	n := OfPCI(machine(t, []string{"9000", fmt.Sprintf("%d,9001-9003", own)}, "1"), device)
	if n == nil || n.String() != "NUMA node 1" {
		t.Fatalf("%+v, want node 1 with CPU %d", n, own)
	}
	if affinity(t) != before {
		t.Error("looking has moved the thread")
	}
	leave, err := n.Enter()
	if err != nil {
		t.Fatal(err)
	}
	if now := affinity(t); now.Count() != 1 || !now.IsSet(own) {
		t.Errorf("the thread may run on %d CPUs, want number %d alone", now.Count(), own)
	}
	if err := leave(); err != nil || affinity(t) != before {
		t.Errorf("the thread has not come back: %v", err)
	}
}

// TestNowhere has nothing to choose.
func TestNowhere(t *testing.T) {
	for name, sys := range map[string]string{
		"no folder":      filepath.Join(t.TempDir(), "nothing"),
		"one node":       machine(t, []string{"0-1023"}, "0"),
		"not told":       machine(t, []string{"0-1023", "9000"}, "-1"),
		"no number":      machine(t, []string{"0-1023", "9000"}, "x"),
		"no such node":   machine(t, []string{"0-1023", "9000"}, "2"),
		"no list":        machine(t, []string{"0-1023", "a-b"}, "1"),
		"not our CPUs":   machine(t, []string{"0-1023", "9000"}, "1"),
		"a node of none": machine(t, []string{"0-1023", ""}, "1"),
	} {
		if n := OfPCI(sys, device); n != nil {
			t.Errorf("%s: %v", name, n)
		}
	}
	if n := OfPCI(machine(t, []string{"0-1023", "0-1023"}, "1"), "0000:02:00.0"); n != nil {
		t.Errorf("another device: %v", n)
	}
	var none *Node
	leave, err := none.Enter()
	if err != nil || leave() != nil {
		t.Errorf("no node: %v", err)
	}
}

func TestParseList(t *testing.T) {
	for text, want := range map[string][]int{"": nil, "0": {0}, "0-2,5\n": {0, 1, 2, 5}, "7,3": {7, 3}} {
		if got, err := parseList(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "1-", "-1", "3-2", "1,,2", "0-99999999999", "0-65536", "1-2-3"} {
		if got, err := parseList(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}
