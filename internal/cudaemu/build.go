//go:build gds && linux && (amd64 || arm64)

package cudaemu

import (
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

//go:embed testdata/*.c testdata/*.h testdata/exports.map
var sources embed.FS

// A library is built of the sources whose names match its pattern, without their folder, if there are any.
type library struct {
	name    string
	pattern []string
	flags   []string
}

const exports = "-Wl,--version-script=testdata/exports.map"

var libraries = []library{
	{"libcuda.so.1", []string{"cuda*.c", "ptx*.c"}, []string{exports, "-Wl,-Bsymbolic", "-ffp-contract=off", "-pthread", "-lm"}},
	{"libcufile.so.0", []string{"cufile*.c"}, []string{exports, "-Wl,-Bsymbolic", "-pthread", "-ldl"}},
	{"shim.so", []string{"shim.c"}, []string{"-ldl"}},
}

// Libraries returns the names of the files that Build makes.
func Libraries() []string {
	var names []string
	for _, l := range libraries {
		if len(l.sources()) > 0 {
			names = append(names, l.name)
		}
	}
	return names
}

func (l library) sources() []string {
	var names []string
	for _, p := range l.pattern {
		m, err := fs.Glob(sources, "testdata/"+p)
		if err != nil {
			panic(err) // the patterns are constants
		}
		names = append(names, m...)
	}
	return names
}

// errNoCompiler is what Build returns where there is no C compiler.
var errNoCompiler = errors.New("no C compiler")

// compiler returns the path of the C compiler and what it says of itself. It is the one that the environment variable CC names, or cc, gcc or clang.
func compiler() (path, version string, err error) {
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if name == "" {
			continue
		}
		if path, err = exec.LookPath(name); err != nil {
			continue
		}
		out, err := exec.Command(path, "--version").Output()
		if err != nil {
			return "", "", fmt.Errorf("%s --version: %w", path, err)
		}
		return path, string(out), nil
	}
	return "", "", errNoCompiler
}

// sourcesSum returns the hash of all that is built from and how, in hexadecimal digits.
func sourcesSum(more ...string) string {
	h := sha256.New()
	names, err := fs.Glob(sources, "testdata/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	slices.Sort(names)
	for _, name := range names {
		b, err := sources.ReadFile(name)
		if err != nil {
			panic(err) // embedded
		}
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
	}
	io.WriteString(h, strings.Join(more, "\n"))
	fmt.Fprint(h, runtime.GOARCH, flags, libraries)
	return fmt.Sprintf("%x", h.Sum(nil))
}

var flags = []string{"-O2", "-g", "-Wall", "-Werror", "-shared", "-fPIC"}

// Build returns a folder that holds the emulated libraries. It is in the user's cache folder; its name is the hash of the sources, the compiler and the flags,
// so that it is built only once. Many processes may call Build at the same time. Nothing removes folders of other sources.
func Build() (dir string, err error) {
	cc, version, err := compiler()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "zarrbench", "cudaemu")
	dir = filepath.Join(root, sourcesSum(cc, version))
	if complete(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(root, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(tmp, sources); err != nil {
		return "", err
	}
	for _, l := range libraries {
		if src := l.sources(); len(src) > 0 {
			args := slices.Concat(flags, []string{"-Wl,-soname," + l.name, "-o", l.name}, src, l.flags)
			cmd := exec.Command(cc, args...)
			cmd.Dir = tmp
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("building %s: %w\n%s", l.name, err, out)
			}
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil && !complete(dir) { // another process may have been first
		return "", err
	}
	return dir, nil
}

func complete(dir string) bool {
	return !slices.ContainsFunc(Libraries(), func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err != nil
	})
}
