//go:build gds && linux && (amd64 || arm64)

package cuda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"zarrbench/internal/cudaemu"
)

// storePTX is a kernel store with n parameters: the address to which its first thread writes the others.
func storePTX(n int) string {
	var b strings.Builder
	b.WriteString(".version 5.0\n.target sm_50\n.address_size 64\n\n.visible .entry store(\n")
	for i := range n {
		fmt.Fprintf(&b, "\t.param .u64 store_param_%d", i)
		if i < n-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, ")\n{\n\t.reg .b64 %%rd<%d>;\n\n\tld.param.u64 %%rd1, [store_param_0];\n\tcvta.to.global.u64 %%rd2, %%rd1;\n", n+3)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "\tld.param.u64 %%rd%d, [store_param_%d];\n\tst.global.u64 [%%rd2+%d], %%rd%d;\n", i+2, i, 8*(i-1), i+2)
	}
	b.WriteString("\tret;\n}\n")
	return b.String()
}

// loadStore loads a kernel of storePTX, or skips where the emulator runs none.
func loadStore(t *testing.T, d *Device, n int) Function {
	t.Helper()
	m, err := d.LoadModule(storePTX(n))
	if err != nil {
		why := cudaemu.LastError()
		if strings.Contains(why, "without a PTX interpreter") {
			t.Skip(why)
		}
		t.Fatalf("%v: %s", err, why)
	}
	t.Cleanup(func() { check(t, d.Bind(), d.UnloadModule(m)) })
	return must(d.Function(m, "store"))(t)
}

func TestLaunch(t *testing.T) {
	d := open(t, 0)
	s := stream(t, d)
	for n := 2; n <= maxLaunchArgs; n += 7 {
		f := loadStore(t, d, n)
		out := alloc(t, d, 8*maxLaunchArgs)
		args := []uint64{uint64(out)}
		for i := 1; i < n; i++ {
			args = append(args, uint64(i)*0xf123456789abcdef)
		}
		check(t, d.Launch(f, 1, 1, s, args...))
		args[1] = 0 // They were read when Launch returned.
		check(t, d.Synchronize(s))
		got := make([]byte, 8*(n-1))
		check(t, d.CopyDtoH(got, out))
		for i := 1; i < n; i++ {
			if v, want := binary.LittleEndian.Uint64(got[8*(i-1):]), uint64(i)*0xf123456789abcdef; v != want {
				t.Errorf("%d parameters: parameter %d is %#x, want %#x", n, i, v, want)
			}
		}
	}
}

func TestLaunchAllocs(t *testing.T) {
	d := open(t, 0)
	const n = 1024
	h := &hot{f: loadStore(t, d, 3), s: stream(t, d), e: event(t, d), dst: alloc(t, d, n), src: alloc(t, d, n), host: pinned(t, d, n)}
	checkAllocs(t, d, h)
	check(t, d.Synchronize(h.s))
}

func TestModuleErrors(t *testing.T) {
	d := open(t, 0)
	f := loadStore(t, d, 2)
	for _, shape := range [][2]uint32{{0, 1}, {1, 0}, {1, 1 << 20}} {
		if err := d.Launch(f, shape[0], shape[1], 0, 0, 0); !errors.Is(err, &Error{Call: "cuLaunchKernel", Code: 1}) {
			t.Errorf("launch of %d blocks of %d threads: %v, want %s", shape[0], shape[1], err, ErrorName(1))
		}
	}
	if m, err := d.LoadModule("this is no PTX"); !errors.Is(err, &Error{Call: "cuModuleLoadData", Code: 218}) || m != 0 {
		t.Errorf("LoadModule = %d, %v, want %s", m, err, ErrorName(218))
	}
	m := must(d.LoadModule(storePTX(2)))(t)
	_, err := d.Function(m, "nothing")
	if !errors.Is(err, &Error{Call: "cuModuleGetFunction", Code: 500}) || !strings.Contains(err.Error(), `kernel "nothing"`) {
		t.Errorf("Function: %v, want %s", err, ErrorName(500))
	}
	check(t, d.UnloadModule(m))
}
