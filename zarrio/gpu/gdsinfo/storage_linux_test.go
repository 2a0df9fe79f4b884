package gdsinfo

import (
	"path/filepath"
	"testing"
)

func TestStorage(t *testing.T) {
	raid := disks.with(fake{
		"proc/self/mountinfo":                            "27 1 9:0 / / rw - xfs /dev/md0 rw\n",
		"sys/dev/block/9:0":                              "->../../devices/virtual/block/md0",
		"sys/devices/virtual/block/md0/md/level":         "raid0\n",
		"sys/devices/virtual/block/md0/slaves/nvme0n1p1": "->../../../../pci0/nvme/nvme0/nvme0n1/nvme0n1p1",
		"sys/devices/virtual/block/md0/slaves/sda":       "->../../../../sda",
		"sys/devices/sda/uevent":                         "DEVNAME=sda\n",
	})
	for _, tt := range []struct {
		name       string
		fake       fake
		fs, device string
		disks      string
		fsOK, ok   bool
	}{
		{"a partition", disks, "ext4", "/dev/nvme0n1p1", "nvme0n1 (NVMe, pcie)", true, true},
		{"a disk", disks.with(fake{"proc/self/mountinfo": "27 1 259:0 / / rw - xfs /dev/root rw\n"}), "xfs", "/dev/nvme0n1", "nvme0n1 (NVMe, pcie)", true, true},
		{"RAID", raid, "xfs", "/dev/md0", "nvme0n1 (NVMe, pcie), sda (not NVMe) beneath md0 raid0", true, false},
		{"encrypted", disks.with(fake{
			"proc/self/mountinfo": "27 1 252:0 / / rw - ext4 /dev/mapper/x rw\n", "sys/dev/block/252:0": "->../../devices/virtual/block/dm-0",
			"sys/devices/virtual/block/dm-0/dm/uuid": "CRYPT-LUKS2-0123\n", "sys/devices/virtual/block/dm-0/slaves/nvme0n1": "->../../../../pci0/nvme/nvme0/nvme0n1",
		}), "ext4", "/dev/dm-0", "nvme0n1 (NVMe, pcie) beneath dm-0 CRYPT", true, false},
		{"a ring of devices", disks.with(fake{
			"proc/self/mountinfo": "27 1 252:0 / / rw - ext4 /dev/mapper/x rw\n", "sys/dev/block/252:0": "->../../devices/dm-0",
			"sys/devices/dm-0/slaves/dm-0": "->../../dm-0",
		}), "ext4", "/dev/dm-0", "", true, false},
		{"btrfs", disks.with(fake{"proc/self/mountinfo": "27 1 0:40 / / rw - btrfs /dev/nvme0n1p1 rw\n", "sys/class/block/nvme0n1p1/dev": "259:1\n"}),
			"btrfs", "/dev/nvme0n1p1", "nvme0n1 (NVMe, pcie)", false, true},
		{"NFS", disks.with(fake{"proc/self/mountinfo": "27 1 0:60 / / rw - nfs4 server:/export rw\n"}), "nfs4", "server:/export", "", true, true},
		{"overlay", disks.with(fake{"proc/self/mountinfo": "27 1 0:60 / / rw - overlay overlay rw\n"}), "overlay", "overlay", "", false, false},
		{"a device that sysfs doesn't know", disks.with(fake{"sys/dev/block/259:1": "-"}), "ext4", "/dev/root", "", true, false},
	} {
		dir := tt.fake.root(t)
		fs, device, err := Storage(t.TempDir(), dir)
		if err != nil || fs != tt.fs || device != tt.device {
			t.Errorf("%s: %q, %q, %v; want %q, %q", tt.name, fs, device, err, tt.fs, tt.device)
		}
		s, err := findStorage(beneath(dir), t.TempDir())
		if err != nil || s.diskNames() != tt.disks || s.fsStep().OK != tt.fsOK || s.diskStep().OK != tt.ok {
			t.Errorf("%s: %q, %+v, %+v (%v)", tt.name, s.diskNames(), s.fsStep(), s.diskStep(), err)
		}
	}
	// Of this machine too, whatever it has.
	if fs, device, err := Storage(".", ""); err != nil || fs == "" || fs == "unknown" || device == "" {
		t.Errorf("here: %q, %q, %v", fs, device, err)
	}
	// Without mounts there is statfs.
	if fs, _, err := Storage("/proc", t.TempDir()); err != nil || fs == "" || fs == "unknown" {
		t.Errorf("/proc: %q, %v", fs, err)
	}
	if fs, device, err := Storage(filepath.Join(t.TempDir(), "nowhere"), ""); err == nil || fs != "unknown" || device != "unknown" {
		t.Errorf("nowhere: %q, %q, %v", fs, device, err)
	}
}
