package interop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// besideDescriptions are files that descriptions name.
var besideDescriptions = map[string]string{
	"splits.json": `{"version": 1, "splits": {"train": ["2000-01-01/2000-01-03", "2000-01-07T06/2000-01-09T18"], "test": ["2000-01-04/2000-01-06"]}}`,
	"stats.json": `{"version": 1, "store": "a store", "time": ["2000-01-01T00:00:00", "2000-01-02T00:00:00"], "steps": 5, "left_out": 0, "weights": "uniform",
 "channels": [
  {"name": "sst", "count": 10, "missing": 2, "mean": 268.123456789, "std": 24.7, "min": 230, "max": 320, "differences": []},
  {"name": "t2m", "count": 10, "missing": 2, "mean": 250.1, "std": 0.1, "min": 230, "max": 320, "differences": []}]}`,
}

// fixedDescriptions have each feature of descriptions once.
var fixedDescriptions = []struct{ name, description string }{
	{"offsets by time", `{"version": 1, "along": [{"dim": "time"}], "tensors": [
		{"name": "input", "channels": ["z@level=500,850", "t2m"], "steps": ["-6h", "0h"]},
		{"name": "target", "channels": ["z@level=500"], "steps": ["6h", "1d12h"]}]}`},
	{"offsets by steps", `{"version": 1, "along": [{"dim": "time", "stride": 2}], "tensors": [
		{"name": "input", "channels": ["z"], "steps": [-2, 0, "1"]}, {"name": "target", "channels": ["t2m"], "steps": [3], "squeeze": ["time", "channel"]}]}`},
	{"ranges", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": ["0h", "12h"]}],
		"select": {"time": ["/2000-01-02", "2000-01-04T06/2000-01-05T12:00", "2000-01-05T12:00:00Z/2000-01-08"]}}`},
	{"ranges that touch", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": ["0h", "12h"]}],
		"select": {"time": ["2000-01-03/2000-01-04", "2000-01-05T00/2000-01-06"]}}`},
	{"stride by time", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": [0, 1]}],
		"select": {"stride": "18h"}}`},
	{"stride by steps", `{"version": 1, "along": [{"dim": "time", "stride": 2}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": [0, 1]}],
		"select": {"stride": 3}}`},
	{"gaps", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": [-1, 2]}, {"name": "y", "channels": ["tp"], "steps": ["0h"]}],
		"select": {"gaps": "drop"}}`},
	{"times over gaps", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": ["-30h", "36h"]}],
		"select": {"gaps": "drop"}}`},
	{"leave-outs", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": [0, 2]}],
		"select": {"except": [3, "2000-01-03", "2000-01-05T06", 11]}}`},
	{"lists", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": ["6h"]}],
		"select": {"windows": [7, 2, "2000-01-03", 9]}}`},
	{"split", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": ["0h", "6h"]}],
		"select": {"split": {"file": "splits.json", "name": "train"}}}`},
	{"crops", `{"version": 1, "along": [{"dim": "time"}], "tensors": [
		{"name": "x", "channels": ["z@level=300", "mask"], "steps": [0], "crop": {"latitude": "20/47.5", "longitude": "300/60"}},
		{"name": "y", "channels": ["t2m"], "steps": [1], "crop": {"latitude": "50/0", "longitude": "-75/30"}},
		{"name": "z", "channels": ["t2m"], "steps": [1], "crop": {"longitude": "120/480"}},
		{"name": "one", "channels": ["mask"], "static": true, "crop": {"latitude": "20/45", "longitude": "150/-150"}}]}`},
	{"patches", `{"version": 1, "along": [{"dim": "time", "stride": 3}, {"dim": "longitude", "size": 5, "stride": 3}, {"dim": "latitude", "size": 4}], "tensors": [
		{"name": "x", "channels": ["t2m", "z@level#2,0"], "steps": [0, "12h"]}, {"name": "land", "channels": ["mask"], "static": true}]}`},
	{"patches and a crop", `{"version": 1, "along": [{"dim": "time"}, {"dim": "latitude", "size": 6, "stride": 2}], "tensors": [
		{"name": "x", "channels": ["sst"], "unpack": true, "steps": [0]}, {"name": "y", "channels": ["t2m"], "steps": [0], "crop": {"longitude": "270/30"}}]}`},
	{"static", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m", "mask"], "steps": [0, -1]},
		{"name": "soil", "channels": ["soil", "mask"], "static": true, "unpack": true, "type": "float16"}, {"name": "land", "channels": ["mask"], "static": true, "squeeze": ["channel"]}]}`},
	{"mixed types", `{"version": 1, "along": [{"dim": "time"}], "tensors": [
		{"name": "single", "channels": ["tp", "half", "z@level=850", "sst", "cloud", "count"], "type": "float32", "steps": [0]},
		{"name": "double", "channels": ["tp", "half", "z@level=850", "sst", "wind"], "type": "float64", "steps": [0]},
		{"name": "brain", "channels": ["tp", "half", "z@level=850", "sst", "count"], "type": "bfloat16", "steps": [0]},
		{"name": "half", "channels": ["tp", "half", "z@level=850", "sst", "count"], "type": "float16", "steps": [0]},
		{"name": "packed", "channels": ["wind"], "steps": [0]}, {"name": "own half", "channels": ["half"], "steps": [0]}]}`},
	{"unpacked", `{"version": 1, "along": [{"dim": "time"}], "tensors": [
		{"name": "default", "channels": ["sst", "msl", "cloud", "count", "wind", "t2m", "tp", "half"], "unpack": true, "steps": [0]},
		{"name": "double", "channels": ["sst", "msl", "cloud", "count", "wind", "t2m", "tp", "half"], "unpack": true, "type": "float64", "steps": [0]},
		{"name": "brain", "channels": ["sst", "msl", "cloud", "count", "wind", "t2m", "tp", "half"], "unpack": true, "type": "bfloat16", "steps": [0]}]}`},
	{"unpacked more", `{"version": 1, "along": [{"dim": "time"}], "tensors": [
		{"name": "default", "channels": ["rain", "snow", "ozone", "dust", "huge", "flux", "heat", "dew"], "unpack": true, "steps": [0]},
		{"name": "double", "channels": ["rain", "snow", "ozone", "dust", "huge", "flux", "heat", "dew"], "unpack": true, "type": "float64", "steps": [0]},
		{"name": "half", "channels": ["rain", "snow", "ozone", "dust", "huge", "flux", "heat", "dew"], "unpack": true, "type": "float16", "steps": [0]}]}`},
	{"normalized", `{"version": 1, "along": [{"dim": "time"}], "tensors": [
		{"name": "single", "channels": ["sst", "t2m"], "unpack": true, "normalize": "stats.json", "steps": [0]},
		{"name": "half", "channels": ["sst", "t2m"], "unpack": true, "normalize": "stats.json", "type": "float16", "steps": [0, 1]},
		{"name": "brain", "channels": ["sst", "t2m"], "unpack": true, "normalize": "stats.json", "type": "bfloat16", "steps": ["6h"]}]}`},
	{"initial times, leads and members", `{"version": 1, "along": [{"dim": "init"}], "tensors": [
		{"name": "x", "channels": ["fc@lead=0,6@number=2,0"], "steps": [0]}, {"name": "y", "channels": ["fc@number#1"], "steps": [1]}]}`},
	{"members along", `{"version": 1, "along": [{"dim": "number"}], "tensors": [{"name": "x", "channels": ["fc@init#4@lead=6", "fc@init#0@lead#0"], "steps": [0, 1]}]}`},
	{"nothing there", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": ["0h", "5h"]}]}`},
	{"nothing left", `{"version": 1, "along": [{"dim": "time"}], "tensors": [{"name": "x", "channels": ["t2m"], "steps": [0, 1]}], "select": {"time": ["2001"]}}`},
}

