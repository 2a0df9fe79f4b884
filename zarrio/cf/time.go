// Package cf decodes what the CF metadata conventions (https://cfconventions.org) put into the attributes of an array:
// times as numbers since a date, as sections 4.4 (Time Coordinate) and 4.4.1 (Calendar) have them, with the spellings of
// the udunits library, to which section 3.1 (Units) refers.
package cf

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"
)

const nsPerDay = int64(24 * time.Hour)

// Units is what the units and calendar attributes of a time coordinate say: the length of one unit, and the reference
// date that values count from. In one calendar, Units that mean the same are equal under ==, however they were spelled.
// They may be shared by many goroutines. [ParseTimeUnits] makes them: the zero Units has no unit, and can't decode.
type Units struct {
	calendar calendar
	unit     int64 // in ns, of those in timeUnits
	day      int64 // of the reference date, in UTC, since 1970-01-01
	ns       int64 // since that day began, less than nsPerDay
}

// ParseTimeUnits parses the units attribute of a time coordinate, such as "hours since 1959-01-01", in the calendar that
// the attribute of that name gives; "" is an absent one, which means standard.
//
// The unit is any of weeks, days, hours, minutes, seconds, milliseconds, microseconds and nanoseconds, in the singular
// too, and with the usual short forms. As in udunits, case matters in the symbols d, h, s, ms, us, µs and ns only. Months
// and years are refused, since they have no fixed length.
//
// The date is YEAR-MONTH-DAY, with or without leading zeros. A time of day may follow it (after a space or a T), of hours,
// hours and minutes, or hours, minutes and seconds with decimals; then a time zone: Z, UTC, GMT, or an offset such as
// +05:30, +0530, -3:00 or -3. Without a zone it is UTC.
//
// The calendar is standard, gregorian (its old name) or proleptic_gregorian. They differ before 1582-10-15: there, dates
// in the standard calendar are Julian, and have no year 0 (-1 is the year before 1). The calendars of models, such as
// noleap or 360_day, are refused: their dates are no moments in time.
func ParseTimeUnits(units, calendar string) (Units, error) {
	cal, err := parseCalendar(calendar)
	if err != nil {
		return Units{}, fmt.Errorf("cf: %w", err)
	}
	u := Units{calendar: cal}
	fields := strings.Fields(units)
	if len(fields) < 3 || !strings.EqualFold(fields[1], "since") {
		return Units{}, fmt.Errorf("cf: time units %q are not of the form \"UNIT since DATE\"", units)
	}
	if u.unit, err = parseUnit(fields[0]); err != nil {
		return Units{}, fmt.Errorf("cf: time units %q: %w", units, err)
	}
	if u.day, u.ns, err = parseReference(strings.Join(fields[2:], " "), cal); err != nil {
		return Units{}, fmt.Errorf("cf: time units %q: %w", units, err)
	}
	return u, nil
}

// String returns the units in a form that [ParseTimeUnits] takes, with the reference date in UTC, such as
// "hours since 1959-01-01 00:00:00". In the same calendar it parses to equal Units.
func (u Units) String() string {
	var name string
	for _, t := range timeUnits {
		if t.ns == u.unit {
			name = t.names[0]
		}
	}
	return name + " since " + formatReference(u.day, u.ns, u.calendar)
}

// Calendar returns the calendar's name, which is "standard" or "proleptic_gregorian".
func (u Units) Calendar() string { return u.calendar.String() }

// Nanoseconds returns the time v in nanoseconds since 1970-01-01T00:00Z, as [time.Unix] counts: without
// leap seconds. A time that an int64 can't hold, before 1677-09-21 or after 2262-04-11, is an error.
func (u Units) Nanoseconds(v int64) (int64, error) {
	perDay, days := u.perDay()
	day := v / perDay
	if day < -maxDays || day > maxDays {
		return 0, u.rangeError(v)
	}
	t, ok := u.at(day*days, v%perDay*u.unit)
	if !ok {
		return 0, u.rangeError(v)
	}
	return t, nil
}

