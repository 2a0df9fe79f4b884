package fileio

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestSeccomp reads in a process that may not use io_uring.
func TestSeccomp(t *testing.T) {
	const mark = "FILEIO_SECCOMP"
	if os.Getenv(mark) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSeccomp$", "-test.v")
		cmd.Env = append(os.Environ(), mark+"=1")
		out, err := cmd.CombinedOutput()
		if errors.Is(err, unix.ENOEXEC) {
			t.Skipf("an emulated process can't start itself: %v", err)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skipf("%s", out)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	forbid(t, unix.SYS_IO_URING_SETUP)
	d := dir(t.TempDir())
	whole := d.write(t, "file", autoSize)
	for _, mode := range modes {
		d.evict(t, "file")
		r := newReader(t, mode, nil)
		if r.Ahead() > 0 {
			t.Errorf("%v: %d reads ahead", mode, r.Ahead())
		}
		for range 2 {
			checkRead(t, r, d, "file", whole, 0, autoSize, 64)
		}
		want := mode.String()
		if mode == Uring || mode == Auto {
			want += ": without io_uring, since a sandbox forbids io_uring: operation not permitted"
		}
		if got := r.files.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// forbid makes a system call fail with EPERM in all threads of this process.
func forbid(t *testing.T, nr uint32) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const setModeFilter, tsync, retErrno, retAllow = 1, 1, 0x50000, 0x7fff0000
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
		{Code: unix.BPF_RET | unix.BPF_K, K: retErrno | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: retAllow},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		t.Skipf("no filter can be set: %v", errno)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, tsync, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		t.Skipf("no filter can be set: %v", errno)
	}
}
