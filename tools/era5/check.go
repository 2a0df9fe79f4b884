package main

import (
	"encoding/json"
	"fmt"
	"math"
	"unsafe"

	"zarrbench/zarrio"
	"zarrbench/zarrio/meta"
)

// bounds are what no value of a variable can be beyond: wider than any record at the levels of ERA5, and narrow enough to see a
// field that was decoded wrongly or belongs to another variable. Units are ERA5's.
type bounds struct {
	low, high float64
	missing   bool // NaN stands where the variable has no meaning, such as the sea's temperature on land
}

var known = map[string]bounds{
	"geopotential":            {-8000, 550000, false}, // m²/s², up to 1 hPa
	"geopotential_at_surface": {-8000, 90000, false},
	"temperature":             {120, 350, false}, // K
	"2m_temperature":          {150, 345, false},
	"2m_dewpoint_temperature": {120, 330, false},
	"u_component_of_wind":     {-250, 250, false}, // m/s
	"v_component_of_wind":     {-250, 250, false},
	"10m_u_component_of_wind": {-100, 100, false},
	"10m_v_component_of_wind": {-100, 100, false},
	"wind_speed":              {0, 300, false},
	"10m_wind_speed":          {0, 120, false},
	"vertical_velocity":       {-60, 60, false},      // Pa/s
	"specific_humidity":       {-0.005, 0.06, false}, // kg/kg; spectral fields undershoot 0
	"relative_humidity":       {-1, 2, false},
	"mean_sea_level_pressure": {84000, 112000, false}, // Pa
	"surface_pressure":        {35000, 112000, false},
	"total_cloud_cover":       {-0.01, 1.01, false},
	"land_sea_mask":           {-0.01, 1.01, false},
	"sea_surface_temperature": {260, 320, true},
	"sea_ice_cover":           {-0.01, 1.01, true},
}

// checkField says which element of a field can't be: one that is not finite, or beyond the bounds of a variable that is known.
// data are elements in the machine's byte order. Elements that aren't floats are checked where they are packed floats.
func checkField(name string, a *zarrio.Array, data []byte) error {
	b, ok := known[name]
	if !ok {
		b = bounds{low: math.Inf(-1), high: math.Inf(1)}
	}
	scale, offset := 1.0, 0.0
	_ = json.Unmarshal(a.Attrs()["scale_factor"], &scale) // where there is none, it stays
	_ = json.Unmarshal(a.Attrs()["add_offset"], &offset)
	d := a.DType()
	var at int
	var x float64
	switch {
	case d == zarrio.Float32:
		at, x = outside(elements[float32](data), b, scale, offset)
	case d == zarrio.DType{Kind: meta.Float, Size: 8}:
		at, x = outside(elements[float64](data), b, scale, offset)
	case d == zarrio.DType{Kind: meta.Int, Size: 2} && !b.missing && a.Attrs()["_FillValue"] == nil && a.Attrs()["missing_value"] == nil:
		at, x = outside(elements[int16](data), b, scale, offset)
	default:
		return nil
	}
	switch {
	case at < 0:
		return nil
	case math.IsNaN(x) || math.IsInf(x, 0):
		return fmt.Errorf("element %d is %v: want finite numbers", at, x)
	}
	return fmt.Errorf("element %d is %v: want %v to %v", at, x, b.low, b.high)
}

// elements returns data, whose length and alignment are those of Ts, as such.
func elements[T float32 | float64 | int16](data []byte) []T {
	var zero T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/int(unsafe.Sizeof(zero)))
}

// outside returns the first element that can't be, and its value, or -1.
func outside[T float32 | float64 | int16](data []T, b bounds, scale, offset float64) (at int, x float64) {
	for i, v := range data {
		x := float64(v)*scale + offset
		if x >= b.low && x <= b.high && !math.IsInf(x, 0) || b.missing && math.IsNaN(x) {
			continue
		}
		return i, x
	}
	return -1, 0
}
