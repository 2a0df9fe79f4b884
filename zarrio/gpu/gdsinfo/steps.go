package gdsinfo

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"
)

// judge makes the steps, and of what was read the verdict.
func (c *checker) judge() {
	c.systemSteps()
	c.cudaSteps()
	c.kernelSteps()
	c.librarySteps()
	c.storageSteps()
	c.proofSteps()
	c.rep.Verdict = c.verdict()
	if c.rep.Verdict != TrueGDS {
		return
	}
	for i := range c.rep.Steps { // a condition that didn't hold, and yet it works, was none
		if s := &c.rep.Steps[i]; !s.OK {
			s.OK, s.Skipped, s.Mend, s.Found = true, false, "", s.Found+" (and yet it works)"
		}
	}
}

// step adds a condition: Found says what there is, Mend what to do if it doesn't hold.
func (c *checker) step(name string, s Step) {
	s.Name = name
	if s.OK {
		s.Mend = ""
	}
	c.rep.Steps = append(c.rep.Steps, s)
}

// skip adds a condition that couldn't be looked at.
func (c *checker) skip(name, why string) {
	c.rep.Steps = append(c.rep.Steps, Step{Name: name, Skipped: true, Found: "not looked at: " + why})
}

func (c *checker) systemSteps() {
	m, t := &c.machine, &c.tried
	const mend = "use Linux on amd64 or arm64, on the machine itself or in a virtual machine that was given the GPU"
	system := Step{OK: runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"),
		Found: runtime.GOOS + "/" + runtime.GOARCH, Mend: mend}
	if m.wsl {
		system.OK, system.Found = false, "Linux under Windows (WSL), release "+m.release
	}
	c.step("system", system)

	found := len(m.gpus) > 0 || t.device == nil
	switch {
	case t.emulated:
		c.step("gpu", Step{Found: "an emulated driver", Mend: "take the emulation from LD_LIBRARY_PATH: it shows that the calls work, and nothing of this machine"})
	case found:
		names := make([]string, len(c.rep.GPUs))
		for i, g := range c.rep.GPUs {
			names[i] = strings.TrimSpace(g.Name + " " + g.PCI)
		}
		c.step("gpu", Step{OK: true, Found: strings.Join(names, ", ")})
	default:
		c.step("gpu", Step{Found: "none on the PCI bus", Mend: "put an NVIDIA GPU into the machine, or give one to the virtual machine"})
	}
	if !found {
		for _, name := range []string{"driver", "driver-nodes", "open-driver"} {
			c.skip(name, "no GPU")
		}
		return
	}
	loaded := t.device == nil
	driver := Step{OK: m.driver != "" || loaded, Found: c.rep.Fact("driver.version"),
		Mend: "install NVIDIA's driver with the open kernel modules, and load it (modprobe nvidia)"}
	c.step("driver", driver)
	if !driver.OK {
		c.skip("driver-nodes", "no driver")
		c.skip("open-driver", "no driver")
		return
	}
	c.step("driver-nodes", Step{OK: m.missing == "" || loaded, Found: c.rep.Fact("driver.nodes"),
		Mend: m.missing + " isn't there: run nvidia-modprobe -u -c 0, or start the container with its GPUs (--gpus all)"})
	c.step("open-driver", Step{OK: m.kind == "open" || t.emulated, Found: cmp.Or(m.kind, "unknown"),
		Mend: "install the open kernel modules of the driver: nvidia-fs and P2PDMA need them"})
}

func (c *checker) cudaSteps() {
	t := &c.tried
	c.step("build", Step{OK: t.built, Found: map[bool]string{true: "with CUDA", false: errUntagged.Error()}[t.built],
		Mend: "build with -tags gds, for Linux on amd64 or arm64: what needs CUDA is not in this build"})
	switch {
	case !t.built:
		c.skip("cuda", errUntagged.Error())
		c.skip("gpudirect", errUntagged.Error())
		return
	case t.cuda != nil:
		c.step("cuda", Step{Found: t.cuda.Error(), Mend: "make libcuda.so.1, which comes with the driver, work: nvidia-smi shows whether it does"})
		c.skip("gpudirect", "CUDA doesn't work")
		return
	case t.device != nil:
		c.step("cuda", Step{Found: t.device.Error(), Mend: "choose a GPU that there is (-gpu), and that nobody else uses alone"})
		c.skip("gpudirect", "no GPU was opened")
		return
	}
	c.step("cuda", Step{OK: true, Found: c.rep.Fact("cuda.version")})
	supported := t.gpu.RDMA != nil && *t.gpu.RDMA
	c.step("gpudirect", Step{OK: supported, Found: "attribute 116 is " + map[bool]string{true: "1", false: "0"}[supported],
		Mend: "use a data-centre or workstation GPU (Volta or later): the driver lets no other device reach this one's memory"})
}

