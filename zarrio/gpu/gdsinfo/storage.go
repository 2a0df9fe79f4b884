package gdsinfo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Storage returns the type of the file system that holds dir and the device it lies on, as "ext4" and "/dev/nvme0n1p1". The
// device of a file system that lies on none is its mount's source, such as "server:/export". What Linux tells of mounts and
// devices is read beneath root ("" is "/"); on other systems both are "unknown".
func Storage(dir, root string) (fs, device string, err error) {
	s, err := findStorage(beneath(root), dir)
	if err != nil {
		return "unknown", "unknown", err
	}
	return s.fs, s.device, nil
}

// A storage is where a directory lies.
type storage struct {
	dir     string // absolute, without symbolic links
	fs      string
	mount   string // the folder it is mounted on
	options string // the mount's and the file system's
	dev     string // "259:1"
	device  string
	disks   []disk // those beneath, without partitions and mapped devices
	raid    []string
}

// A disk is one whole block device.
type disk struct {
	name      string // "nvme0n1"
	transport string // of an NVMe disk: "pcie", "tcp", ...; else ""
	nvme      bool
}

func (d disk) String() string {
	switch {
	case d.transport != "":
		return d.name + " (NVMe, " + d.transport + ")"
	case d.nvme:
		return d.name + " (NVMe)"
	}
	return d.name + " (not NVMe)"
}

// findStorage looks dir up. It exists, or err says why it can't be looked at.
func findStorage(r beneath, dir string) (storage, error) {
	s := storage{fs: "unknown", device: "unknown"}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return s, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return s, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return s, err
	}
	s.dir = dir
	s.fs, s.dev = statStorage(dir, info)
	if text, err := r.read("/proc/self/mountinfo"); err == nil {
		if m, ok := findMount(text, dir); ok {
			s.fs, s.mount, s.options, s.device = m.fs, m.point, m.options, m.source
			// Files of btrfs have a device number that is no device's, and so has the mount of some others: a number with
			// major 0 is nobody's, and then the mount's source is the next best.
			s.dev = m.dev
			if strings.HasPrefix(s.dev, "0:") {
				if name, ok := strings.CutPrefix(m.source, "/dev/"); ok {
					if dev, err := r.read("/sys/class/block/" + filepath.Base(name) + "/dev"); err == nil {
						s.dev = dev
					}
				}
			}
		}
	}
	s.block(r)
	return s, nil
}

// block finds the device of s.dev, and the disks beneath it.
func (s *storage) block(r beneath) {
	if s.dev == "" || strings.HasPrefix(s.dev, "0:") {
		return
	}
	folder, ok := r.resolve("/sys/dev/block/" + s.dev)
	if !ok {
		return
	}
	name := filepath.Base(folder)
	if text, err := r.read(folder + "/uevent"); err == nil {
		if dev := field(text, "DEVNAME", "="); dev != "" {
			name = dev
		}
	}
	s.device = "/dev/" + name
	s.under(r, folder, 0)
}

// under adds the disks under the block device of a folder of sysfs.
func (s *storage) under(r beneath, folder string, depth int) {
	if depth > 8 { // a mapped device on a RAID on partitions is 3
		return
	}
	if r.exists(folder + "/partition") {
		folder = filepath.Dir(folder)
	}
	name := filepath.Base(folder)
	if level, err := r.read(folder + "/md/level"); err == nil {
		s.raid = append(s.raid, name+" "+level)
	} else if uuid, err := r.read(folder + "/dm/uuid"); err == nil {
		kind, _, _ := strings.Cut(uuid, "-")
		s.raid = append(s.raid, strings.TrimSpace(name+" "+kind))
	}
	slaves := r.names(folder + "/slaves")
	for _, slave := range slaves {
		if down, ok := r.resolve(folder + "/slaves/" + slave); ok {
			s.under(r, down, depth+1)
		}
	}
	if len(slaves) == 0 {
		d := disk{name: name, nvme: strings.HasPrefix(name, "nvme")}
		if d.nvme {
			d.transport, _ = r.read(folder + "/device/transport")
		}
		if !slices.Contains(s.disks, d) {
			s.disks = append(s.disks, d)
		}
	}
}

