package gdsinfo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// soname is the name that both CUDA 12 and 13 install cuFile by.
const soname = "libcufile.so.0"

// A library is where libcufile lies.
type library struct {
	file    string // "" if none was found
	version string // as the file that the name leads to is called: "1.14.1"
	loader  bool   // the dynamic linker looks there
}

// findLibrary looks for libcufile where the dynamic linker does, and then where CUDA puts it.
func findLibrary(r beneath) library {
	var folders []string
	for dir := range strings.SplitSeq(os.Getenv("LD_LIBRARY_PATH"), ":") {
		if filepath.IsAbs(dir) {
			folders = append(folders, dir)
		}
	}
	if cache, err := r.read("/etc/ld.so.cache"); err == nil {
		folders = append(folders, cached(cache)...)
	}
	triple := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	folders = append(folders, "/lib/"+triple, "/usr/lib/"+triple, "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	known := len(folders)
	folders = append(folders, "/usr/local/cuda/lib64")
	for _, name := range slices.Backward(r.names("/usr/local")) { // the newest first
		if strings.HasPrefix(name, "cuda-") {
			folders = append(folders, "/usr/local/"+name+"/lib64")
		}
	}
	for i, dir := range folders {
		file := filepath.Join(dir, soname)
		if !r.exists(file) {
			continue
		}
		l := library{file: file, loader: i < known}
		if target, ok := r.resolve(file); ok && filepath.Base(target) != soname {
			l.version = strings.TrimPrefix(filepath.Base(target), "libcufile.so.")
		}
		return l
	}
	return library{}
}

// cached returns the folders of libcufile that the linker's cache lists: its strings stand there whole, each behind a zero.
func cached(cache string) (folders []string) {
	rest := cache
	for {
		before, after, found := strings.Cut(rest, "/"+soname+"\x00")
		if !found {
			return folders
		}
		folders = append(folders, before[strings.LastIndexByte(before, 0)+1:])
		rest = after
	}
}

// A config is what a cufile.json says that changes whether GDS is used.
type config struct {
	file     string // "" if there is none
	err      error
	allow    *bool
	force    bool
	p2p      bool
	denylist map[string][]string
}

// configFile is where cuFile looks for its configuration if CUFILE_ENV_PATH_JSON names no other file.
const configFile = "/etc/cufile.json"

// findConfig reads cuFile's configuration as cuFile finds it.
func findConfig(r beneath) config {
	c := config{file: cmp.Or(os.Getenv("CUFILE_ENV_PATH_JSON"), configFile)}
	text, err := r.read(c.file)
	switch {
	case errors.Is(err, os.ErrNotExist) && c.file == configFile:
		c.file = ""
		return c
	case err != nil:
		c.err = err
		return c
	}
	c.err = c.parse(text)
	return c
}

// parse reads JSON with comments, as NVIDIA ships it.
func (c *config) parse(text string) error {
	var doc struct {
		Properties struct {
			Allow *bool `json:"allow_compat_mode"`
			Force bool  `json:"force_compat_mode"`
			P2P   bool  `json:"use_pci_p2pdma"`
		} `json:"properties"`
		Denylist map[string][]string `json:"denylist"`
	}
	plain := uncomment([]byte(text))
	if err := json.Unmarshal(plain, &doc); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fmt.Errorf("line %d: %w", 1+bytes.Count(plain[:min(int(e.Offset), len(plain))], []byte("\n")), err)
		}
		return err
	}
	c.allow, c.force, c.p2p, c.denylist = doc.Properties.Allow, doc.Properties.Force, doc.Properties.P2P, doc.Denylist
	return nil
}

// uncomment returns JSON with its comments replaced by spaces, so that offsets and lines stay.
func uncomment(text []byte) []byte {
	out := bytes.Clone(text)
	for i := 0; i < len(out); i++ {
		rest := out[i:]
		end := 0
		switch {
		case out[i] == '"':
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
			continue
		case bytes.HasPrefix(rest, []byte("//")):
			if end = bytes.IndexByte(rest, '\n'); end < 0 {
				end = len(rest)
			}
		case bytes.HasPrefix(rest, []byte("/*")):
			if end = bytes.Index(rest[2:], []byte("*/")) + 4; end < 4 {
				end = len(rest)
			}
		default:
			continue
		}
		for j := range rest[:end] {
			if rest[j] != '\n' {
				rest[j] = ' '
			}
		}
		i += end - 1
	}
	return out
}

// on reports whether a variable of cuFile switches something on.
func on(variable string) bool {
	v := strings.ToLower(os.Getenv(variable))
	return v == "true" || v == "1"
}

// step reports whether the configuration lets cuFile use GDS for a directory's storage.
func (c *config) step(s *storage) Step {
	name := cmp.Or(c.file, configFile)
	switch {
	case c.err != nil:
		return Step{Found: name + ": " + notRead(c.err), Mend: "mend " + name + ", or take it away: cuFile has defaults"}
	case on("CUFILE_FORCE_COMPAT_MODE"):
		return Step{Found: "CUFILE_FORCE_COMPAT_MODE is set", Mend: "unset CUFILE_FORCE_COMPAT_MODE, which keeps cuFile from using GDS"}
	case c.force:
		return Step{Found: name + " forces compat mode", Mend: "set properties.force_compat_mode to false in " + name}
	}
	for _, d := range [][2]string{{"filesystems", s.fs}, {"mounts", s.mount}, {"devices", s.device}} {
		if kind, found := d[0], d[1]; found != "" && slices.Contains(c.denylist[kind], found) {
			return Step{Found: name + " denies " + found, Mend: "take " + found + " from denylist." + kind + " in " + name}
		}
	}
	if c.file == "" {
		return Step{OK: true, Found: "none, so cuFile's defaults hold"}
	}
	return Step{OK: true, Found: name}
}

// facts adds what the configuration says.
func (c *config) facts(rep *Report) {
	const source = "CUFILE_ENV_PATH_JSON, " + configFile
	if c.file == "" {
		rep.add("cufile.json", "none", source)
		return
	}
	if c.err != nil {
		rep.add("cufile.json", c.file+": "+notRead(c.err), source)
		return
	}
	rep.add("cufile.json", c.file, source)
	allow := "default"
	if c.allow != nil {
		allow = fmt.Sprint(*c.allow)
	}
	rep.add("cufile.json.allow_compat_mode", allow, c.file)
	rep.add("cufile.json.force_compat_mode", fmt.Sprint(c.force), c.file)
	rep.add("cufile.json.use_pci_p2pdma", fmt.Sprint(c.p2p), c.file)
}
