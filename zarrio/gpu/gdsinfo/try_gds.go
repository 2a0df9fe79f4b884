//go:build gds && linux && (amd64 || arm64)

package gdsinfo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"zarrbench/zarrio/internal/cuda"
	"zarrbench/zarrio/internal/cufile"
)

// Values of CUdevice_attribute.
const (
	attributeMajor  = 75
	attributeMinor  = 76
	attributeRDMA   = 116
	attributeDMABuf = 124
)

// try opens the GPU and cuFile, asks both what they are, and reads the sample.
func try(ctx context.Context, s sample, opt Options) tried {
	t := tried{built: true}
	driver, err := cuda.Load()
	if err != nil {
		t.cuda, t.device, t.cufile = err, err, err
		t.proof.Error = err.Error()
		return t
	}
	t.emulated = driver.Emulated()
	t.add("cuda.version", cuda.Dotted(driver.Version()), "cuDriverGetVersion")
	t.add("cuda.devices", strconv.Itoa(driver.Count()), "cuDeviceGetCount")
	dev, err := driver.Open(opt.GPU)
	if err != nil {
		t.device, t.cufile = err, err
		t.proof.Error = err.Error()
		return t
	}
	t.withDevice(ctx, dev, s, opt)
	if err := dev.Close(); err != nil {
		t.proof.fail(err)
	}
	return t
}

// withDevice is the part of try that has a GPU.
func (t *tried) withDevice(ctx context.Context, dev *cuda.Device, s sample, opt Options) {
	t.gpu = describe(dev)
	p := prover{dev: dev, sample: s, root: beneath(opt.Root)}
	lib, err := cufile.Open(dev, cufile.Config{ProbeTimeout: opt.ProbeTimeout, Root: opt.Root})
	if err != nil {
		t.cufile = err
		if s.err == nil && ctx.Err() == nil {
			t.proof, t.proven = p.copy(), hostRoute
		}
		return
	}
	t.emulated = t.emulated || lib.Emulated()
	t.libraryFacts(lib)
	if kib, err := lib.BARSizeKB(dev.Ordinal()); err == nil {
		t.gpu.BAR1 = kib << 10
	}
	if s.err == nil && ctx.Err() == nil {
		t.proof = p.read(lib)
		t.proven = routeOf(t.proof.Counters, int64(len(s.want)))
	}
	if err := lib.Close(); err != nil {
		t.proof.fail(err)
		return
	}
	switch {
	case s.err != nil || ctx.Err() != nil:
	case t.proof.Error != "" && t.proof.Bytes == 0: // kvikIO reads such a file by itself
		second := p.copy()
		second.Error = strings.Join(strings.Fields(t.proof.Error+" "+second.Error), " ")
		t.proof, t.proven = second, hostRoute
	case t.proof.Equal && t.proven == unknownRoute && opt.Strict:
		t.strict(&p, opt)
	}
}

// strict reads with compat mode forbidden, which says which way a read went where nothing counts.
func (t *tried) strict(p *prover, opt Options) {
	ok, route := false, hostRoute
	lib, err := cufile.Open(p.dev, cufile.Config{ProbeTimeout: opt.ProbeTimeout, Root: opt.Root, ForbidCompat: true})
	if err == nil {
		second := p.read(lib)
		if err = lib.Close(); err == nil && second.Equal && second.Error == "" {
			ok, route = true, directRoute
		}
	}
	t.proof.Strict, t.proven = &ok, route
	value := "read " + map[bool]string{true: "rightly", false: "nothing"}[ok]
	if err != nil {
		value = err.Error()
	}
	t.add("cufile.strict", value, "cuFileSetParameterBool allow_compat_mode false")
}

func (t *tried) add(key, value, source string) {
	t.facts = append(t.facts, Fact{key, cmp.Or(value, "none"), source})
}

// describe asks what there is to know of a GPU. What it doesn't tell is left out.
func describe(dev *cuda.Device) GPU {
	ordinal := dev.Ordinal()
	g := GPU{PCI: dev.PCIBusID(), Name: dev.Name(), Ordinal: &ordinal}
	major, err := dev.Attribute(attributeMajor)
	minor, err2 := dev.Attribute(attributeMinor)
	if errors.Join(err, err2) == nil {
		g.Compute = fmt.Sprintf("%d.%d", major, minor)
	}
	g.RDMA = attribute(dev, attributeRDMA)
	g.DMABuf = attribute(dev, attributeDMABuf)
	return g
}

// attribute asks for one that is yes or no; nil if the driver doesn't know it.
func attribute(dev *cuda.Device, number int) *bool {
	v, err := dev.Attribute(number)
	if err != nil {
		return nil
	}
	return new(v != 0)
}

// libraryFacts adds what cuFile tells of itself.
func (t *tried) libraryFacts(lib *cufile.Driver) {
	t.add("cufile.loaded", lib.Path(), "dladdr")
	t.add("cufile.version", cuda.Dotted(lib.Version()), "cuFileGetVersion")
	const source = "cuFileDriverGetProperties"
	if p, err := lib.Properties(); err != nil {
		t.add("cufile.properties", notRead(err), source)
	} else {
		t.add("cufile.nvidia-fs", fmt.Sprintf("%d.%d", p.NVFSMajor, p.NVFSMinor), source)
		t.add("cufile.supported", p.Supported.String(), source+" dstatusflags")
		t.add("cufile.control", p.Control.String(), source+" dcontrolflags")
		t.add("cufile.features", p.Features.String(), source+" fflags")
	}
	for i := range cufile.SizeParameters {
		v, err := lib.Size(i)
		t.parameter(i.String(), strconv.FormatUint(v, 10), err, "cuFileGetParameterSizeT")
	}
	for i := range cufile.BoolParameters {
		v, err := lib.Bool(i)
		t.parameter(i.String(), strconv.FormatBool(v), err, "cuFileGetParameterBool")
	}
	for i := range cufile.StringParameters {
		v, err := lib.Text(i)
		t.parameter(i.String(), v, err, "cuFileGetParameterString")
	}
}

// parameter adds a setting of cuFile, unless this version doesn't have it.
func (t *tried) parameter(name, value string, err error, source string) {
	switch {
	case errors.Is(err, cufile.ErrNoParameter):
		return
	case err != nil:
		value = notRead(err)
	}
	t.add("cufile.parameter."+name, value, source)
}
