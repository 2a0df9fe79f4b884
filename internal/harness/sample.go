package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// The flags that say what samples are besides -vars and -window.
var (
	sampleFlag = flag.String("sample", "", "a `FILE` of JSON that describes the samples: their tensors, steps, channels and types, and which samples there are; instead of -vars and -window")
	timeFlag   = flag.String("time", "", "samples all of whose steps are in a `RANGE` of times, FROM/TO or a year, month or day; of several, separated by commas, in one")
	strideFlag = flag.String("stride", "", "samples whose first index is a multiple of this `STEP` behind the first of the store: a number of indices, or a time such as 6h")
	splitFlag  = flag.String("split", "", "samples of the split NAME of a file of splits: `FILE:NAME`")
	gapsFlag   = flag.String("gaps", "keep", "samples that cross a gap of the times: keep, drop or error")
	unpackFlag = flag.Bool("unpack", false, "decode packed integers and missing values as the CF conventions say")
	dtypeFlag  = flag.String("dtype", "", "the `TYPE` of the elements of a batch: float32, float64, float16 or bfloat16; by default that of the store, or float32 with -unpack")
)

// described is the description of the samples, or nil if they are plain windows.
var described *loader.Description

// readSample sets described from the flags.
func readSample() error {
	described = nil
	d, err := readDescription()
	if err != nil || d == nil {
		return err
	}
	if err := selectSamples(&d.Select); err != nil {
		return err
	}
	for i := range d.Tensors {
		t := &d.Tensors[i]
		t.Unpack = t.Unpack || *unpackFlag
		if *dtypeFlag != "" {
			if t.Type, err = loader.ParseType(*dtypeFlag); err != nil {
				return fmt.Errorf("-dtype: %w", err)
			}
		}
	}
	described = d
	return nil
}

// readDescription returns the description that -sample names, or that of the windows if other flags need one. It returns nil if
// none does.
func readDescription() (*loader.Description, error) {
	if *sampleFlag == "" {
		plain := *timeFlag == "" && *strideFlag == "" && *splitFlag == "" && *gapsFlag == "keep" && !*unpackFlag && *dtypeFlag == ""
		windows, err := loader.ParseWindows(*windowFlag)
		if plain || err != nil { // which checkFlags returns
			return nil, nil
		}
		d := loader.Windowed(strings.Split(*varsFlag, ","), windows)
		return &d, nil
	}
	for _, name := range []string{"vars", "window"} {
		if given(name) {
			return nil, fmt.Errorf("-sample and -%s: the description of the samples names their channels and steps", name)
		}
	}
	d, err := loader.ReadDescription(*sampleFlag)
	if err != nil {
		return nil, fmt.Errorf("-sample %s: %w", *sampleFlag, err)
	}
	return &d, nil
}

// selectSamples adds the choice that the flags make to s.
func selectSamples(s *loader.Select) (err error) {
	if *timeFlag != "" {
		s.Time = nil
		for text := range strings.SplitSeq(*timeFlag, ",") {
			r, err := loader.ParseTimeRange(text)
			if err != nil {
				return fmt.Errorf("-time %s: %w", *timeFlag, err)
			}
			s.Time = append(s.Time, r)
		}
	}
	if *strideFlag != "" {
		if s.Stride, err = loader.ParseStep(*strideFlag); err != nil {
			return fmt.Errorf("-stride: %w", err)
		}
	}
	if *splitFlag != "" {
		split, err := loader.ParseSplitName(*splitFlag)
		if err != nil {
			return fmt.Errorf("-split: %w", err)
		}
		s.Split = &split
	}
	if *gapsFlag != "keep" || given("gaps") {
		if s.Gaps, err = loader.ParseGaps(*gapsFlag); err != nil {
			return fmt.Errorf("-gaps: %w", err)
		}
	}
	return nil
}

// given reports whether the command line sets a flag.
func given(name string) bool { return slices.Contains(givenFlags(), "-"+name) }

// sampleLabel returns what tells descriptions apart: the first 8 hexadecimal digits of a SHA-256 of the canonical JSON, or "" if
// samples are windows.
func sampleLabel() (string, error) {
	if described == nil {
		return "", nil
	}
	doc, err := json.Marshal(*described)
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:4]), err
}

// channelNames returns the channels that the flags name, of all tensors.
func channelNames() []string {
	if described == nil {
		return strings.Split(*varsFlag, ",")
	}
	var names []string
	for _, t := range described.Tensors {
		names = append(names, t.Channels...)
	}
	return names
}

// sampledDims returns the dimensions that samples are taken along.
func sampledDims() (dims []string) {
	if described == nil {
		windows, _ := loader.ParseWindows(*windowFlag) // checked by checkFlags
		for _, w := range windows {
			dims = append(dims, w.Dim)
		}
		return dims
	}
	for _, a := range described.Along {
		dims = append(dims, a.Dim)
	}
	return dims
}

// parseLoss parses the value of -loss. It returns the names of the two tensors that are compared, which are "" for the first and
// the last of a batch, and whether there is a loss at all.
func parseLoss(s string) (x, y string, ok bool, err error) {
	pair, named := strings.CutPrefix(s, "mse:")
	x, y, two := strings.Cut(pair, ",")
	switch {
	case s == "none":
		return "", "", false, nil
	case s == "mse":
		return "", "", true, nil
	case named && two && x != "" && y != "" && !strings.Contains(y, ","):
		return x, y, true, nil
	}
	return "", "", false, fmt.Errorf("-loss %s: want mse, mse:TENSOR,TENSOR or none", s)
}

// withLoss reports whether -loss asks for one.
func withLoss() bool {
	_, _, ok, _ := parseLoss(*lossFlag) // checked by checkFlags
	return ok
}

// pair returns the two tensors of b that are compared.
func (m *mse) pair(b *loader.Batch) (x, y tensor.Tensor, err error) {
	nameX, nameY := m.x, m.y
	if nameX == "" && *sampleFlag == "" {
		if len(b.Tensors) < 2 {
			return x, y, errors.New("-loss mse compares a window's first and last step: it needs windows of 2 steps or more, or -loss none")
		}
		x, y = b.Input(), b.Target()
	} else {
		if nameX == "" {
			nameX, nameY = "input", "target"
		}
		var okX, okY bool
		x, okX = b.Tensor(nameX)
		y, okY = b.Tensor(nameY)
		if !okX || !okY {
			var names []string
			for _, t := range b.Tensors {
				names = append(names, t.Name)
			}
			return x, y, fmt.Errorf("-loss %s compares the tensors %q and %q, the samples have %s: use -loss mse:TENSOR,TENSOR or none",
				*lossFlag, nameX, nameY, strings.Join(names, ", "))
		}
	}
	switch {
	case x.DType != zarrio.Float32 || y.DType != zarrio.Float32:
		return x, y, fmt.Errorf("-loss mse is defined for float32, the data are %s and %s: use -loss none", x.DType, y.DType)
	case !slices.Equal(x.Shape, y.Shape) || len(x.Dims) == 0 || x.Dims[0] != y.Dims[0]:
		return x, y, fmt.Errorf("-loss mse compares tensors of one shape, %q is %v, %q is %v: use -loss none", x.Name, x.Shape, y.Name, y.Shape)
	}
	return x, y, nil
}
