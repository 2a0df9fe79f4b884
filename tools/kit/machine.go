package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"zarrbench/fixtures"
	"zarrbench/zarrio/gpu/gdsinfo"
)

// A machine is what the kit finds here.
type machine struct {
	data      string // the folder for stores
	libcufile string // "" if there is none
	shim      string // a library to be preloaded for libcufile, or ""
	python    string // "" if there is none
	numpy     bool
	emulated  bool // the driver is the emulated one
}

// prepare finds the folder for the stores, and makes the smallest one in it.
func (k *kit) prepare(ctx context.Context) (tiny string, err error) {
	if k.data, err = k.findData(); err != nil {
		return "", err
	}
	tiny = filepath.Join(k.data, "tiny", "raw.zarr")
	return tiny, fixtures.Synthetic{Steps: 2, NLat: 65, NLon: 64}.Write(ctx, tiny)
}

// open finds out whether a GPU can be used, and what else this machine has. The error says why there
// is no GPU.
func (k *kit) open(ctx context.Context, tiny string) error {
	output, err := k.exec(ctx, job{label: "opens", args: []string{
		k.bench(), "-test.run=^$", "-test.bench=^$", "-engine", "host", "-require", "-store", tiny}})
	if err != nil {
		if m := reason.FindStringSubmatch(output); m != nil {
			return errors.New(m[1])
		}
		return fmt.Errorf("%w: %s", err, strings.Join(lastLines(output, 4), "\n  "))
	}
	k.emulated = strings.Contains(output, "Note: emulated")
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "GDS: ") || strings.HasPrefix(line, "Machine: ") || strings.HasPrefix(line, "Note: ") {
			k.printf("%s", line)
		}
	}
	if err := k.unpack(); err != nil {
		k.fail("packages", err)
	}
	k.findPython(ctx)
	k.libcufile = k.findCuFile(ctx)
	k.buildShim(ctx)
	return nil
}

var reason = regexp.MustCompile(`(?m)^zarrbench: -require: (.*)$`)

// findData returns the folder for the stores: that of KIT_DATA, or one with room for them, on a file
// system that cuFile reads if there is one.
func (k *kit) findData() (string, error) {
	const name = "zarrbench-kit"
	if k.dataDir != "" {
		return filepath.Join(k.dataDir, name), os.MkdirAll(k.dataDir, 0o777)
	}
	var roomy []string
	for _, dir := range []string{"/var/tmp", os.TempDir(), "/mnt", "/data", k.dir} {
		if free, err := fixtures.FreeBytes(dir); err != nil || free < k.storeBytes() || !writable(dir) {
			continue
		}
		if fs, _, _ := gdsinfo.Storage(dir, ""); fs == "ext4" || fs == "xfs" {
			return filepath.Join(dir, name), nil
		}
		roomy = append(roomy, dir)
	}
	if len(roomy) == 0 {
		return "", fmt.Errorf("no folder has %d bytes free: KIT_DATA names one, KIT_STEPS makes the stores smaller", k.storeBytes())
	}
	return filepath.Join(roomy[0], name), nil
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "zarrbench-kit-")
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) == nil
}

// unpack unpacks the kit's Python packages, once. Wheels are zip files.
func (k *kit) unpack() error {
	site := filepath.Join(k.dir, "site")
	if exists(site) {
		return nil
	}
	wheels, err := filepath.Glob(filepath.Join(k.dir, "whl", "*.whl"))
	if err != nil {
		return err
	}
	partial := site + ".new"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	for _, wheel := range wheels {
		z, err := zip.OpenReader(wheel)
		if err != nil {
			return fmt.Errorf("%s: %w", wheel, err)
		}
		if err := errors.Join(os.CopyFS(partial, z), z.Close()); err != nil {
			return fmt.Errorf("%s: %w", wheel, err)
		}
	}
	return errors.Join(os.MkdirAll(partial, 0o777), os.Rename(partial, site))
}

func (k *kit) findPython(ctx context.Context) {
	path, err := exec.LookPath("python3")
	if err != nil {
		return
	}
	k.python = path
	k.numpy = exec.CommandContext(ctx, path, "-c", "import numpy").Run() == nil
}

// pythonEnv is the environment of Python programs: the kit's packages come before the machine's.
func (k *kit) pythonEnv() []string {
	return []string{"PYTHONPATH=" + joinPath(filepath.Join(k.dir, "site"), filepath.Join(k.dir, "python"), os.Getenv("PYTHONPATH"))}
}

