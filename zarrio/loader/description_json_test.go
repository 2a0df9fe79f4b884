package loader_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/meta"
)

const descriptionDoc = `{"version": 1, "along": [{"dim": "time"}, {"dim": "latitude", "size": 48, "stride": 16}],
 "tensors": [
  {"name": "input", "channels": ["z@level=500,850", "t2m"], "steps": ["-6h", "0h"], "type": "bfloat16", "normalize": {"t2m": {"mean": 280, "std": 20}}},
  {"name": "target", "channels": ["z@level=500"], "steps": [1, "24h"], "unpack": true, "squeeze": ["channel"]},
  {"name": "static", "channels": ["land_sea_mask"], "static": true, "crop": {"longitude": "350/10"}}],
 "select": {"time": ["1979-01-01/2015-12-31"], "stride": "6h", "gaps": "drop", "split": {"file": "s.json", "name": "train"}}}`

func TestDescriptionJSON(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sample.json")
	require.NoError(t, os.WriteFile(name, []byte(descriptionDoc), 0o666))
	d, err := loader.ReadDescription(name)
	require.NoError(t, err)
	require.Equal(t, []loader.Axis{{Dim: "time"}, {Dim: "latitude", Size: 48, Stride: 16}}, d.Along)
	require.Equal(t, []loader.TensorSpec{
		{Name: "input", Channels: []string{"z@level=500,850", "t2m"}, Steps: []loader.Step{hours(-6), hours(0)},
			Type: meta.DType{Kind: meta.Float, Size: 2, Variant: "bfloat16"}, Normalize: map[string]loader.Affine{"t2m": {Mean: 280, Std: 20}}},
		{Name: "target", Channels: []string{"z@level=500"}, Steps: []loader.Step{{N: 1}, {Time: 24 * time.Hour, ByTime: true}}, Unpack: true, Squeeze: []string{"channel"}},
		{Name: "static", Channels: []string{"land_sea_mask"}, Static: true, Crop: map[string]loader.Range{"longitude": {From: 350, To: 10}}},
	}, d.Tensors)
	require.Equal(t, loader.DropGaps, d.Select.Gaps)
	require.Equal(t, filepath.Join(filepath.Dir(name), "s.json"), d.Select.Split.File)

	doc, err := json.Marshal(d)
	require.NoError(t, err)
	var again loader.Description
	require.NoError(t, json.Unmarshal(doc, &again))
	require.Equal(t, d, again)
	same, err := json.Marshal(again)
	require.NoError(t, err)
	require.Equal(t, string(doc), string(same))
}

func TestDescriptionJSONRefuses(t *testing.T) {
	const along, tensor = `"along": [{"dim": "time"}]`, `"name": "x", "channels": ["t"], "steps": [0]`
	one := func(tensor string) string { return `{"version": 1, ` + along + `, "tensors": [{` + tensor + `}]}` }
	for _, tt := range []struct{ doc, want string }{
		{`[]`, "want a JSON object"},
		{`{`, "unexpected end of JSON"},
		{`{"version": 2, ` + along + `, "tensors": [{` + tensor + `}]}`, "version 2 of descriptions: want 1"},
		{`{` + along + `, "tensors": [{` + tensor + `}]}`, "version 0 of descriptions: want 1"},
		{`{"version": 1, "tensors": [{` + tensor + `}]}`, "along"},
		{`{"version": 1, ` + along + `}`, "tensors"},
		{`{"version": 1, "version": 1}`, `duplicate field "version"`},
		{`{"version": 1, "epochs": 3}`, `unknown field "epochs"`},
		{`{"version": 1, "along": [{"dim": "time", "length": 3}]}`, `along: element 0: unknown field "length"`},
		{one(tensor + `, "color": 1`), `tensors: element 0: tensor "x": unknown field "color"`},
		{one(`"name": "x", "channels": "t"`), `channels: want a list of channels, found "t"`},
		{one(`"name": "x", "channels": ["t"]`), `tensor "x" has no steps, and is not static`},
		{one(`"name": "x", "channels": [], "steps": [0]`), `tensor "x" has no channels`},
		{one(`"name": "x", "channels": ["t"], "steps": ["6 hours"]`), `step "6 hours"`},
		{one(tensor + `, "type": "float31"`), `type "float31"`},
		{one(tensor + `, "crop": {"latitude": "50"}`), `range "50": want FROM/TO`},
		{one(tensor + `, "crop": {"latitude": "NaN/2"}`), `range "NaN/2": want FROM/TO`},
		{one(tensor + `, "normalize": {"t": {"mean": 1}}`), `normalize: "t": want mean and std`},
		{one(tensor + `, "normalize": "none.json"`), "none.json"},
		{one(`"name": "x", "channels": ["t"], "static": true`), "all tensors are static"},
		{`{"version": 1, ` + along + `, "tensors": [{` + tensor + `}, {` + tensor + `}]}`, `two tensors are named "x"`},
		{`{"version": 1, "along": [{"dim": "time"}, {"dim": "latitude", "size": 2, "stride": 3}], "tensors": [{` + tensor + `}]}`, `along "latitude": size 2, stride 3`},
		{`{"version": 1, "along": [{"dim": "time", "size": 2}], "tensors": [{` + tensor + `}]}`, `along "time": size 2`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			var d loader.Description
			require.ErrorContains(t, json.Unmarshal([]byte(tt.doc), &d), tt.want)
		})
	}
}

