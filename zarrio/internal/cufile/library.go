//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"zarrbench/zarrio/internal/cstr"
)

// soname is the library's name in CUDA 12 and 13.
const soname = "libcufile.so.0"

// A library is libcufile with the functions that this version has: those that it lacks are nil, or 0. A CUfileError_t comes as
// a uint64: the calling conventions of amd64 and arm64 return a structure of two int32 in one register.
type library struct {
	path     string // the file, as the dynamic linker found it
	version  int    // 1000 times the major version and 10 times the minor one, or 0 before 1.8
	emulated bool

	driverOpen       func() uint64
	driverClose      func() uint64
	getVersion       func(*int32) uint64
	getProperties    func(*rawProperties) uint64
	handleRegister   func(*uintptr, *descriptor) uint64
	handleDeregister func(uintptr)
	bufRegister      func(base, n uintptr, flags int32) uint64
	bufDeregister    func(base uintptr) uint64

	getSize     func(int32, *uintptr) uint64 // since 1.14
	getBool     func(int32, *uint8) uint64
	getString   func(int32, *byte, int32) uint64
	setBool     func(int32, bool) uint64
	barSize     func(int32, *uintptr) uint64 // since 1.15
	setLevel    func(int32) uint64
	startStats  func() uint64
	getStats    func(*rawStats) uint64
	batchSetUp  func(*uintptr, uint32) uint64 // since 1.7
	batchCancel func(uintptr) uint64
	batchFree   func(uintptr)

	// Called where nothing may be allocated, by address.
	read, batchSubmit, batchStatus uintptr
	errnoLocation                  uintptr // of the C library
}

// A descriptor is a CUfileDescr_t.
type descriptor struct {
	kind int32 // 1 is a descriptor of Linux
	_    int32
	fd   int32
	_    int32
	_    uintptr // functions of a file system in user space
}

// load loads the library and looks its functions up. It stays loaded.
func load() (*library, error) {
	quiet()
	if runtime.GOARCH == "arm64" {
		// libcufile for arm64 uses librt without saying so, which matters where glibc is older than 2.34. Without librt, the
		// error of libcufile tells.
		_, _ = purego.Dlopen("librt.so.1", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	}
	handle, err := purego.Dlopen(soname, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", soname, err)
	}
	l := new(library)
	find := func(name string) uintptr {
		address, err := purego.Dlsym(handle, name)
		if err != nil {
			return 0
		}
		return address
	}
	for _, f := range []struct {
		name string
		fn   any
	}{
		{"cuFileDriverOpen", &l.driverOpen}, {"cuFileDriverClose_v2", &l.driverClose},
		{"cuFileDriverGetProperties", &l.getProperties},
		{"cuFileHandleRegister", &l.handleRegister}, {"cuFileHandleDeregister", &l.handleDeregister},
		{"cuFileBufRegister", &l.bufRegister}, {"cuFileBufDeregister", &l.bufDeregister},
	} {
		address, err := purego.Dlsym(handle, f.name)
		if err != nil && f.name == "cuFileDriverClose_v2" { // the name before 1.4
			address, err = purego.Dlsym(handle, "cuFileDriverClose")
		}
		if err != nil {
			return nil, fmt.Errorf("%s lacks a function: %w", soname, err)
		}
		purego.RegisterFunc(f.fn, address)
	}
	if l.read, err = purego.Dlsym(handle, "cuFileRead"); err != nil {
		return nil, fmt.Errorf("%s lacks a function: %w", soname, err)
	}
	if l.path, err = pathOf(l.read); err != nil {
		return nil, err
	}
	if address := find("cuFileGetVersion"); address != 0 { // since 1.8
		purego.RegisterFunc(&l.getVersion, address)
		var v int32
		if err := check("cuFileGetVersion", l.getVersion(&v)); err != nil {
			return nil, err
		}
		l.version = int(v)
	}
	for _, f := range []struct {
		since int
		name  string
		fn    any
	}{
		{1070, "cuFileBatchIOSetUp", &l.batchSetUp}, {1070, "cuFileBatchIOCancel", &l.batchCancel},
		{1070, "cuFileBatchIODestroy", &l.batchFree},
		{1140, "cuFileGetParameterSizeT", &l.getSize}, {1140, "cuFileGetParameterBool", &l.getBool},
		{1140, "cuFileGetParameterString", &l.getString}, {1140, "cuFileSetParameterBool", &l.setBool},
		{1150, "cuFileGetBARSizeInKB", &l.barSize}, {1150, "cuFileSetStatsLevel", &l.setLevel},
		{1150, "cuFileStatsStart", &l.startStats}, {1150, "cuFileGetStatsL3", &l.getStats},
	} {
		// What a version has before it is documented isn't trusted to be the same.
		if address := find(f.name); address != 0 && (l.version == 0 || l.version >= f.since) {
			purego.RegisterFunc(f.fn, address)
		}
	}
	if l.batchSetUp != nil {
		l.batchSubmit, l.batchStatus = find("cuFileBatchIOSubmit"), find("cuFileBatchIOGetStatus")
	}
	l.emulated = find("zarrbench_emulated") != 0
	if l.errnoLocation, err = purego.Dlsym(purego.RTLD_DEFAULT, "__errno_location"); err != nil {
		return nil, fmt.Errorf("the C library is not glibc: %w", err)
	}
	return l, nil
}

// errno returns the error number of the last C call of this thread. The goroutine must be locked to it.
func (l *library) errno() int {
	p, _, _ := purego.SyscallN(l.errnoLocation)
	return int(**(**int32)(unsafe.Pointer(&p))) // a pointer of C, which the collector doesn't know
}

// pathOf returns the path of the library that holds the function at an address.
func pathOf(address uintptr) (string, error) {
	at, err := purego.Dlsym(purego.RTLD_DEFAULT, "dladdr")
	if err != nil {
		return "", err
	}
	var dladdr func(uintptr, *dlInfo) int32
	purego.RegisterFunc(&dladdr, at)
	var info dlInfo
	if dladdr(address, &info) == 0 || info.path == nil {
		return "", fmt.Errorf("the dynamic linker doesn't know where %s is", soname)
	}
	return cstr.String(info.path), nil
}

// A dlInfo is a Dl_info.
type dlInfo struct {
	path *byte
	_    [3]uintptr // where it is loaded, and a symbol's name and address
}

// quiet keeps the library from writing cufile.log into the working directory, unless the environment says where it goes. The
// library reads the environment of C, which is another than that of package os.
func quiet() {
	if !logsByDefault() {
		return
	}
	at, err := purego.Dlsym(purego.RTLD_DEFAULT, "setenv")
	if err != nil {
		return // Then there is a log, and no harm done.
	}
	var setenv func(name, value string, overwrite int32) int32
	purego.RegisterFunc(&setenv, at)
	setenv(logVariable, os.DevNull, 0)
}

const logVariable = "CUFILE_LOGFILE_PATH"

// logsByDefault reports whether the library would choose where its log goes.
func logsByDefault() bool {
	_, path := os.LookupEnv(logVariable)
	_, config := os.LookupEnv("CUFILE_ENV_PATH_JSON")
	return !path && !config
}
