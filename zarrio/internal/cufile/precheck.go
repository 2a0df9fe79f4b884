//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// inspect looks for what makes the library hang, crash or close descriptors that aren't its own. It looks with the C library's
// functions, as libcufile does, so that what a preloaded library shows to one is what the other sees.
func inspect(root string) error {
	root = cmp.Or(root, "/")
	machine, err := newFiles(root)
	if err != nil {
		return err
	}
	modules, err := machine.read("/proc/modules")
	if err != nil {
		return fmt.Errorf("cuFile not used: %w: libcufile would wait for ever for its list of modules; it needs a kernel with loadable modules, and /proc mounted", err)
	}
	if release, err := machine.read("/proc/sys/kernel/osrelease"); err == nil && bytes.Contains(release, []byte("icrosoft")) {
		return fmt.Errorf("cuFile not used: the kernel %q is of the Windows Subsystem for Linux, where libcufile isn't supported; it needs Linux on the machine itself", bytes.TrimSpace(release))
	}
	if err := machine.folder("/run/udev"); err != nil {
		return fmt.Errorf("cuFile not used: %w: libcufile finds block devices by udev's database; run udev, or in a container mount the host's /run/udev, read-only (docker run -v /run/udev:/run/udev:ro)", err)
	}
	if !hasModule(modules, "nvidia_fs") {
		return nil
	}
	if nodes, err := filepath.Glob(filepath.Join(root, "dev", "nvidia-fs*")); err != nil || len(nodes) == 0 {
		return errors.New("cuFile not used: the kernel module nvidia_fs is loaded, but there are no /dev/nvidia-fs*: libcufile would close descriptor 0; in a container pass the nodes (docker run --device /dev/nvidia-fs0 and so on), elsewhere reload nvidia_fs")
	}
	return nil
}

// hasModule reports whether the text of /proc/modules lists a module: each line starts with a module's name.
func hasModule(modules []byte, name string) bool {
	for line := range bytes.Lines(modules) {
		if first, _, _ := bytes.Cut(line, []byte(" ")); string(first) == name {
			return true
		}
	}
	return false
}

// files opens files by the C library, below a root.
type files struct {
	root string
	lib  *library // for errno
	open func(path string, flags int32) int32
}

func newFiles(root string) (*files, error) {
	f := &files{root: root, lib: new(library)}
	open, err := purego.Dlsym(purego.RTLD_DEFAULT, "open")
	if err != nil {
		return nil, err
	}
	purego.RegisterFunc(&f.open, open)
	f.lib.errnoLocation, err = purego.Dlsym(purego.RTLD_DEFAULT, "__errno_location")
	return f, err
}

func (f *files) at(path string, flags int32) (*os.File, error) {
	path = filepath.Join(f.root, path)
	runtime.LockOSThread() // for errno
	defer runtime.UnlockOSThread()
	fd := f.open(path, flags|unix.O_RDONLY|unix.O_CLOEXEC)
	if fd < 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.Errno(f.lib.errno())}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (f *files) read(path string) ([]byte, error) {
	file, err := f.at(path, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// folder returns an error where there is no folder of that path.
func (f *files) folder(path string) error {
	file, err := f.at(path, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	return file.Close()
}