// TestDescriptionRefuses: what can't be met is refused before anything is allocated, with the tensor's name.
func TestDescriptionRefuses(t *testing.T) {
	w := newWeather(t)
	now := []loader.Step{{}}
	along := []loader.Axis{{Dim: "time"}}
	for _, tt := range []struct {
		d    loader.Description
		want string
	}{
		{loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"q"}, Steps: now}}}, `tensor "x"`},
		{loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now}, {Name: "s", Channels: []string{"t2m"}, Static: true}}},
			`tensor "s" is static, but its channel "t2m" has the step dimension "time"`},
		{loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: []loader.Step{hours(5)}}}}, "5h"},
		{loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: []loader.Step{{N: 99}}}}}, "99"},
		{loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now, Crop: map[string]loader.Range{"level": {}}}}},
			`tensor "x": crop of "level": the grid is latitude, longitude`},
		{loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now, Crop: map[string]loader.Range{"latitude": {From: 70, To: 80}}}}},
			`tensor "x": crop of "latitude" to 70/80: no coordinate is in it: they are from 60 to 20`},
		{loader.Description{Along: append(along, loader.Axis{Dim: "latitude", Size: 3}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now, Crop: map[string]loader.Range{"latitude": {From: 30, To: 40}}}}},
			`tensor "x": crop of "latitude", which is cut into patches of 3`},
		{loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"z"}, Steps: now, Squeeze: []string{"channel"}}}},
			`tensor "x": squeeze "channel": its extent is 3, want 1`},
		{loader.Description{Along: []loader.Axis{{Dim: "latitude"}}, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now}}}, `along "latitude": it is a dimension of the grid, latitude x longitude: name the step dimension first`},
		{loader.Description{Along: append(along, loader.Axis{Dim: "latitude"}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now}}}, `along "latitude": size 0, stride 0: want a stride of 1 to the size of a patch`},
		{loader.Description{Along: append(along, loader.Axis{Dim: "latitude", Size: 1, Stride: 2}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now}}}, `along "latitude": size 1, stride 2: want a stride of 1 to the size of a patch`},
		{loader.Description{Along: append(along, loader.Axis{Dim: "level", Size: 2}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"z"}, Steps: now}}}, `size 2 along "level": want 1`},
		{loader.Description{Along: append(along, loader.Axis{Dim: "level"}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"z@level=850"}, Steps: now}}}, `no index of "level" can be chosen: samples are taken along it`},
		{loader.Description{Along: append(along, loader.Axis{Dim: "member"}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"z"}, Steps: now}}}, `no channel has the dimension "member" that samples are taken along`},
		{loader.Description{Along: append(along, loader.Axis{Dim: "level"}, loader.Axis{Dim: "level"}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"z"}, Steps: now}}}, `along "level": it is named twice`},
		{loader.Description{Along: append(along, loader.Axis{}), Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"z"}, Steps: now}}}, "along: a dimension without a name"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			g, err := zarrio.OpenStore(t.Context(), w.Store, zarrio.Options{})
			require.NoError(t, err)
			_, err = loader.New(t.Context(), g, nil, loader.Options{Sample: tt.d})
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := loader.New(t.Context(), nil, nil, loader.Options{Channels: []string{"t2m"}, Sample: loader.Description{Along: along, Tensors: []loader.TensorSpec{{Name: "x", Channels: []string{"t2m"}, Steps: now}}}})
	require.ErrorContains(t, err, "besides Channels, Windows or Partial")
}

func FuzzDescription(f *testing.F) {
	f.Add([]byte(descriptionDoc))
	f.Add([]byte(`{"version":1,"along":[{"dim":"t"}],"tensors":[{"name":"x","channels":["a@b=1,2"],"steps":[-1,"1d"]}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var d loader.Description
		if json.Unmarshal(doc, &d) != nil {
			return
		}
		canonical, err := json.Marshal(d)
		require.NoError(t, err)
		var again loader.Description
		require.NoError(t, json.Unmarshal(canonical, &again))
		same, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(same))
	})
}
