//go:build gds && linux && (amd64 || arm64)

package cufile

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// asynchronous are the signals that don't come from what a thread itself does: Go's own for preemption and profiles among them.
var asynchronous = func() (set unix.Sigset_t) {
	for s := unix.SIGHUP; s <= unix.SIGSYS; s++ {
		switch s {
		case unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSYS:
		default:
			set.Val[0] |= 1 << (s - 1)
		}
	}
	return set
}()

// withoutSignals runs f on one thread, whose asynchronous signals wait until it returns. Go's runtime interrupts threads at any time
// to preempt what runs on them: cuFileBatchIOGetStatus then fails, with 5044 in version 1.20 and 5030 in 1.14, and nvidia-fs
// gives a read up that its file system would start anew.
func withoutSignals(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.Sigset_t
	if unix.PthreadSigmask(unix.SIG_BLOCK, &asynchronous, &before) == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	}
	f()
}