// findCuFile returns NVIDIA's libcufile: the one asked for, the one that programs would get, one of
// this machine's CUDA or Python packages, or the kit's own.
func (k *kit) findCuFile(ctx context.Context) string {
	const soname = "libcufile.so.0"
	if k.cufile != "" {
		return k.cufile
	}
	for _, dir := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if path := filepath.Join(dir, soname); exists(path) {
			return path
		}
	}
	patterns := []string{"/usr/local/cuda*/lib64/", "/usr/local/cuda*/targets/*/lib/", "/usr/lib/*-linux-gnu/", "/usr/lib64/", "/opt/cuda*/lib64/"}
	if k.python != "" {
		if out, err := exec.CommandContext(ctx, k.python, "-c", `import sysconfig; print(sysconfig.get_paths()["purelib"])`).Output(); err == nil {
			patterns = append(patterns, filepath.Join(strings.TrimSpace(string(out)), "nvidia/*/lib")+"/")
		}
	}
	for _, pattern := range append(patterns, filepath.Join(k.dir, "site/nvidia/*/lib")+"/") {
		if found, _ := filepath.Glob(pattern + soname); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

// buildShim makes the library that stands in for /proc/modules and udev's records, where this machine
// lacks them: libcufile needs both. Without a C compiler it is the one that make kit has built.
func (k *kit) buildShim(ctx context.Context) {
	built := filepath.Join(k.dir, "shim.so")
	for _, cc := range []string{"cc", "gcc", "clang"} {
		here := filepath.Join(k.logs(), "shim.so")
		if exec.CommandContext(ctx, cc, "-O2", "-shared", "-fPIC", "-o", here, filepath.Join(k.dir, "shim.c"), "-ldl").Run() == nil {
			k.shim = here
			return
		}
	}
	if exists(built) {
		k.shim = built
	}
}

// cufileEnv is the environment of programs that find libcufile.
func (k *kit) cufileEnv() []string {
	return []string{
		"LD_LIBRARY_PATH=" + joinPath(filepath.Dir(k.libcufile), os.Getenv("LD_LIBRARY_PATH")),
		"LD_PRELOAD=" + joinPath(k.shim, os.Getenv("LD_PRELOAD")),
	}
}

// joinPath joins the parts that aren't empty.
func joinPath(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ":")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// facts prints what the figures depend on.
func (k *kit) facts(ctx context.Context) {
	k.title("facts")
	query := "name,driver_version,memory.total,compute_mode,pcie.link.gen.current,pcie.link.width.current"
	if out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu="+query, "--format=csv,noheader").Output(); err == nil {
		k.printf("GPU: %s", out)
	} else {
		k.printf("GPU: nvidia-smi: %v\n", err)
	}
	k.printf("kernel %s, %d CPUs, %s\n", line("/proc/sys/kernel/osrelease"), runtime.NumCPU(), memory())
	k.printf("huge pages: %s; of shared memory: %s\n",
		line("/sys/kernel/mm/transparent_hugepage/enabled"), line("/sys/kernel/mm/transparent_hugepage/shmem_enabled"))
	fs, device, _ := gdsinfo.Storage(filepath.Dir(k.data), "")
	free, _ := fixtures.FreeBytes(filepath.Dir(k.data))
	k.printf("data: %s, %s on %s, %d GB free\n", k.data, fs, device, free/1e9)
	python := "none"
	if k.python != "" {
		python = fmt.Sprintf("%s, numpy: %t", k.python, k.numpy)
	}
	k.printf("cuFile: %s; /proc/modules: %t; udev: %t; shim: %s\npython3: %s\n", orNone(k.libcufile),
		exists("/proc/modules"), exists("/run/udev"), orNone(k.shim), python)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// line returns the text of a file of one line, or "unknown".
func line(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// memory says how much memory there is.
func memory() string {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return "memory unknown"
	}
	var parts []string
	for text := range strings.Lines(string(b)) {
		var name string
		var kib int64
		if _, err := fmt.Sscanf(text, "%s %d kB", &name, &kib); err == nil && (name == "MemTotal:" || name == "MemAvailable:") {
			parts = append(parts, fmt.Sprintf("%s %d MiB", name, kib>>10))
		}
	}
	return strings.Join(parts, ", ")
}
