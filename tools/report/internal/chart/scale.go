package chart

import (
	"math"
	"strings"

	"golang.org/x/perf/benchunit"

	"zarrbench/tools/report/internal/summary"
)

// A Scale is how values of a unit are written where they are read beside each other: as so many of a multiple of the unit.
type Scale struct {
	benchunit.Scaler
	symbol string // what is multiplied: "s", "B/s"; "" for numbers without a unit
}

// ScaleOf returns the scale of values of a unit, by which the smallest of them has four significant digits. Rates are in
// powers of ten, as disks are sold and the field reports, memory in powers of two.
func ScaleOf(unit string, values ...float64) Scale {
	finite := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			finite = append(finite, v)
		}
	}
	symbol, class := symbolOf(unit)
	scaler := benchunit.CommonScale(finite, class)
	if symbol == "%" || symbol == unit && class == benchunit.Decimal && symbol != "B/s" { // 362.7 samples/s, not 0.3627 k samples/s
		scaler.Prefix, scaler.Factor, scaler.Prec = "", 1, digits(finite)
	}
	if symbol == "B" && scaler.Prefix == "" { // of which there are no parts
		scaler.Prec = 0
	}
	return Scale{scaler, symbol}
}

// symbolOf returns the symbol of a unit as benchstat names units, and how its multiples are made.
func symbolOf(unit string) (string, benchunit.Class) {
	base, _ := strings.CutSuffix(unit, "/op")
	switch {
	case base == "sec" || strings.HasSuffix(base, "-sec"):
		return "s", benchunit.Decimal
	case strings.HasSuffix(unit, "B/s"):
		return "B/s", benchunit.Decimal
	case base == "B" || strings.HasSuffix(base, "-B") || strings.HasSuffix(base, "-bytes"):
		return "B", benchunit.Binary
	case strings.HasSuffix(base, "%"):
		return "%", benchunit.Decimal
	case base == "allocs":
		return "", benchunit.Decimal
	}
	return unit, benchunit.Decimal
}

// digits returns how many decimals give the smallest of some values other than 0 four significant digits.
func digits(values []float64) int {
	least := math.Inf(1)
	for _, v := range values {
		if v != 0 {
			least = min(least, math.Abs(v))
		}
	}
	if math.IsInf(least, 0) {
		return 0
	}
	return max(0, min(3-int(math.Floor(math.Log10(least))), 9))
}

// Symbol returns the multiple of the unit that numbers are in: "ms", "GB/s".
func (s Scale) Symbol() string { return s.Prefix + s.symbol }

// Number writes a value without the unit.
func (s Scale) Number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "not a number"
	case math.IsInf(v, 0):
		return "∞"
	}
	return strings.TrimSuffix(s.Format(v), s.Prefix)
}

// Text writes a value with its unit, which no line break comes between.
func (s Scale) Text(v float64) string {
	if sym := s.Symbol(); sym != "" {
		return s.Number(v) + "\u00a0" + sym
	}
	return s.Number(v)
}

// Change writes what became of a unit's median: "−25.98%".
func Change(u *summary.Unit) string { return strings.Replace(u.Percent(), "-", "−", 1) }

// Percent writes a ratio as a change: "-25.98%", "+0.00%".
func Percent(ratio float64) string {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return "?"
	}
	return signed(100*ratio) + "%"
}

func signed(v float64) string {
	s := benchunit.Scaler{Prec: 2, Factor: 1}.Format(math.Abs(v))
	if v < 0 && strings.Trim(s, "0.") != "" {
		return "−" + s
	}
	return "+" + s
}

// Ticks returns about n round values from lo to hi, both of which the first and the last lie within.
func Ticks(lo, hi float64, n int) []float64 {
	if !(hi > lo) || n < 1 {
		return []float64{lo}
	}
	step := niceStep((hi - lo) / float64(n))
	if !(step > 0) { // so small that it can't be divided
		return []float64{lo}
	}
	var ticks []float64
	for i := math.Ceil(lo/step - 1e-9); i <= math.Floor(hi/step+1e-9) && len(ticks) < 3*n; i++ {
		ticks = append(ticks, i*step+0) // -0 + 0 is 0
	}
	return ticks
}

// niceStep returns the smallest 1, 2 or 5 times a power of ten that is at least v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// TickLabel writes a tick with as many decimals as steps of its size need.
func TickLabel(v, step float64) string {
	prec := 0
	if step > 0 && step < 1 {
		prec = min(int(math.Ceil(-math.Log10(step)-1e-9)), 12)
	}
	return benchunit.Scaler{Prec: prec, Factor: 1}.Format(v)
}

// FromZero returns the end of an axis that begins at zero and holds values to hi, with room above.
func FromZero(hi float64) float64 {
	if !(hi > 0) {
		return 1
	}
	return hi * 1.08
}

// Zoom returns the ends of an axis on which values from lo to hi can be told apart. It spans at least a tenth of them, so that
// noise of a hundredth doesn't look like a mountain range, and doesn't go below zero.
func Zoom(lo, hi float64) (float64, float64) {
	mid, half := (lo+hi)/2, (hi-lo)/2*1.15
	half = max(half, 0.05*math.Abs(mid))
	if half == 0 {
		half = 1
	}
	return max(0, mid-half), mid + half
}

// BarLabel writes a value as the study labels its bars, to a tenth: "11.9s".
func BarLabel(unit string, v float64) string {
	s := ScaleOf(unit, v)
	return benchunit.Scaler{Prec: 1, Factor: s.Factor}.Format(v) + s.Symbol()
}

// Words returns the name of a multiple of seconds, or the symbol of what isn't one.
func Words(symbol string) string {
	switch symbol {
	case "s":
		return "seconds"
	case "ms":
		return "milliseconds"
	case "µs":
		return "microseconds"
	case "ns":
		return "nanoseconds"
	}
	return symbol
}
