package gdsinfo

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// A machine is what the kernel and the driver tell.
type machine struct {
	release  string // of the kernel: "6.8.0-45-generic"
	wsl      bool
	modules  bool // /proc/modules can be read
	nvfs     bool // nvidia_fs is among the modules
	nodes    []string
	missing  string // the first of the driver's device nodes that isn't there
	driver   string // "570.124.06", "" if no driver tells
	kind     string // "open", "proprietary"
	iommu    string
	udev     bool
	gpus     []GPU
	registry string // the driver's registry words
}

// look fills m and adds its facts to rep.
func (m *machine) look(r beneath, rep *Report) {
	add := rep.add
	m.release, _ = r.read("/proc/sys/kernel/osrelease")
	m.wsl = strings.Contains(m.release, "icrosoft")
	add("system.kernel", r.value("/proc/sys/kernel/osrelease"), "/proc/sys/kernel/osrelease")
	add("system.arch", runtime.GOOS+"/"+runtime.GOARCH, "this build")
	add("system.platform", r.value("/sys/class/dmi/id/product_name"), "/sys/class/dmi/id/product_name")
	container, source := m.container(r)
	add("system.container", container, source)

	modules, err := r.read("/proc/modules")
	m.modules = err == nil
	if err != nil {
		add("system.modules", notRead(err), "/proc/modules")
	} else {
		add("system.modules", fmt.Sprint(strings.Count(modules, "\n")+min(1, len(modules))), "/proc/modules")
	}
	m.lookDriver(r, rep)
	m.lookFS(r, rep, modules)
	m.udev = r.isDir("/run/udev")
	add("system.udev", yes(m.udev), "/run/udev is a folder")
}

// lookDriver is the part of look about the GPUs and their driver.
func (m *machine) lookDriver(r beneath, rep *Report) {
	version, err := r.read("/proc/driver/nvidia/version")
	const file = "/proc/driver/nvidia/version"
	if err != nil {
		rep.add("driver.version", notRead(err), file)
	} else {
		m.driver, m.kind = parseDriver(version)
		rep.add("driver.version", cmp.Or(m.driver, "unknown"), file)
		rep.add("driver.kind", m.kind, file)
	}
	if params, err := r.read("/proc/driver/nvidia/params"); err == nil {
		m.registry = strings.Trim(field(params, "RegistryDwords", ":"), `"`)
		rep.add("driver.registry", cmp.Or(m.registry, "none"), "/proc/driver/nvidia/params")
	}
	nodes := r.glob("/dev", "nvidia")
	for _, node := range []string{"nvidiactl", "nvidia-uvm"} {
		if r.exists("/dev/" + node) {
			nodes = append(nodes, node)
		} else {
			m.missing = cmp.Or(m.missing, "/dev/"+node)
		}
	}
	if len(r.glob("/dev", "nvidia")) == 0 {
		m.missing = "/dev/nvidia0"
	}
	rep.add("driver.nodes", list(nodes), "/dev")

	for _, address := range r.names("/sys/bus/pci/devices") {
		folder := "/sys/bus/pci/devices/" + address
		vendor, _ := r.read(folder + "/vendor")
		class, _ := r.read(folder + "/class")
		if vendor != "0x10de" || !strings.HasPrefix(class, "0x03") { // display controllers: those without a screen are 0x0302
			continue
		}
		g := GPU{PCI: address}
		information, _ := r.read("/proc/driver/nvidia/gpus/" + address + "/information")
		g.Name = field(information, "Model", ":")
		if resource, err := r.read(folder + "/resource"); err == nil {
			g.BAR1 = parseBAR1(resource)
		}
		m.gpus = append(m.gpus, g)
	}
	rep.add("gpu.count", fmt.Sprint(len(m.gpus)), "/sys/bus/pci/devices")
	m.lookIOMMU(r, rep)
}

// lookIOMMU tells whether devices reach each other by the addresses that they are given, which nvidia-fs needs.
func (m *machine) lookIOMMU(r beneath, rep *Report) {
	source := "/sys/class/iommu"
	m.iommu = "off"
	if len(r.names("/sys/class/iommu")) > 0 {
		m.iommu = "on"
		line, _ := r.read("/proc/cmdline")
		words := strings.Fields(line)
		if slices.Contains(words, "iommu=pt") || slices.Contains(words, "iommu.passthrough=1") {
			m.iommu, source = "passthrough", "/proc/cmdline"
		}
		for _, g := range m.gpus {
			file := "/sys/bus/pci/devices/" + g.PCI + "/iommu_group/type"
			if kind, err := r.read(file); err == nil { // what the kernel made of it counts more than what it was told
				m.iommu, source = "on, "+kind, file
				if kind == "identity" {
					m.iommu = "passthrough"
				}
				break
			}
		}
	}
	rep.add("iommu.state", m.iommu, source)
}

