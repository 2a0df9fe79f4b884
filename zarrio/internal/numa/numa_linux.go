package numa

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Node is a memory node, and those of its CPUs that this process may run on. A nil Node is the whole machine.
type Node struct {
	number int
	cpus   unix.CPUSet
}

// OfPCI returns the node of the PCI device at an address such as "0000:01:00.0", as the folder sys, "/sys", tells it. It is nil
// where there is nothing to choose: the machine has CPUs on one node only, does not tell where the device is, or does not let this
// process choose its CPUs among those of the node.
func OfPCI(sys, address string) *Node {
	nodes, err := readList(filepath.Join(sys, "devices/system/node/has_cpu"))
	if err != nil || len(nodes) < 2 {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(sys, "bus/pci/devices", address, "numa_node"))
	if err != nil {
		return nil
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || number < 0 { // -1 where the firmware doesn't tell
		return nil
	}
	cpus, err := readList(filepath.Join(sys, fmt.Sprintf("devices/system/node/node%d/cpulist", number)))
	if err != nil {
		return nil
	}
	var may unix.CPUSet
	if unix.SchedGetaffinity(0, &may) != nil {
		return nil
	}
	n := &Node{number: number}
	for _, cpu := range cpus {
		if may.IsSet(cpu) {
			n.cpus.Set(cpu)
		}
	}
	if n.cpus.Count() == 0 {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	leave, err := n.Enter()
	if err != nil || leave() != nil {
		return nil
	}
	return n
}

func readList(path string) ([]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseList(string(text))
}

// String names the node: "NUMA node 1".
func (n *Node) String() string { return fmt.Sprintf("NUMA node %d", n.number) }

// Enter moves the calling thread, to which its goroutine is locked, to the node's CPUs. leave moves it back to where it was.
func (n *Node) Enter() (leave func() error, err error) {
	if n == nil {
		return func() error { return nil }, nil
	}
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	if err := unix.SchedSetaffinity(0, &n.cpus); err != nil {
		return nil, os.NewSyscallError("sched_setaffinity", err)
	}
	return func() error { return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &before)) }, nil
}