// A mount is one line of /proc/self/mountinfo, as proc(5) describes it.
type mount struct{ dev, point, options, fs, source string }

// findMount returns the mount that holds dir, a path without symbolic links: of those whose folder it is beneath the one with
// the longest path, and of several there the last, which covers the others.
func findMount(mountinfo, dir string) (mount, bool) {
	var best mount
	found := false
	for line := range strings.Lines(mountinfo) {
		m, ok := parseMount(line)
		if !ok || len(m.point) < len(best.point) {
			continue
		}
		if m.point == "/" || dir == m.point || strings.HasPrefix(dir, m.point+"/") {
			best, found = m, true
		}
	}
	return best, found
}

// parseMount reads one line: "36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/sda1 rw,data=ordered".
func parseMount(line string) (mount, bool) {
	f := strings.Fields(line)
	dash := slices.Index(f, "-")
	if dash < 6 || len(f) < dash+3 {
		return mount{}, false
	}
	m := mount{dev: f[2], point: unescape(f[4]), options: f[5], fs: f[dash+1], source: unescape(f[dash+2])}
	if len(f) > dash+3 {
		m.options += "," + f[dash+3]
	}
	return m, true
}

// unescape undoes the kernel's octal escapes of space, tab, newline and backslash.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if len(after) >= 3 {
			if c, err := strconv.ParseUint(after[:3], 8, 8); err == nil {
				b.WriteByte(byte(c))
				s = after[3:]
				continue
			}
		}
		b.WriteByte('\\')
		s = after
	}
}

// local are the file systems on a block device that cuFile reads directly.
var local = []string{"ext4", "xfs"}

// distributed are those for which GDS exists, given the driver of who makes them.
var distributed = []string{"lustre", "nfs", "nfs4", "wekafs", "gpfs", "beegfs", "scatefs", "virtiofs", "panfs"}

// fsStep reports whether the file system is one that GDS can read.
func (s *storage) fsStep() Step {
	found := s.fs + " on " + s.device
	switch {
	case s.dir == "":
		return Step{Found: "unknown", Mend: "name a directory that is there and can be read"}
	case slices.Contains(distributed, s.fs):
		return Step{OK: true, Found: found + ", if its own driver supports GDS"}
	case !slices.Contains(local, s.fs):
		return Step{Found: found, Mend: fmt.Sprintf("put the data on %s, or on a distributed file system that supports GDS", strings.Join(local, " or "))}
	case s.fs == "ext4" && (strings.Contains(s.options, "data=journal") || strings.Contains(s.options, "data=writeback")):
		return Step{Found: found + ", " + s.options, Mend: "mount it with data=ordered, which is the default: GDS needs it on ext4"}
	}
	return Step{OK: true, Found: found}
}

// diskStep reports whether the disks are ones that GDS can read from.
func (s *storage) diskStep() Step {
	if slices.Contains(distributed, s.fs) {
		return Step{OK: true, Found: "none here: " + s.device}
	}
	if len(s.disks) == 0 {
		return Step{Found: "no block device", Mend: "put the data on a local NVMe disk"}
	}
	step := Step{OK: true, Found: s.diskNames()}
	for _, d := range s.disks {
		if !d.nvme {
			step.OK, step.Mend = false, "put the data on NVMe disks: "+d.name+" is none"
		}
	}
	for _, kind := range s.raid {
		if strings.Contains(kind, " CRYPT") {
			step.OK, step.Mend = false, "put the data on a disk that isn't encrypted by the kernel: "+kind
		}
	}
	return step
}

func (s *storage) diskNames() string {
	var names []string
	for _, d := range s.disks {
		names = append(names, d.String())
	}
	list := strings.Join(names, ", ")
	if len(s.raid) > 0 {
		list += " beneath " + strings.Join(s.raid, ", ")
	}
	return list
}
