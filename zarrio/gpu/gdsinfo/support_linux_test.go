package gdsinfo

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// A fake is the files of a machine: names to contents. A name that ends in / is an empty folder, and a content that begins with
// -> a relative symbolic link. A file that can't be read is a folder: tests may run as somebody who can read everything else.
type fake map[string]string

// with returns f with other files; a content of "-" takes one away.
func (f fake) with(files fake) fake {
	out := maps.Clone(f)
	for name, content := range files {
		if content == "-" {
			delete(out, name)
		} else {
			out[name] = content
		}
	}
	return out
}

// root writes the files and returns their folder.
func (f fake) root(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range f {
		path := filepath.Join(dir, name)
		if name[len(name)-1] == '/' {
			if err := os.MkdirAll(path, 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		err := os.MkdirAll(filepath.Dir(path), 0o777)
		if err == nil {
			if len(content) > 2 && content[:2] == "->" {
				err = os.Symlink(content[2:], path)
			} else {
				err = os.WriteFile(path, []byte(content), 0o666)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// disks is one NVMe disk with a partition, and the file system of every directory on it.
var disks = fake{
	"proc/self/mountinfo": "22 27 0:21 / /proc rw,relatime - proc proc rw\n" +
		"27 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=remount-ro\n",
	"sys/dev/block/259:1": "->../../devices/pci0/nvme/nvme0/nvme0n1/nvme0n1p1",
	"sys/dev/block/259:0": "->../../devices/pci0/nvme/nvme0/nvme0n1",
	"sys/devices/pci0/nvme/nvme0/nvme0n1/nvme0n1p1/partition": "1\n",
	"sys/devices/pci0/nvme/nvme0/nvme0n1/nvme0n1p1/uevent":    "MAJOR=259\nMINOR=1\nDEVNAME=nvme0n1p1\nDEVTYPE=partition\n",
	"sys/devices/pci0/nvme/nvme0/nvme0n1/uevent":              "MAJOR=259\nMINOR=0\nDEVNAME=nvme0n1\nDEVTYPE=disk\n",
	"sys/devices/pci0/nvme/nvme0/nvme0n1/device":              "->../../nvme0",
	"sys/devices/pci0/nvme/nvme0/transport":                   "pcie\n",
	"run/udev/data/b259:1":                                    "S:disk/by-uuid/1\nE:ID_FS_TYPE=ext4\nE:ID_FS_USAGE=filesystem\n",
}

// nvidia is an A2000 with its open driver, on a machine of disks.
var nvidia = disks.with(fake{
	"proc/sys/kernel/osrelease":                 "6.8.0-45-generic\n",
	"proc/modules":                              "nvidia 9760768 3 nvidia_fs, Live 0x0\next4 1\n",
	"proc/cmdline":                              "BOOT_IMAGE=/vmlinuz ro quiet\n",
	"boot/config-6.8.0-45-generic":              "CONFIG_PCI=y\nCONFIG_PCI_P2PDMA=y\n",
	"sys/class/dmi/id/product_name":             "Workstation\n",
	"sys/module/nvme_core/parameters/multipath": "Y\n",
	"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build  (builder@host)\n" +
		"GCC version:  gcc version 12.3.0\n",
	"proc/driver/nvidia/params":                        "ResmanDebugLevel: 4294967295\nRegistryDwords: \"\"\n",
	"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA RTX A2000\nIRQ:   \t\t 16\n",
	"dev/nvidia0": "", "dev/nvidiactl": "", "dev/nvidia-uvm": "",
	"sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
	"sys/bus/pci/devices/0000:01:00.0/class":  "0x030000\n",
	"sys/bus/pci/devices/0000:01:00.0/resource": "0x00000000a0000000 0x00000000a0ffffff 0x0000000000040200\n" +
		"0x0000006000000000 0x000000600fffffff 0x000000000014220c\n" +
		"0x0000000000000000 0x0000000000000000 0x0000000000000000\n" +
		"0x0000006010000000 0x0000006011ffffff 0x000000000014220c\n",
	"sys/bus/pci/devices/0000:01:00.1/vendor":  "0x10de\n",
	"sys/bus/pci/devices/0000:01:00.1/class":   "0x040300\n",
	"usr/local/cuda/lib64/libcufile.so.0":      "->libcufile.so.1.14.1",
	"usr/local/cuda/lib64/libcufile.so.1.14.1": "",
	"etc/ld.so.cache":                          "glibc-ld.so.cache1.1\x00\x00libcufile.so.0\x00/usr/local/cuda/lib64/libcufile.so.0\x00",
})

// stats is what nvidia-fs counts.
const stats = "GDS Version: 1.14.1\nNVFS statistics(ver: 4.0)\nNVFS Driver(version: 2.24.2)\nIO stats: Enabled, peer IO stats: Enabled\n\n" +
	"Reads\t\t\t\t: n=12 ok=11 err=1 readMiB=44 io_state_err=0\nReads\t\t\t\t: Bandwidth(MiB/s)=5 Avg-Latency(usec)=7\n" +
	"Writes\t\t\t\t: n=3 ok=3 err=0 writeMiB=3\n"

// good is a machine on which GDS can work.
var good = nvidia.with(fake{
	"proc/modules":                  "nvidia_fs 323584 0 - Live 0x0000000000000000 (OE)\nnvidia 9760768 3 nvidia_fs, Live 0x0\n",
	"proc/driver/nvidia-fs/version": "version: 2.24.2\n",
	"proc/driver/nvidia-fs/modules": "nvidia_p2p\nnvme 2\n",
	"proc/driver/nvidia-fs/stats":   stats,
	"dev/nvidia-fs0":                "",
	"dev/nvidia-fs1":                "",
	"dev/nvidia-fsx":                "",
})

// peer is a machine on which GDS can work without nvidia-fs.
var peer = nvidia.with(fake{
	"sys/module/nvme_core/parameters/multipath": "N\n",
	"proc/driver/nvidia/params":                 "RegistryDwords: \"RMForceStaticBar1=1;RmForceDisableIomapWC=1;\"\n",
	"etc/cufile.json":                           "{ // shipped\n  \"properties\": { /* of the library */ \"use_pci_p2pdma\": true } }\n",
})

// clean takes away what the environment of the tests may say.
func clean(t *testing.T) {
	t.Helper()
	for _, name := range []string{"CUFILE_ENV_PATH_JSON", "CUFILE_FORCE_COMPAT_MODE", "CUFILE_USE_PCIP2PDMA", "KVIKIO_COMPAT_MODE"} {
		if v, ok := os.LookupEnv(name); ok {
			t.Setenv(name, v) // is set again afterwards
			os.Unsetenv(name)
		}
	}
}