// A randomChannel is a channel's name, with the names that it expands to.
type randomChannel struct {
	name   string
	labels []string
	static bool
}

// randomChannels are those that randomDescription chooses from.
var randomChannels = []randomChannel{
	{name: "z", labels: []string{"z@level#0", "z@level#1", "z@level#2", "z@level#3"}},
	{name: "z@level=850,300", labels: []string{"z@level=850", "z@level=300"}},
	{name: "wind@level#1,3", labels: []string{"wind@level#1", "wind@level#3"}},
	{name: "ens@number=1", labels: []string{"ens@number=1"}},
	{name: "t2m", labels: []string{"t2m"}},
	{name: "tp", labels: []string{"tp"}},
	{name: "half", labels: []string{"half"}},
	{name: "sst", labels: []string{"sst"}},
	{name: "msl", labels: []string{"msl"}},
	{name: "cloud", labels: []string{"cloud"}},
	{name: "count", labels: []string{"count"}},
	{name: "rain", labels: []string{"rain"}},
	{name: "snow", labels: []string{"snow"}},
	{name: "ozone", labels: []string{"ozone"}},
	{name: "dust", labels: []string{"dust"}},
	{name: "huge", labels: []string{"huge"}},
	{name: "flux", labels: []string{"flux"}},
	{name: "heat", labels: []string{"heat"}},
	{name: "dew", labels: []string{"dew"}},
	{name: "mask", labels: []string{"mask"}, static: true},
	{name: "soil", labels: []string{"soil"}, static: true},
}

// An object is an object of JSON.
type object = map[string]any