// NanosecondsFloat is [Units.Nanoseconds] for values with a fraction. v units, taken exactly, are rounded to the nearest
// nanosecond, halves away from zero. NaN and the infinities are errors.
func (u Units) NanosecondsFloat(v float64) (int64, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("cf: %v %s is not a time", v, u)
	}
	perDay, days := u.perDay()
	rest := math.Mod(v, float64(perDay)) // exact
	day := math.Round((v - rest) / float64(perDay))
	if math.Abs(day) > maxDays {
		return 0, u.rangeError(v)
	}
	whole, frac := math.Modf(rest)
	t, ok := u.at(int64(day)*days, int64(whole)*u.unit+fraction(frac, u.unit))
	if !ok {
		return 0, u.rangeError(v)
	}
	return t, nil
}

func (u Units) rangeError(v any) error {
	return fmt.Errorf("cf: %v %s is not from 1677-09-21 to 2262-04-11, which nanoseconds since 1970 in an int64 can hold", v, u)
}

// maxDays is farther than any reference date is from 1970: what is farther from the reference date is out of range.
const maxDays = 1 << 31

// perDay returns how many units are how many days, in lowest terms. One of the numbers is 1.
func (u Units) perDay() (units, days int64) {
	return max(1, nsPerDay/u.unit), max(1, u.unit/nsPerDay)
}

// at returns the time that is days and ns after the reference date, or false if an int64 can't hold it. ns is a week at
// most, on either side. Days are counted apart so that the reference date may be far from 1970.
func (u Units) at(days, ns int64) (int64, bool) {
	day, ns := u.day+days, u.ns+ns
	day += ns / nsPerDay
	if ns %= nsPerDay; ns < 0 {
		day, ns = day-1, ns+nsPerDay
	}
	const maxDay = math.MaxInt64 / nsPerDay
	if day < -maxDay-1 || day > maxDay {
		return 0, false
	}
	if day < 0 { // The first of these days begins before what an int64 holds: count back from its end.
		day, ns = day+1, ns-nsPerDay
	}
	start := day * nsPerDay
	t := start + ns
	return t, (ns < 0) == (t < start)
}

// fraction returns f*unit, rounded to the nearest integer, halves away from zero. |f| < 1, and unit < 2^51. The product
// is exact, in 128 bits: rounding it to a float64 first would turn values just below a half into halves.
func fraction(f float64, unit int64) int64 {
	frac, exp := math.Frexp(math.Abs(f)) // |f| = frac * 2^exp, with exp <= 0
	shift := uint(53 - exp)
	if shift > 104 { // less than 2^53 * 2^51 / 2^105, a half at most
		return 0
	}
	hi, lo := bits.Mul64(uint64(frac*(1<<53)), uint64(unit))
	// A shift by 64 or more gives 0, which goes for those that wrap around below 0 too.
	lo, carry := bits.Add64(lo, 1<<(shift-1), 0)
	hi += 1<<(shift-65) + carry
	n := int64(lo>>shift | hi<<(64-shift) | hi>>(shift-64))
	if f < 0 {
		return -n
	}
	return n
}

// A Number is a type that arrays of times have.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// NaT is "not a time", as in NumPy.
const NaT = math.MinInt64

// DecodeTimes sets dst[i] to the time src[i], in nanoseconds since 1970-01-01T00:00Z, for each i: it is
// [Units.Nanoseconds], or [Units.NanosecondsFloat], for a whole coordinate. NaN and the integer NaT, which mark missing
// values, become NaT. dst and src may be the same memory. An error names the index; what dst then holds is not defined. It
// panics if dst and src differ in length.
func DecodeTimes[T Number](u Units, dst []int64, src []T) error {
	if len(dst) != len(src) {
		panic(fmt.Sprintf("cf: %d times for %d values", len(dst), len(src)))
	}
	half := 0.5
	isFloat := T(half) != 0 // an integer type makes it 0
	for i, v := range src {
		var err error
		switch {
		case v != v:
			dst[i] = NaT
		case isFloat:
			dst[i], err = u.NanosecondsFloat(float64(v))
		case v > 0 && int64(v) < 0: // a uint64 that no int64 can hold
			err = u.rangeError(v)
		case v < 0 && int64(v) == NaT:
			dst[i] = NaT
		default:
			dst[i], err = u.Nanoseconds(int64(v))
		}
		if err != nil {
			return fmt.Errorf("%w (index %d)", err, i)
		}
	}
	return nil
}
