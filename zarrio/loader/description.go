package loader

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"zarrbench/zarrio/meta"
)

// A Description says what a sample is: the tensors that it has, and which samples there are.
type Description struct {
	// Along lists the dimensions that samples are taken along; the last varies fastest. The first is
	// the step dimension: a sample is at each Stride-th of its indices. The grid's are cut into patches
	// of Size indices, Stride apart; a Stride of 0 is the Size. Of each further dimension, such as
	// members or initial times, a sample has one index, each Stride-th of them. An array without
	// that dimension is the same for all indices.
	Along []Axis
	// Tensors are those of a batch, in order. Their names differ.
	Tensors []TensorSpec
	// Select says which samples there are. The zero value stands for all whose steps exist.
	Select Select
}

// An Axis is a dimension that samples are taken along.
type Axis struct {
	Dim          string
	Size, Stride int
}

// A TensorSpec describes one tensor of a batch, of the dimensions sample, step, channel and the
// grid's two.
type TensorSpec struct {
	Name string
	// Channels are as in Options.
	Channels []string
	// Steps are the places of the tensor's steps. A sample exists if all steps of all tensors do.
	Steps []Step
	// Static tensors have no step, and no channel with the step dimension. They are read once, and
	// are the same in each batch, unless the grid is cut into patches or a channel has a further
	// dimension of Along: such tensors have a sample dimension.
	Static bool
	// Crop limits the grid to ranges of coordinates, by dimension. A range of longitudes goes east
	// from its first end.
	Crop map[string]Range
	// Type is the type of the tensor's elements: float32, float64, float16 or bfloat16. The zero value
	// stands for that of the arrays, which must be one then, or for float32 if they are unpacked or
	// normalized.
	Type meta.DType
	// Unpack decodes arrays as the CF conventions say: packed integers are multiplied by their
	// scale_factor and shifted by their add_offset, and missing values are NaN. See [zarrio.ReadCF].
	Unpack bool
	// Normalize has the statistics of each channel, by its name: (x-mean)/std replaces x.
	Normalize map[string]Affine
	// Squeeze names dimensions of the tensor that are left out. Their extent must be 1.
	Squeeze []string
}

// An Affine is the mean and the standard deviation of a channel.
type Affine struct {
	Mean float64 `json:"mean"`
	Std  float64 `json:"std"`
}

// axes returns Along with the strides that are left out.
func (d *Description) axes() []Axis {
	along := slices.Clone(d.Along)
	for i, a := range along {
		along[i].Stride = cmp.Or(a.Stride, a.Size)
	}
	return along
}

// described returns the description of the samples, or nil if they are windows.
func (o *Options) described() *Description {
	if len(o.Sample.Tensors) == 0 {
		return nil
	}
	return &o.Sample
}

// maxSteps limits the steps of a tensor.
const maxSteps = 1 << 16

// check returns an error if the description makes no sense, whatever the store.
func (d *Description) check() error {
	switch {
	case len(d.Along) == 0 || d.Along[0].Dim == "":
		return errors.New("a description needs the dimension of its samples: along")
	case d.Along[0].Size > 1:
		return fmt.Errorf("along %q: size %d: samples are at single indices, the tensors' steps lie around them",
			d.Along[0].Dim, d.Along[0].Size)
	}
	for i, a := range d.Along {
		// Along a further dimension, the stride may be larger than the size of 1.
		if a.Stride < 0 || a.Size < 0 || i > 0 && a.Size > 1 && a.Stride > a.Size {
			return fmt.Errorf("along %q: size %d, stride %d: want a stride of 1 to the size", a.Dim, a.Size, a.Stride)
		}
	}
	var sampled bool
	for i := range d.Tensors {
		t := &d.Tensors[i]
		switch {
		case t.Name == "":
			return fmt.Errorf("tensor %d has no name", i)
		case slices.ContainsFunc(d.Tensors[:i], func(o TensorSpec) bool { return o.Name == t.Name }):
			return fmt.Errorf("two tensors are named %q", t.Name)
		case len(t.Channels) == 0:
			return fmt.Errorf("tensor %q has no channels", t.Name)
		case t.Static && len(t.Steps) > 0:
			return fmt.Errorf("tensor %q is static and has steps", t.Name)
		case !t.Static && len(t.Steps) == 0:
			return fmt.Errorf("tensor %q has no steps, and is not static", t.Name)
		case len(t.Steps) > maxSteps:
			return fmt.Errorf("tensor %q has %d steps: want at most %d", t.Name, len(t.Steps), maxSteps)
		}
		sampled = sampled || !t.Static
	}
	if !sampled {
		return errors.New("all tensors are static: there is nothing to sample")
	}
	return nil
}

// Windowed returns the description of windows, the first of which is along the step dimension: a
// tensor for each of its steps, "input", "step1" and so on, the last of which is "target". Samples
// are those of Options with these Channels and Windows.
func Windowed(channels []string, windows []Window) Description {
	var d Description
	for i, w := range windows {
		a := Axis{Dim: w.Dim, Size: w.Size, Stride: w.Size - w.Overlap}
		if i == 0 {
			a.Size = 0
			for k := range min(w.Size, maxSteps) {
				d.Tensors = append(d.Tensors, TensorSpec{
					Name: windowName(k, w.Size), Channels: channels, Steps: []Step{{N: k}}, Squeeze: []string{w.Dim},
				})
			}
		}
		d.Along = append(d.Along, a)
	}
	return d
}

// windowName returns the name of the tensor of step i of windows of n steps.
func windowName(i, n int) string {
	switch i {
	case 0:
		return "input"
	case n - 1:
		return "target"
	}
	return fmt.Sprintf("step%d", i)
}