// randomDescription returns the JSON of a description for the stores of sample_stores.py. It may have no samples.
func randomDescription(r *rand.Rand) string {
	along := []object{{"dim": "time", "stride": 1 + r.IntN(3)}}
	cut := map[string]bool{}
	for _, dim := range [][]string{nil, nil, {"latitude"}, {"longitude"}, {"longitude", "latitude"}}[r.IntN(5)] {
		size := 1 + r.IntN(8)
		along, cut[dim] = append(along, object{"dim": dim, "size": size, "stride": 1 + r.IntN(size)}), true
	}
	var tensors []object
	for i := range 1 + r.IntN(3) {
		tensors = append(tensors, randomTensor(r, fmt.Sprint("tensor", i), i > 0 && r.IntN(4) == 0, cut))
	}
	doc, err := json.Marshal(object{"version": 1, "along": along, "tensors": tensors, "select": randomSelect(r)})
	if err != nil {
		panic(err)
	}
	return string(doc)
}

// randomTensor returns a tensor of a description. cut has the dimensions of the grid that are cut into patches.
func randomTensor(r *rand.Rand, name string, static bool, cut map[string]bool) object {
	var names, labels []string
	from, most := randomChannels, 1+r.IntN(4)
	if static {
		from = from[len(from)-2:]
	}
	moving := static
	for _, i := range r.Perm(len(from)) {
		if len(names) >= most && moving {
			break
		}
		names, labels = append(names, from[i].name), append(labels, from[i].labels...)
		moving = moving || !from[i].static
	}
	spec := object{"name": name, "channels": names}
	if static {
		spec["static"] = true
	} else {
		var steps []any
		for range 1 + r.IntN(3) {
			switch n := r.IntN(7) - 2; r.IntN(3) {
			case 0:
				steps = append(steps, n)
			case 1:
				steps = append(steps, fmt.Sprintf("%dh", 6*n))
			default:
				steps = append(steps, fmt.Sprintf("%dm", 360*n))
			}
		}
		if spec["steps"] = steps; len(steps) == 1 && r.IntN(2) == 0 {
			spec["squeeze"] = []string{"time"}
		}
	}
	types := []string{"float32", "float64", "float16", "bfloat16"}
	spec["type"] = types[r.IntN(len(types))]
	if r.IntN(2) == 0 {
		spec["unpack"] = true
	}
	if r.IntN(2) == 0 {
		stats := object{}
		for _, l := range labels {
			mean, std := r.NormFloat64()*300, r.ExpFloat64()*50
			if spec["type"] == "float64" { // in which the loader takes numbers of float32
				mean, std = float64(float32(mean)), float64(float32(std))
			}
			stats[l] = object{"mean": mean, "std": std}
		}
		spec["normalize"] = stats
	}
	crop := object{}
	if !cut["latitude"] && r.IntN(3) == 0 {
		crop["latitude"] = fmt.Sprintf("%g/%g", 2.5*float64(r.IntN(30)-10), 2.5*float64(r.IntN(30)-10))
	}
	if !cut["longitude"] && r.IntN(3) == 0 {
		crop["longitude"] = fmt.Sprintf("%d/%d", 15*(r.IntN(36)-12), 15*(r.IntN(36)-12))
	}
	if len(crop) > 0 {
		spec["crop"] = crop
	}
	return spec
}

// randomSelect returns a choice of samples.
func randomSelect(r *rand.Rand) object {
	day := func() string { return fmt.Sprintf("2000-01-%02d", 1+r.IntN(12)) }
	span := func() string {
		from := 1 + r.IntN(8)
		to := from + r.IntN(5)
		return []string{
			fmt.Sprintf("2000-01-%02d/2000-01-%02d", from, to),
			fmt.Sprintf("2000-01-%02dT%02d/2000-01-%02dT%02d:30", from, r.IntN(12), to, 12+r.IntN(12)),
			fmt.Sprintf("/2000-01-%02d", to),
			fmt.Sprintf("2000-01-%02dT06:00:00Z/", from),
			fmt.Sprintf("1999/2000-01-%02d", to),
			"2000-01",
		}[r.IntN(6)]
	}
	sel := object{}
	if r.IntN(3) == 0 {
		sel["time"] = []string{span(), span()}
	}
	if r.IntN(4) == 0 {
		sel["stride"] = []any{1 + r.IntN(3), "12h", "18h", "1d"}[r.IntN(4)]
	}
	if r.IntN(3) > 0 {
		sel["gaps"] = []string{"drop", "keep"}[r.IntN(2)]
	}
	if r.IntN(5) == 0 {
		sel["windows"] = []any{3 + r.IntN(4), span(), 2 + r.IntN(4)}
	}
	if r.IntN(3) == 0 {
		sel["except"] = []any{r.IntN(10), day(), day() + "T12"}
	}
	if r.IntN(5) == 0 {
		sel["split"] = object{"file": "splits.json", "name": []string{"train", "test"}[r.IntN(2)]}
	}
	return sel
}