// kernelSteps are about the way from the disk to the GPU, of which there are two: the module nvidia-fs, or P2PDMA.
func (c *checker) kernelSteps() {
	m := &c.machine
	c.step("module-list", Step{OK: m.modules, Found: "/proc/modules: " + c.rep.Fact("system.modules"),
		Mend: "run a kernel with loadable modules, with /proc mounted: without /proc/modules cuFile hangs while it opens its driver"})
	way := Step{OK: m.nvfs || c.p2p.ok}
	switch {
	case m.nvfs:
		way.Found = "nvidia-fs " + c.rep.Fact("nvidia-fs.version")
	case c.p2p.ok:
		way.Found = "P2PDMA"
	default:
		way.Found = "nvidia-fs isn't loaded, and P2PDMA lacks " + c.p2p.missing
		way.Mend = "install nvidia-gds and load its module (modprobe nvidia-fs), or meet the conditions of P2PDMA"
	}
	c.step("kernel-path", way)
	switch {
	case m.nvfs:
		c.step("nvidia-fs-nodes", Step{OK: len(m.nodes) > 0, Found: list(m.nodes),
			Mend: "give the container /dev/nvidia-fs* (--device, or the GDS option of the NVIDIA container toolkit): without them cuFile misbehaves"})
		c.step("iommu", Step{OK: m.iommu == "off" || m.iommu == "passthrough", Found: m.iommu,
			Mend: "start the kernel with iommu=pt, or switch the IOMMU off: nvidia-fs needs it"})
	case c.p2p.ok:
		c.step("nvidia-fs-nodes", Step{OK: true, Found: "not needed with P2PDMA"})
		c.step("iommu", Step{OK: true, Found: m.iommu})
	default:
		c.skip("nvidia-fs-nodes", "nvidia-fs isn't loaded")
		c.skip("iommu", "it depends on the way to the GPU")
	}
}

func (c *checker) librarySteps() {
	l := &c.library
	library := Step{OK: l.loader || c.opened(), Found: cmp.Or(c.rep.Fact("cufile.loaded"), l.file, "none")}
	if l.file == "" {
		library.Mend = "install cuFile (the package gds-tools or libcufile of your CUDA version, or the wheel nvidia-cufile)"
	} else {
		library.Mend = "run ldconfig for its folder, or add the folder to LD_LIBRARY_PATH: the dynamic linker doesn't look there"
	}
	c.step("libcufile", library)
	c.step("cufile-json", c.config.step(&c.store))
}

func (c *checker) storageSteps() {
	c.step("filesystem", c.store.fsStep())
	c.step("disk", c.store.diskStep())
	c.step("udev", Step{OK: c.machine.udev, Found: "/run/udev " + map[bool]string{true: "is there", false: "isn't a folder"}[c.machine.udev],
		Mend: "run udev, or give the container /run/udev: cuFile asks it what a device holds"})
	switch {
	case !c.machine.udev:
		c.skip("udev-record", "no /run/udev")
	case len(c.store.disks) == 0:
		c.step("udev-record", Step{OK: true, Found: "not needed: no block device"})
	default:
		c.step("udev-record", Step{OK: c.record, Found: c.wanted + ": " + c.rep.Fact("storage.udev"),
			Mend: "have udev look at the device again (udevadm trigger): cuFile registers no file of a device without a record"})
	}
	if c.sample != nil {
		c.skip("direct-io", c.sample.Error())
		return
	}
	c.step("direct-io", Step{OK: c.direct == nil, Found: c.rep.Fact("storage.direct"),
		Mend: "use a file system that can be read with O_DIRECT"})
}

func (c *checker) proofSteps() {
	t := &c.tried
	switch {
	case !t.built || t.cuda != nil || t.device != nil:
		c.skip("cufile", "no GPU was opened")
		c.skip("proof", "no GPU was opened")
		return
	case t.cufile != nil:
		c.step("cufile", Step{Found: t.cufile.Error(), Mend: "mend what cuFile reports here; its log (CUFILE_LOGFILE_PATH) says more"})
	default:
		c.step("cufile", Step{OK: true, Found: "version " + c.rep.Fact("cufile.version")})
	}
	p := &c.rep.Proof
	switch {
	case c.sample != nil:
		c.step("proof", Step{Found: c.sample.Error(), Mend: "make the directory writable for a moment, or name a file of its file system to read (-file)"})
	case p.Error != "":
		c.step("proof", Step{Found: p.Error, Mend: "look into cuFile's log (CUFILE_LOGFILE_PATH) and the kernel's: no data of this directory reach the GPU rightly"})
	case t.proven == directRoute:
		c.step("proof", Step{OK: true, Found: c.evidence()})
	default:
		c.step("proof", Step{Found: c.evidence(), Mend: "look into cuFile's log (CUFILE_LOGFILE_PATH): it says why it read by the host's memory"})
	}
}

// evidence says in a line what the proof's read showed.
func (c *checker) evidence() string {
	p := &c.rep.Proof
	parts := []string{fmt.Sprintf("%d bytes by %s are right", p.Bytes, p.How)}
	for _, n := range p.Counters {
		if n.Delta != 0 {
			parts = append(parts, fmt.Sprintf("%s +%d", n.Name, n.Delta))
		}
	}
	if p.Strict != nil {
		parts = append(parts, map[bool]string{true: "and so they are with compat mode forbidden", false: "and not with compat mode forbidden"}[*p.Strict])
	}
	return strings.Join(parts, ", ")
}

// verdict says how a file of the directory reaches the GPU. Only what was read counts, not what the machine seems able to do.
func (c *checker) verdict() Verdict {
	t, p := &c.tried, &c.rep.Proof
	v := Unproved
	switch {
	case t.cuda != nil && (t.built || len(c.machine.gpus) == 0 && c.machine.driver == ""), t.built && t.device != nil:
		v = NoGPU
	case !t.built || c.sample != nil:
	case p.Bytes > 0 && !p.Equal:
		v = WrongData
	case !p.Equal: // nothing could be read
	case p.How != cuFileRead:
		v = KvikIO
	case p.Error != "": // it was read, and then something went wrong
	case t.proven == directRoute:
		v = TrueGDS
	default:
		v = CuFile
	}
	if t.emulated {
		v += " (emulated)"
	}
	return v
}

// The ways in which the proof reads.
const (
	cuFileRead  = "cuFileRead"
	readAndCopy = "read and copy"
)