// lookFS is the part of look about the kernel module nvidia-fs.
func (m *machine) lookFS(r beneath, rep *Report, modules string) {
	for line := range strings.Lines(modules) {
		if name, _, _ := strings.Cut(line, " "); name == "nvidia_fs" {
			m.nvfs = true
		}
	}
	// In a container, and where it is built in, the module shows by its files alone.
	m.nvfs = m.nvfs || r.exists("/proc/driver/nvidia-fs/version")
	rep.add("nvidia-fs.module", yes(m.nvfs), "/proc/modules, /proc/driver/nvidia-fs")
	version := r.value("/proc/driver/nvidia-fs/version")
	rep.add("nvidia-fs.version", strings.TrimSpace(strings.TrimPrefix(version, "version:")), "/proc/driver/nvidia-fs/version")
	m.nodes = r.glob("/dev", "nvidia-fs")
	rep.add("nvidia-fs.nodes", list(m.nodes), "/dev")
	if !m.nvfs {
		return
	}
	rep.add("nvidia-fs.modules", strings.Join(strings.Fields(r.value("/proc/driver/nvidia-fs/modules")), " "), "/proc/driver/nvidia-fs/modules")
	stats, err := r.read(statsFile)
	if err != nil {
		rep.add("nvidia-fs.stats", notRead(err), statsFile)
		return
	}
	state := "unknown"
	for line := range strings.Lines(stats) {
		if rest, ok := strings.CutPrefix(line, "IO stats:"); ok {
			state, _, _ = strings.Cut(strings.TrimSpace(rest), ",")
		}
	}
	rep.add("nvidia-fs.stats", strings.ToLower(state), statsFile)
}

const statsFile = "/proc/driver/nvidia-fs/stats"

// parseStats returns the numbers of reads in the module's statistics: "Reads : n=5 ok=5 err=0 readMiB=20 io_state_err=0".
func parseStats(text string) map[string]int64 {
	counts := map[string]int64{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) != "Reads" {
			continue
		}
		for pair := range strings.FieldsSeq(rest) {
			k, v, _ := strings.Cut(pair, "=")
			if n, err := strconv.ParseInt(v, 10, 64); err == nil && slices.Contains([]string{"n", "ok", "err", "readMiB"}, k) {
				counts[k] = n
			}
		}
	}
	return counts
}

// Driver returns the version and the kind of the NVIDIA kernel driver, as "570.124.06, open", or "" where none is loaded. It is
// read beneath root ("" is "/").
func Driver(root string) string {
	text, err := beneath(root).read("/proc/driver/nvidia/version")
	if err != nil {
		return ""
	}
	version, kind := parseDriver(text)
	return cmp.Or(version, "unknown") + ", " + kind
}

// parseDriver reads the driver's version and kind: "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  ...".
func parseDriver(text string) (version, kind string) {
	line, _, _ := strings.Cut(text, "\n")
	kind = "proprietary"
	if strings.Contains(line, "Open Kernel Module") {
		kind = "open"
	}
	for word := range strings.FieldsSeq(line) {
		if n, _ := numbers(word); len(n) >= 2 {
			return word, kind
		}
	}
	return "", kind
}

// numbers reads "570.124.06" as 570, 124, 6, up to what is none; whole is false if there is something else.
func numbers(s string) (n []int, whole bool) {
	for part := range strings.SplitSeq(s, ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		v, err := strconv.Atoi(digits)
		if err != nil {
			return n, false
		}
		n = append(n, v)
		if digits != part {
			return n, false
		}
	}
	return n, true
}

// parseBAR1 returns the size of a GPU's BAR1 by the resource file of its PCI device, whose lines are start, end and flags of
// each region. BAR1 is the second region of memory: it stands in line 1 or, where the first takes two lines, in line 2.
func parseBAR1(resource string) int64 {
	const memory = 0x200 // IORESOURCE_MEM
	regions, lines := 0, 0
	for line := range strings.Lines(resource) {
		if lines++; lines > 6 { // what follows is the ROM and the regions of virtual functions
			break
		}
		var start, end, flags uint64
		if _, err := fmt.Sscanf(line, "0x%x 0x%x 0x%x", &start, &end, &flags); err != nil || flags&memory == 0 || end <= start {
			continue
		}
		if regions++; regions == 2 && end-start < 1<<50 {
			return int64(end - start + 1)
		}
	}
	return 0
}

// container tells whether this is a container, by the files that runtimes leave.
func (m *machine) container(r beneath) (kind, source string) {
	for _, c := range []struct{ file, kind string }{{"/.dockerenv", "docker"}, {"/run/.containerenv", "podman"}} {
		if r.exists(c.file) {
			return c.kind, c.file
		}
	}
	if kind, err := r.read("/run/systemd/container"); err == nil && kind != "" {
		return kind, "/run/systemd/container"
	}
	groups, _ := r.read("/proc/1/cgroup")
	for _, kind := range []string{"kubepods", "docker", "libpod", "containerd", "lxc"} {
		if strings.Contains(groups, kind) {
			return kind, "/proc/1/cgroup"
		}
	}
	return "none seen", "/.dockerenv, /run/.containerenv, /run/systemd/container, /proc/1/cgroup"
}

func (rep *Report) add(key, value, source string) {
	rep.Facts = append(rep.Facts, Fact{Key: key, Value: value, Source: source})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// list is the value of a Fact that is a list.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// environment adds the variables of this process that change what CUDA, cuFile and kvikIO do.
func (rep *Report) environment() {
	var set []string
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "CUFILE_") || strings.HasPrefix(v, "KVIKIO_") || strings.HasPrefix(v, "CUDA_VISIBLE_DEVICES=") {
			set = append(set, v)
		}
	}
	slices.Sort(set)
	rep.add("system.environment", list(set), "CUFILE_*, KVIKIO_* and CUDA_VISIBLE_DEVICES of this process")
}
