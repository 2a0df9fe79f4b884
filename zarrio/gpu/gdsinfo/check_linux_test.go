package gdsinfo

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"zarrbench/internal/golden"
)

// look checks a fake machine without calling CUDA: the steps are those of a machine whose CUDA is not looked at.
func look(t *testing.T, f fake) *Report {
	t.Helper()
	clean(t)
	dir := t.TempDir()
	rep, err := check(t.Context(), dir, Options{Root: f.root(t)}, untried)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v (%v)", left, err)
	}
	return rep
}

// untried is what a build tells that can't call CUDA.
func untried(context.Context, sample, Options) tried {
	return tried{cuda: errUntagged, device: errUntagged, cufile: errUntagged, proof: Proof{Error: errUntagged.Error()}}
}

// TestSteps checks what is missing on machines of all kinds, apart from what CUDA tells.
func TestSteps(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fake    fake
		verdict Verdict
		missing string // the names of the steps
		found   string // is in the first's Found
		skipped string
	}{
		{"nothing at all", nil, NoGPU, "gpu build module-list kernel-path libcufile disk udev",
			"none on the PCI bus", "driver driver-nodes open-driver cuda gpudirect nvidia-fs-nodes iommu udev-record cufile proof"},
		{"a driver without nvidia-fs", nvidia, Unproved, "build kernel-path", "", "cuda gpudirect nvidia-fs-nodes iommu cufile proof"},
		{"no driver", nvidia.with(fake{"proc/driver/nvidia/version": "-"}), Unproved, "driver build kernel-path", "none",
			"driver-nodes open-driver cuda gpudirect nvidia-fs-nodes iommu cufile proof"},
		{"a container without GPUs", nvidia.with(fake{"dev/nvidia0": "-"}), Unproved, "driver-nodes build kernel-path", "nvidiactl", "cuda gpudirect nvidia-fs-nodes iommu cufile proof"},
		{"the proprietary driver", good.with(fake{"proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Mon\n"}), Unproved,
			"open-driver build", "proprietary", "cuda gpudirect cufile proof"},
		{"nvidia-fs without its device nodes", good.with(fake{"dev/nvidia-fs0": "-", "dev/nvidia-fs1": "-"}), Unproved, "build nvidia-fs-nodes", "", "cuda gpudirect cufile proof"},
		{"no udev", good.with(fake{"run/udev/data/b259:1": "-"}), Unproved, "build udev", "", "cuda gpudirect udev-record cufile proof"},
		{"no record of udev", good.with(fake{"run/udev/data/b259:1": "S:disk/by-id/1\n"}), Unproved, "build udev-record", "", "cuda gpudirect cufile proof"},
		{"WSL", good.with(fake{"proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2\n"}), Unproved, "system build", "WSL", "cuda gpudirect cufile proof"},
		{"all is well", good, Unproved, "build", "no tag gds", "cuda gpudirect cufile proof"},
		{"P2PDMA", peer, Unproved, "build", "", "cuda gpudirect cufile proof"},
		{"P2PDMA and multipath", peer.with(fake{"sys/module/nvme_core/parameters/multipath": "Y"}), Unproved, "build kernel-path", "", "cuda gpudirect nvidia-fs-nodes iommu cufile proof"},
		{"an IOMMU that translates", good.with(fake{"sys/class/iommu/dmar0/": "", "sys/bus/pci/devices/0000:01:00.0/iommu_group/type": "DMA-FQ\n"}), Unproved, "build iommu", "", "cuda gpudirect cufile proof"},
		{"an IOMMU that lets pass", good.with(fake{"sys/class/iommu/dmar0/": "", "sys/bus/pci/devices/0000:01:00.0/iommu_group/type": "identity\n"}), Unproved, "build", "", "cuda gpudirect cufile proof"},
		{"an IOMMU told to let pass", good.with(fake{"sys/class/iommu/dmar0/": "", "proc/cmdline": "ro iommu=pt\n"}), Unproved, "build", "", "cuda gpudirect cufile proof"},
		{"no list of modules", good.with(fake{"proc/modules": "-"}), Unproved, "build module-list", "", "cuda gpudirect cufile proof"},
		{"a broken cufile.json", good.with(fake{"etc/cufile.json": "{\n \"properties\": {,}\n}"}), Unproved, "build cufile-json", "", "cuda gpudirect cufile proof"},
		{"a cufile.json that forces", good.with(fake{"etc/cufile.json": `{"properties": {"force_compat_mode": true}}`}), Unproved, "build cufile-json", "", "cuda gpudirect cufile proof"},
		{"a cufile.json that denies", good.with(fake{"etc/cufile.json": `{"denylist": {"mounts": ["/"]}}`}), Unproved, "build cufile-json", "", "cuda gpudirect cufile proof"},
		{"a cufile.json that can't be read", good.with(fake{"etc/cufile.json/": ""}), Unproved, "build cufile-json", "", "cuda gpudirect cufile proof"},
		{"no libcufile", good.with(fake{"usr/local/cuda/lib64/libcufile.so.0": "-"}), Unproved, "build libcufile", "", "cuda gpudirect cufile proof"},
		{"a libcufile that the linker doesn't know", good.with(fake{"etc/ld.so.cache": "-"}), Unproved, "build libcufile", "", "cuda gpudirect cufile proof"},
		{"tmpfs", good.with(fake{"proc/self/mountinfo": "30 1 0:27 / / rw - tmpfs tmpfs rw\n"}), Unproved, "build filesystem disk", "", "cuda gpudirect cufile proof"},
		{"NFS", good.with(fake{"proc/self/mountinfo": "30 1 0:60 / / rw - nfs4 server:/export rw,proto=rdma\n"}), Unproved, "build", "", "cuda gpudirect cufile proof"},
		{"ext4 that journals data", good.with(fake{"proc/self/mountinfo": "27 1 259:1 / / rw - ext4 /dev/root rw,data=journal\n"}), Unproved, "build filesystem", "", "cuda gpudirect cufile proof"},
		{"unreadable files", good.with(fake{"proc/modules": "-", "proc/modules/": "", "proc/driver/nvidia-fs/version": "-", "proc/driver/nvidia-fs/version/": "",
			"proc/driver/nvidia-fs/stats": "-", "proc/driver/nvidia-fs/stats/": ""}), Unproved, "build module-list", "", "cuda gpudirect cufile proof"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rep := look(t, tt.fake)
			var missing, skipped []string
			for _, s := range rep.Steps {
				switch {
				case s.OK && (s.Skipped || s.Mend != "" || s.Found == ""), s.Skipped && (s.Found == "" || s.Mend != ""), !s.OK && !s.Skipped && (s.Found == "" || s.Mend == ""):
					t.Errorf("a step says too much or too little: %+v", s)
				case s.Skipped:
					skipped = append(skipped, s.Name)
				case !s.OK:
					missing = append(missing, s.Name)
				}
			}
			want := strings.Fields(tt.missing)
			if tt.fake == nil { // the file system is then the one that statfs tells of this machine
				missing = slices.DeleteFunc(missing, func(name string) bool { return name == "filesystem" })
			}
			if rep.Verdict != tt.verdict || !slices.Equal(missing, want) || !slices.Equal(skipped, strings.Fields(tt.skipped)) {
				t.Errorf("verdict %q, missing %q, skipped %q\nwant %q, %q, %q", rep.Verdict, missing, skipped, tt.verdict, want, tt.skipped)
			}
			if first := rep.First(); first == nil || first.Name != want[0] || !strings.Contains(first.Found, tt.found) {
				t.Errorf("first to mend %+v, want %s: %s", first, want[0], tt.found)
			}
			keys := map[string]bool{}
			for _, f := range rep.Facts {
				if keys[f.Key] || f.Value == "" || f.Source == "" {
					t.Errorf("twice, or empty: %+v", f)
				}
				keys[f.Key] = true
			}
		})
	}
}

