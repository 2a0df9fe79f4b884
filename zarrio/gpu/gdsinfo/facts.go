package gdsinfo

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// libraryFacts adds where cuFile is found, and how it is set up.
func (c *checker) libraryFacts() {
	const source = "LD_LIBRARY_PATH, /etc/ld.so.cache, the linker's folders, /usr/local/cuda*"
	c.rep.add("cufile.library", cmp.Or(c.library.file, "none"), source)
	if c.library.version != "" {
		c.rep.add("cufile.file_version", c.library.version, c.library.file)
	}
	c.config.facts(c.rep)
	c.rep.environment()
}

// storageFacts adds where the directory lies.
func (c *checker) storageFacts(r beneath, s *sample) {
	st, add := &c.store, c.rep.add
	const mounts = "/proc/self/mountinfo"
	add("storage.filesystem", st.fs, mounts+", statfs")
	add("storage.mount", cmp.Or(st.mount, "unknown"), mounts)
	add("storage.options", cmp.Or(st.options, "unknown"), mounts)
	block := "/sys/dev/block/" + st.dev
	add("storage.device", st.device, mounts+", "+block)
	add("storage.disks", cmp.Or(st.diskNames(), "none"), block)
	c.wanted = "/run/udev/data/b" + st.dev
	c.record = true
	if len(st.disks) > 0 { // where there is no block device, there is no record
		record, err := r.read(c.wanted)
		c.record = err == nil && strings.Contains("\n"+record, "\nE:ID_FS_USAGE=filesystem")
		value := "says nothing of a file system"
		switch {
		case err != nil:
			value = notRead(err)
		case c.record:
			value = "file system " + field(record, "E:ID_FS_TYPE", "=")
		}
		add("storage.udev", value, c.wanted)
	}
	if c.sample = s.err; s.err == nil {
		c.direct = tryDirect(s.file)
		value := "works"
		if c.direct != nil {
			value = "doesn't work: " + c.direct.Error()
		}
		add("storage.direct", value, "a read with O_DIRECT")
	} else {
		add("storage.direct", "not tried: "+s.err.Error(), "a read with O_DIRECT")
	}
}

// kvikioFacts adds whether kvikIO would use cuFile: it does where the library loads, /run/udev is a folder, and this isn't WSL.
func (c *checker) kvikioFacts() {
	var missing []string
	if !c.library.loader && !c.opened() {
		missing = append(missing, soname)
	}
	if !c.machine.udev {
		missing = append(missing, "/run/udev")
	}
	if c.machine.wsl {
		missing = append(missing, "a kernel that isn't WSL's")
	}
	value := "yes"
	if len(missing) > 0 {
		value = "no, for want of " + strings.Join(missing, ", ")
	}
	const source = "its rule: the library, /run/udev, the kernel's release"
	c.rep.add("kvikio.cufile", value, source)
	mode := strings.ToUpper(cmp.Or(os.Getenv("KVIKIO_COMPAT_MODE"), "AUTO"))
	switch {
	case slices.Contains([]string{"ON", "TRUE", "YES", "1"}, mode):
		mode = "on"
	case slices.Contains([]string{"OFF", "FALSE", "NO", "0"}, mode):
		mode = "off"
	case mode != "AUTO":
		mode = fmt.Sprintf("invalid: %q", mode)
	case len(missing) > 0:
		mode = "auto, which is on here"
	default:
		mode = "auto, which is off here"
	}
	c.rep.add("kvikio.compat_mode", mode, "KVIKIO_COMPAT_MODE and that rule")
}

// triedFacts adds what CUDA and cuFile told, and puts the GPU that was opened among those of the bus.
func (c *checker) triedFacts() {
	t := &c.tried
	c.rep.Emulated = t.emulated
	c.rep.GPUs = append(c.rep.GPUs, c.machine.gpus...)
	c.rep.Facts = append(c.rep.Facts, t.facts...)
	c.rep.Proof = t.proof
	if c.rep.Proof.Counters == nil {
		c.rep.Proof.Counters = []Counter{}
	}
	if c.sample != nil && t.proof.Error == "" && !t.proof.Equal {
		c.rep.Proof.Error = c.sample.Error()
	}
	if t.gpu.Ordinal == nil {
		return
	}
	i := slices.IndexFunc(c.rep.GPUs, func(g GPU) bool { return strings.EqualFold(g.PCI, t.gpu.PCI) })
	if i < 0 {
		c.rep.GPUs = append(c.rep.GPUs, t.gpu)
		return
	}
	g := &c.rep.GPUs[i]
	bar := g.BAR1
	*g = t.gpu
	g.BAR1 = cmp.Or(bar, t.gpu.BAR1)
}

// opened reports whether cuFile's driver could be opened.
func (c *checker) opened() bool { return c.tried.built && c.tried.cufile == nil }

// errUntagged is why a build tells nothing of CUDA.
var errUntagged = errors.New("this build has no tag gds")
