package gdsinfo

import (
	"cmp"
	"errors"
	"io/fs"
	"runtime"
	"slices"
	"strings"
)

// A p2p is what is known of the conditions under which cuFile reads without nvidia-fs, by the PCI peer-to-peer DMA of Linux.
type p2p struct {
	ok      bool
	missing string // the first condition that doesn't hold
}

// lookP2P looks at the conditions in NVIDIA's documentation: kernel 6.2 with CONFIG_PCI_P2PDMA, the open driver from 570 on, its
// BAR1 mapped for good (on x86), NVMe without multipath, and cuFile told to use it. Whether the GPU is of a kind that can do it
// only a read shows.
func lookP2P(r beneath, m *machine, c *config, rep *Report) p2p {
	var p p2p
	check := func(key, value, source string, ok bool, missing string) {
		rep.add("p2pdma."+key, value, source)
		if !ok && p.missing == "" {
			p.missing = missing
		}
	}
	check("kernel", cmp.Or(m.release, "none"), "/proc/sys/kernel/osrelease", atLeast(m.release, 6, 2), "kernel 6.2 or later")
	value, source := kernelConfig(r, m.release)
	check("config", value, source, value == "y" || strings.HasPrefix(value, "unknown"), "a kernel with CONFIG_PCI_P2PDMA")
	check("driver", cmp.Or(strings.TrimSpace(m.driver+" "+m.kind), "none"), "/proc/driver/nvidia/version", m.kind == "open" && atLeast(m.driver, 570), "the open driver 570 or later")
	multipath := r.value("/sys/module/nvme_core/parameters/multipath")
	check("multipath", multipath, "/sys/module/nvme_core/parameters/multipath", multipath != "Y", "NVMe without multipath (nvme_core.multipath=N)")
	words := strings.FieldsFunc(m.registry, func(c rune) bool { return c == ';' || c == ' ' })
	static := slices.Contains(words, "RMForceStaticBar1=1") && slices.Contains(words, "RmForceDisableIomapWC=1")
	check("registry", yes(static), "/proc/driver/nvidia/params", static || runtime.GOARCH != "amd64", `the module option NVreg_RegistryDwords="RMForceStaticBar1=1;RmForceDisableIomapWC=1;"`)
	told := c.p2p || on("CUFILE_USE_PCIP2PDMA")
	check("cufile", yes(told), "properties.use_pci_p2pdma, CUFILE_USE_PCIP2PDMA", told, "use_pci_p2pdma in cufile.json")
	p.ok = p.missing == ""
	return p
}

// kernelConfig tells whether the kernel was built with CONFIG_PCI_P2PDMA.
func kernelConfig(r beneath, release string) (value, source string) {
	files := []string{"/boot/config-" + release, "/proc/config.gz"}
	for _, file := range files {
		text, err := r.read(file)
		switch {
		case err == nil && field(text, "CONFIG_PCI_P2PDMA", "=") == "y":
			return "y", file
		case err == nil:
			return "n", file
		case !errors.Is(err, fs.ErrNotExist):
			return "unknown: " + notRead(err), file
		}
	}
	return "unknown", strings.Join(files, ", ")
}

// atLeast reports whether a version that starts with numbers, as "6.8.0-45-generic" does, is at least want.
func atLeast(version string, want ...int) bool {
	n, _ := numbers(version)
	return len(n) > 0 && slices.Compare(n, want) >= 0
}