// TestGolden holds the whole report of a good machine, and of one that has nothing: the keys are what programs rely on.
func TestGolden(t *testing.T) {
	for name, f := range map[string]fake{"good.json": good, "nothing.json": disks} {
		rep := look(t, f)
		if rep.Fact("storage.direct") != "works" || runtime.GOARCH != "amd64" {
			t.Skip("the golden files are of amd64, and of a file system that can be read with O_DIRECT")
		}
		text, err := json.MarshalIndent(rep, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(string(text), rep.Dir, "DIR") + "\n"
		got = regexp.MustCompile(`(?s)("system.environment",\s*"value": )"[^"]*"`).ReplaceAllString(got, `$1"none"`)
		golden.Compare(t, name, got)
	}
}

// TestFacts checks the values that a good machine tells.
func TestFacts(t *testing.T) {
	rep := look(t, good.with(fake{"etc/cufile.json": `{"properties": {"allow_compat_mode": false}}`, "run/.containerenv": ""}))
	for key, want := range map[string]string{
		"system.kernel": "6.8.0-45-generic", "system.arch": "linux/" + runtime.GOARCH, "system.platform": "Workstation", "system.container": "podman",
		"system.modules": "2", "driver.version": "570.124.06", "driver.kind": "open", "driver.nodes": "nvidia0 nvidiactl nvidia-uvm", "gpu.count": "1",
		"nvidia-fs.module": "yes", "nvidia-fs.version": "2.24.2", "nvidia-fs.nodes": "nvidia-fs0 nvidia-fs1", "nvidia-fs.stats": "enabled",
		"nvidia-fs.modules": "nvidia_p2p nvme 2", "cufile.library": "/usr/local/cuda/lib64/libcufile.so.0", "cufile.file_version": "1.14.1",
		"cufile.json": "/etc/cufile.json", "cufile.json.allow_compat_mode": "false", "iommu.state": "off", "p2pdma.config": "y", "p2pdma.multipath": "Y",
		"storage.filesystem": "ext4", "storage.device": "/dev/nvme0n1p1", "storage.disks": "nvme0n1 (NVMe, pcie)", "storage.udev": "file system ext4",
		"storage.mount": "/", "storage.options": "rw,relatime,rw,errors=remount-ro", "kvikio.cufile": "yes", "kvikio.compat_mode": "auto, which is off here",
	} {
		if got := rep.Fact(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if len(rep.GPUs) != 1 || rep.GPUs[0] != (GPU{PCI: "0000:01:00.0", Name: "NVIDIA RTX A2000", BAR1: 256 << 20}) {
		t.Errorf("GPUs: %+v", rep.GPUs)
	}
	if got := rep.Fact("no.such"); got != "" {
		t.Errorf("a key that isn't there: %q", got)
	}
	rep = look(t, good.with(fake{"proc/driver/nvidia-fs/stats": "-", "proc/driver/nvidia-fs/stats/": "", "proc/sys/kernel/osrelease": "-", "proc/sys/kernel/osrelease/": ""}))
	for _, key := range []string{"nvidia-fs.stats", "system.kernel"} {
		if got := rep.Fact(key); got != "unreadable: is a directory" {
			t.Errorf("%s: %q", key, got)
		}
	}
}

// TestEnvironment checks what variables change.
func TestEnvironment(t *testing.T) {
	for _, tt := range []struct{ name, value, key, want string }{
		{"KVIKIO_COMPAT_MODE", "true", "kvikio.compat_mode", "on"},
		{"KVIKIO_COMPAT_MODE", "no", "kvikio.compat_mode", "off"},
		{"KVIKIO_COMPAT_MODE", "maybe", "kvikio.compat_mode", `invalid: "MAYBE"`},
		{"CUFILE_ENV_PATH_JSON", "/no/such.json", "cufile.json", "/no/such.json: none"},
		{"CUFILE_USE_PCIP2PDMA", "1", "p2pdma.cufile", "yes"},
	} {
		clean(t)
		t.Setenv(tt.name, tt.value)
		rep, err := check(t.Context(), t.TempDir(), Options{Root: good.root(t)}, untried)
		if err != nil {
			t.Fatal(err)
		}
		if got := rep.Fact(tt.key); got != tt.want || !strings.Contains(rep.Fact("system.environment"), tt.name+"="+tt.value) {
			t.Errorf("%s=%s: %s is %q, want %q; environment %q", tt.name, tt.value, tt.key, got, tt.want, rep.Fact("system.environment"))
		}
	}
	clean(t)
	t.Setenv("CUFILE_FORCE_COMPAT_MODE", "true")
	rep, err := check(t.Context(), t.TempDir(), Options{Root: good.root(t)}, untried)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(rep.Steps, func(s Step) bool { return s.Name == "cufile-json" }); rep.Steps[i].OK {
		t.Errorf("%+v", rep.Steps[i])
	}
}

// TestRefusals checks what Check returns errors for, and that nothing is left behind.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "file"), filepath.Join(dir, "empty")
	if err := errors.Join(os.WriteFile(file, []byte("12345"), 0o666), os.WriteFile(empty, nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		dir, file, want string
	}{
		{filepath.Join(dir, "nowhere"), "", "no such file"},
		{file, "", "want a directory"},
		{dir, filepath.Join(dir, "nowhere"), "no such file"},
		{dir, empty, "isn't empty"},
		{dir, dir, "regular file"},
		{dir, "/proc/version", "isn't"},
	} {
		if _, err := Check(t.Context(), tt.dir, Options{File: tt.file}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q, %q: %v, want %q", tt.dir, tt.file, err, tt.want)
		}
	}
	if _, err := Check(t.Context(), dir, Options{File: file}); err != nil {
		t.Errorf("a file that is there: %v", err)
	}
	// A directory that can't be written to is no error: the rest is told.
	rep, err := check(t.Context(), "/proc/self/fd", Options{Root: good.root(t)}, untried)
	if err != nil || !strings.Contains(rep.Fact("storage.direct"), "can't be written to") {
		t.Errorf("%v, %+v", err, rep)
	}
	// A call that hangs doesn't keep Check, nor the file.
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	_, err = check(ctx, dir, Options{}, func(context.Context, sample, Options) tried {
		cancel()
		<-hang
		return tried{}
	})
	close(hang)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled check: %v", err)
	}
	if _, err = Check(ctx, dir, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a check that was cancelled before: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left in the directory: %v (%v)", left, err)
	}
}
