package cf

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// at returns a time as nanoseconds since 1970.
func at(t *testing.T, s string) int64 {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.UnixNano()
}

func TestNanoseconds(t *testing.T) {
	tests := []struct {
		units, calendar string
		v               int64
		want            string
	}{
		// WeatherBench2, ARCO ERA5, and others as they are found.
		{"hours since 1959-01-01", "proleptic_gregorian", 0, "1959-01-01T00:00:00Z"},
		{"hours since 1959-01-01", "proleptic_gregorian", 359400, "2000-01-01T00:00:00Z"},
		{"hours since 1959-01-01", "proleptic_gregorian", 527376, "2019-03-01T00:00:00Z"},
		{"hours since 1959-01-01", "proleptic_gregorian", 527388, "2019-03-01T12:00:00Z"},
		{"hours since 1959-01-01 00:00:00", "", 359400, "2000-01-01T00:00:00Z"},
		{"hours since 1900-01-01", "proleptic_gregorian", 876576, "2000-01-01T00:00:00Z"},
		{"hours since 1900-01-01 00:00:00.0", "gregorian", 876576, "2000-01-01T00:00:00Z"},
		{"seconds since 1970-01-01", "standard", 1600000000, "2020-09-13T12:26:40Z"},
		{"hours since 1-1-1 00:00:0.0", "standard", 24 * 719164, "1970-01-01T00:00:00Z"},
		{"hours since 1-1-1 00:00:0.0", "proleptic_gregorian", 24 * 719162, "1970-01-01T00:00:00Z"},
		{"days since 0001-01-01", "standard", 719164, "1970-01-01T00:00:00Z"},
		{"days since 0001-01-01", "proleptic_gregorian", 719162, "1970-01-01T00:00:00Z"},
		{"days since 0000-01-01", "proleptic_gregorian", 719528, "1970-01-01T00:00:00Z"},
		{"days since 0-1-1", "proleptic_gregorian", 719528, "1970-01-01T00:00:00Z"},
		// Julian day numbers, which count from the noon of a day that both calendars can name.
		{"days since -4713-01-01", "standard", 2440588, "1970-01-01T00:00:00Z"},
		{"days since -4713-11-24 12:00", "proleptic_gregorian", 2440588, "1970-01-01T12:00:00Z"},
		{"days since -4713-1-1 12:00", "standard", 2451545, "2000-01-01T12:00:00Z"},
		{"seconds since 1992-10-8 15:15:42.5 -6:00", "", 0, "1992-10-08T21:15:42.5Z"}, // from section 4.4

		{"days since 1582-10-04", "standard", 141428, "1970-01-01T00:00:00Z"},
		{"weeks since 2000-01-01", "", -1, "1999-12-25T00:00:00Z"},
		{"week since 2000-01-01", "", 1, "2000-01-08T00:00:00Z"},
		{"day since 2000-01-01", "", 59, "2000-02-29T00:00:00Z"},
		{"DAYS SINCE 2000-01-01", "STANDARD", 1, "2000-01-02T00:00:00Z"},
		{"d since 2000-01-01", "", 366, "2001-01-01T00:00:00Z"},
		{"hour since 2000-01-01", "", -1, "1999-12-31T23:00:00Z"},
		{"Hr since 2000-01-01", "", 1, "2000-01-01T01:00:00Z"},
		{"hrs  since\t2000-01-01 ", "", 1, "2000-01-01T01:00:00Z"},
		{"h since 2000-01-01", "", 1, "2000-01-01T01:00:00Z"},
		{"minutes since 2000-01-01", "", 1, "2000-01-01T00:01:00Z"},
		{"min since 2000-01-01", "", -1441, "1999-12-30T23:59:00Z"},
		{"mins since 2000-01-01", "", 1, "2000-01-01T00:01:00Z"},
		{"second since 2000-01-01", "", 86400, "2000-01-02T00:00:00Z"},
		{"sec since 2000-01-01", "", 1, "2000-01-01T00:00:01Z"},
		{"secs since 2000-01-01", "", 1, "2000-01-01T00:00:01Z"},
		{"s since 2000-01-01", "", 1, "2000-01-01T00:00:01Z"},
		{"milliseconds since 2000-01-01", "", -1, "1999-12-31T23:59:59.999Z"},
		{"millisec since 2000-01-01", "", 1, "2000-01-01T00:00:00.001Z"},
		{"msec since 2000-01-01", "", 1, "2000-01-01T00:00:00.001Z"},
		{"ms since 2000-01-01", "", 1, "2000-01-01T00:00:00.001Z"},
		{"microsecond since 2000-01-01", "", 1, "2000-01-01T00:00:00.000001Z"},
		{"us since 2000-01-01", "", 1, "2000-01-01T00:00:00.000001Z"},
		{"\u00b5s since 2000-01-01", "", 1, "2000-01-01T00:00:00.000001Z"},
		{"\u03bcs since 2000-01-01", "", 1, "2000-01-01T00:00:00.000001Z"},
		{"nanoseconds since 2000-01-01", "", 1, "2000-01-01T00:00:00.000000001Z"},
		{"ns since 1970-01-01", "", 1551398400000000000, "2019-03-01T00:00:00Z"},

		{"h since 1959-1-1", "", 0, "1959-01-01T00:00:00Z"},
		{"h since 1959-01-01T06:00:00", "", 0, "1959-01-01T06:00:00Z"},
		{"h since 1959-01-01T06:00:00Z", "", 0, "1959-01-01T06:00:00Z"},
		{"h since 1959-01-01 6", "", 0, "1959-01-01T06:00:00Z"},
		{"h since 1959-01-01 06:00 utc", "", 0, "1959-01-01T06:00:00Z"},
		{"h since 1959-01-01 06:00:00.0 UTC", "", 0, "1959-01-01T06:00:00Z"},
		{"h since 1959-01-01 06:00:00.123456789", "", 0, "1959-01-01T06:00:00.123456789Z"},
		{"h since 1959-01-01 06:00:00.12345678900", "", 0, "1959-01-01T06:00:00.123456789Z"},
		{"h since 1959-01-01 GMT", "", 0, "1959-01-01T00:00:00Z"},
		{"h since 1959-01-01Z", "", 0, "1959-01-01T00:00:00Z"},
		{"h since 1959-01-01 06:00:00 +00:00", "", 0, "1959-01-01T06:00:00Z"},
		{"h since 1959-01-01 06:00:00+0530", "", 0, "1959-01-01T00:30:00Z"},
		{"h since 1959-01-01 00:00 +0530", "", 0, "1958-12-31T18:30:00Z"},
		{"h since 1959-01-01 22:00 -3:00", "", 0, "1959-01-02T01:00:00Z"},
		{"h since 1959-01-01 22:00 -300", "", 0, "1959-01-02T01:00:00Z"},
		{"h since 1959-01-01 22:00 -3", "", 0, "1959-01-02T01:00:00Z"},
		{"h since 1959-01-01 -3:00", "", 0, "1959-01-01T03:00:00Z"},

		// The first and the last nanosecond, from references on either side and far away.
		{"ns since 1970-01-01", "", math.MaxInt64, "2262-04-11T23:47:16.854775807Z"},
		{"ns since 1970-01-01", "", math.MinInt64, "1677-09-21T00:12:43.145224192Z"},
		{"us since 2262-04-11 23:47:16.854775807", "", 0, "2262-04-11T23:47:16.854775807Z"},
		{"h since 1677-09-21 00:12:43.145224192", "", 0, "1677-09-21T00:12:43.145224192Z"},
		{"s since 1677-09-21 00:12:42.145224192", "", 1, "1677-09-21T00:12:43.145224192Z"},
		{"days since 999999-12-31", "", -364522971, "1970-01-01T00:00:00Z"},
		{"days since -999999-01-01", "proleptic_gregorian", 365961662, "1970-01-01T00:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.units+" "+test.calendar, func(t *testing.T) {
			u, err := ParseTimeUnits(test.units, test.calendar)
			if err != nil {
				t.Fatal(err)
			}
			got, err := u.Nanoseconds(test.v)
			if want := at(t, test.want); err != nil || got != want {
				t.Errorf("Nanoseconds(%d) of %v = %v (%d), %v, want %s (%d)",
					test.v, u, time.Unix(0, got).UTC().Format(time.RFC3339Nano), got, err, test.want, want)
			}
			if math.Abs(float64(test.v)) < 1<<53 {
				if got2, err := u.NanosecondsFloat(float64(test.v)); err != nil || got2 != got {
					t.Errorf("NanosecondsFloat(%d) = %d, %v, want %d", test.v, got2, err, got)
				}
			}
			again, err := ParseTimeUnits(u.String(), u.Calendar())
			if err != nil || again != u {
				t.Errorf("parsing %q in calendar %s again gave %+v, %v, want %+v", u, u.Calendar(), again, err, u)
			}
		})
	}
}

func TestString(t *testing.T) {
	tests := []struct{ units, calendar, want string }{
		{"hr since 1959-1-1", "", "hours since 1959-01-01 00:00:00"},
		{"d since 1959-01-01T06:00+01:00", "", "days since 1959-01-01 05:00:00"},
		{"\u00b5s since 1959-01-01 00:00:00.0500", "", "microseconds since 1959-01-01 00:00:00.05"},
		{"s since -5-3-1", "proleptic_gregorian", "seconds since -0005-03-01 00:00:00"},
		{"s since 1-1-1 +1", "standard", "seconds since -0001-12-31 23:00:00"},
		{"s since 1-1-1 +1", "proleptic_gregorian", "seconds since 0000-12-31 23:00:00"},
		{"s since 1582-10-15 +1", "standard", "seconds since 1582-10-04 23:00:00"},
		{"s since 12345-1-1", "", "seconds since 12345-01-01 00:00:00"},
	}
	for _, test := range tests {
		u, err := ParseTimeUnits(test.units, test.calendar)
		if err != nil || u.String() != test.want {
			t.Errorf("ParseTimeUnits(%q, %q) = %v, %v, want %v", test.units, test.calendar, u, err, test.want)
		}
	}
}

func TestParseTimeUnitsRefuses(t *testing.T) {
	const (
		form      = `are not of the form "UNIT since DATE"`
		date      = "is not of the form YEAR-MONTH-DAY"
		variable  = "has no fixed length; supported are weeks, days, "
		unknown   = "is not known; supported are weeks, days, "
		calendars = "is not supported; supported are standard, gregorian and proleptic_gregorian"
	)
	tests := []struct{ units, calendar, want string }{
		{"months since 1959-01-01", "", `cf: time units "months since 1959-01-01": unit "months" ` + variable},
		{"Years since 1959-01-01", "", `unit "Years" ` + variable},
		{"common_year since 1959-01-01", "", `unit "common_year" ` + variable},
		{"fortnights since 1959-01-01", "", `unit "fortnights" ` + unknown},
		{"H since 1959-01-01", "", `unit "H" ` + unknown}, // a henry
		{"Ms since 1959-01-01", "", `unit "Ms" ` + unknown},

		{"", "", `cf: time units "" ` + form},
		{"K", "", form},
		{"hours", "", form},
		{"hours since", "", form},
		{"hours after 1959-01-01", "", form},
		{"hours since 1959", "", `date "1959" ` + date},
		{"hours since 1959-01", "", date},
		{"hours since 19590101", "", date},
		{"hours since 01/01/1959", "", date},
		{"hours since 1959-01-01T", "", date},
		{"hours since 1959-01-01T00:00:00 CET", "", date},
		{"hours since 1959-01-01 00:00:00 +5:3", "", date},
		{"hours since 1959-01-01 00:00:00 Z Z", "", date},
		{"hours since 1959-01-01x", "", date},
		{"hours since 1234567-01-01", "", date},

		{"hours since 1959-02-29", "", "1959-02-29 does not exist in the standard calendar"},
		{"hours since 1959-13-01", "", "1959-13-01 does not exist in the standard calendar"},
		{"hours since 1959-00-01", "proleptic_gregorian", "1959-00-01 does not exist in the proleptic_gregorian calendar"},
		{"hours since 1959-01-00", "", "1959-01-00 does not exist"},
		{"hours since 1500-02-30", "", "1500-02-30 does not exist in the standard calendar"},
		{"hours since 1500-00-10", "", "1500-00-10 does not exist"},
		{"hours since 1500-02-29", "proleptic_gregorian", "1500-02-29 does not exist in the proleptic_gregorian calendar"},
		{"hours since 0000-01-01", "", "0-01-01 does not exist in the standard calendar"},
		{"hours since 1582-10-05", "", "1582-10-05 does not exist in the standard calendar, in which 1582-10-15 follows 1582-10-04"},
		{"hours since 1582-10-14", "gregorian", "1582-10-14 does not exist in the standard calendar"},
		{"hours since 1959-01-01 24:00", "", "24:00:00 is no time of day"},
		{"hours since 1959-01-01 12:60", "", "12:60:00 is no time of day"},
		{"hours since 1959-01-01 12:00:60", "", "12:00:60 is no time of day"},
		{"hours since 1959-01-01 00:00:00.0000000001", "", "is finer than a nanosecond"},
		{"hours since 1959-01-01 00:00 -24:00", "", "-24:00 is no time zone"},
		{"hours since 1959-01-01 00:00 +00:60", "", "+00:60 is no time zone"},
		{"hours since 999999-12-31 23:30 -1", "", "the year has more than six digits"},
		{"hours since -999999-01-01 +1", "", "the year has more than six digits"},
	}
	for _, cal := range []string{"noleap", "365_day", "360_day", "julian", "all_leap", "366_day", "none", "utc", "tai", " "} {
		tests = append(tests, struct{ units, calendar, want string }{
			"hours since 1959-01-01", cal, fmt.Sprintf("cf: calendar %q %s", cal, calendars),
		})
	}
	for _, test := range tests {
		u, err := ParseTimeUnits(test.units, test.calendar)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "cf: ") {
			t.Errorf("ParseTimeUnits(%q, %q) = %v, %v, want an error with %q", test.units, test.calendar, u, err, test.want)
		}
		if u != (Units{}) {
			t.Errorf("ParseTimeUnits(%q, %q) = %+v, want the zero Units with the error", test.units, test.calendar, u)
		}
	}
}

func mustParse(tb testing.TB, units string) Units {
	tb.Helper()
	u, err := ParseTimeUnits(units, "proleptic_gregorian")
	if err != nil {
		tb.Fatal(err)
	}
	return u
}

func TestNanosecondsRange(t *testing.T) {
	ints := []struct {
		units string
		v     int64
	}{
		{"ns since 1970-01-01 00:00:00.000000001", math.MaxInt64},
		{"ns since 1969-12-31 23:59:59.999999999", math.MinInt64},
		{"s since 2262-04-11 23:47:16.854775808", 0},
		{"s since 1677-09-21 00:12:43.145224191", 0},
		{"h since 1970-01-01", math.MaxInt64},
		{"h since 1970-01-01", math.MinInt64},
		{"d since 1970-01-01", 106752},
		{"d since 1970-01-01", -106752},
		{"d since 1970-01-01", -106753},
		{"d since 999999-01-01", math.MaxInt64},
		{"d since -999999-01-01", math.MinInt64},
		{"weeks since 1970-01-01", 1 << 61}, // 7 of these wrap around
		{"days since 0001-01-01", 0},
	}
	for _, test := range ints {
		u := mustParse(t, test.units)
		want := fmt.Sprintf("cf: %d %s is not from 1677-09-21 to 2262-04-11", test.v, u)
		if got, err := u.Nanoseconds(test.v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Nanoseconds(%d) of %v = %d, %v, want an error with %q", test.v, u, got, err, want)
		}
	}

	floats := []struct {
		v    float64
		want string
	}{
		{math.NaN(), "cf: NaN days since 1970-01-01 00:00:00 is not a time"},
		{math.Inf(1), "cf: +Inf days"},
		{math.Inf(-1), "cf: -Inf days"},
		{1e300, "cf: 1e+300 days since 1970-01-01 00:00:00 is not from 1677"},
		{-1e300, "cf: -1e+300 days"},
		{1 << 63, "cf: 9.22337203685477"},
		{-1 << 63, "cf: -9.22337203685477"},
		{106751.9999, "cf: 106751.9999 days"},
		{-106751.9999, "cf: -106751.9999 days"},
	}
	u := mustParse(t, "days since 1970-01-01")
	for _, test := range floats {
		if got, err := u.NanosecondsFloat(test.v); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("NanosecondsFloat(%v) = %d, %v, want an error with %q", test.v, got, err, test.want)
		}
	}
}

func TestNanosecondsFloat(t *testing.T) {
	tests := []struct {
		units string
		v     float64
		want  string
	}{
		{"days since 1959-01-01", 0.25, "1959-01-01T06:00:00Z"},
		{"days since 1959-01-01", -0.25, "1958-12-31T18:00:00Z"},
		{"days since 0001-01-01", 719162.25, "1970-01-01T06:00:00Z"},
		{"weeks since 1970-01-01", 0.5, "1970-01-04T12:00:00Z"},
		{"hours since 1900-01-01", 876576.5, "2000-01-01T00:30:00Z"},
		{"ns since 1970-01-01", 0.5, "1970-01-01T00:00:00.000000001Z"},
		{"ns since 1970-01-01", -0.5, "1969-12-31T23:59:59.999999999Z"},
		{"ns since 1970-01-01", 0.49999999999999994, "1970-01-01T00:00:00Z"},
		{"s since 1970-01-01", 5e-324, "1970-01-01T00:00:00Z"},
		{"days since 1970-01-01", math.Nextafter(1, 0), "1970-01-02T00:00:00Z"},
	}
	for _, test := range tests {
		u := mustParse(t, test.units)
		got, err := u.NanosecondsFloat(test.v)
		if want := at(t, test.want); err != nil || got != want {
			t.Errorf("NanosecondsFloat(%v) of %v = %d, %v, want %d", test.v, u, got, err, want)
		}
	}
}

// TestNanosecondsExact compares with arbitrary precision.
func TestNanosecondsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	half := big.NewRat(1, 2)
	for _, unit := range timeUnits {
		for _, since := range []string{"1970-01-01", "1959-01-01 06:00", "2262-04-11 23:00", "1677-09-21 02:00", "0001-01-01", "9999-12-31 23:59:59.999999999"} {
			u := mustParse(t, unit.names[0]+" since "+since)
			offset := new(big.Int).Mul(big.NewInt(u.day), big.NewInt(nsPerDay))
			offset.Add(offset, big.NewInt(u.ns))
			for i := range 2000 {
				// All magnitudes up to somewhat beyond what int64 holds, some of them multiples of half a nanosecond.
				v := math.Ldexp(r.Float64()-0.5, r.IntN(80)-8) / float64(unit.ns)
				if i%2 == 0 {
					v = (float64(r.IntN(1<<20)) + 0.5) / float64(unit.ns)
				}
				if since[0] == '0' || since[0] == '9' { // far away: near 1970 instead
					v -= float64(u.day) * float64(nsPerDay) / float64(unit.ns)
				}

				exact := new(big.Rat).SetFloat64(v)
				exact.Mul(exact, new(big.Rat).SetInt64(unit.ns))
				away := half
				if v < 0 {
					away = new(big.Rat).Neg(half)
				}
				exact.Add(exact, away)
				want := new(big.Int).Quo(exact.Num(), exact.Denom()) // truncated
				want.Add(want, offset)
				checkBig(t, u, v, want)

				whole, _ := big.NewFloat(v).Int64()
				want = new(big.Int).Mul(big.NewInt(whole), big.NewInt(unit.ns))
				checkBig(t, u, whole, want.Add(want, offset))
			}
		}
	}
}

// checkBig checks the time v, which is out of range if want is no int64.
func checkBig(t *testing.T, u Units, v any, want *big.Int) {
	t.Helper()
	var got int64
	var err error
	switch v := v.(type) {
	case float64:
		got, err = u.NanosecondsFloat(v)
	case int64:
		got, err = u.Nanoseconds(v)
	}
	if want.IsInt64() != (err == nil) || err == nil && got != want.Int64() {
		t.Errorf("%v %v = %d, %v, want %v", v, u, got, err, want)
	}
}

func TestDecodeTimes(t *testing.T) {
	u := mustParse(t, "hours since 1970-01-01")
	const hour = int64(time.Hour)
	checkDecode(t, u, []int64{0, 6, -6}, 0, 6*hour, -6*hour)
	checkDecode(t, u, []int32{0, 6, -6}, 0, 6*hour, -6*hour)
	checkDecode(t, u, []int16{0, 6, -6}, 0, 6*hour, -6*hour)
	checkDecode(t, u, []int8{0, 6, -6}, 0, 6*hour, -6*hour)
	checkDecode(t, u, []uint64{0, 6}, 0, 6*hour)
	checkDecode(t, u, []uint32{0, 6}, 0, 6*hour)
	checkDecode(t, u, []uint16{0, 6}, 0, 6*hour)
	checkDecode(t, u, []uint8{0, 6}, 0, 6*hour)
	checkDecode(t, u, []float32{0, 0.5, -6}, 0, hour/2, -6*hour)
	checkDecode(t, u, []float64{0, 0.5, -6}, 0, hour/2, -6*hour)
	checkDecode(t, u, []time.Duration{6}, 6*hour)
	checkDecode(t, u, []int64(nil))
	checkDecode(t, u, []float32{6, float32(math.NaN())}, 6*hour, NaT)
	checkDecode(t, u, []int64{6, NaT}, 6*hour, NaT)

	dst := make([]int64, 2)
	err := DecodeTimes(u, dst, []float32{1, float32(math.Inf(1))})
	if want := "cf: +Inf hours since 1970-01-01 00:00:00 is not a time (index 1)"; err == nil || err.Error() != want {
		t.Errorf("DecodeTimes of an infinity: %v, want %v", err, want)
	}
	err = DecodeTimes(u, dst, []uint64{math.MaxUint64, 0})
	if want := "cf: 18446744073709551615 hours since "; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "(index 0)") {
		t.Errorf("DecodeTimes of the largest uint64: %v, want %v...(index 0)", err, want)
	}

	defer func() {
		if got, want := recover(), "cf: 2 times for 1 values"; got != want {
			t.Errorf("panic: %v, want %v", got, want)
		}
	}()
	_ = DecodeTimes(u, dst, []int16{1})
}

func checkDecode[T Number](t *testing.T, u Units, src []T, want ...int64) {
	t.Helper()
	dst := make([]int64, len(src))
	if err := DecodeTimes(u, dst, src); err != nil || fmt.Sprint(dst) != fmt.Sprint(want) {
		t.Errorf("DecodeTimes(%T %v) gave %v, %v, want %v", src, src, dst, err, want)
	}
}

func TestDecodeTimesAllocs(t *testing.T) {
	u := mustParse(t, "hours since 1959-01-01")
	dst, src := make([]int64, 64), make([]float32, 64)
	if n := testing.AllocsPerRun(10, func() { _ = DecodeTimes(u, dst, src) }); n != 0 {
		t.Errorf("DecodeTimes: %v allocations, want 0", n)
	}
}

func FuzzParseTimeUnits(f *testing.F) {
	f.Add("hours since 1959-01-01", "proleptic_gregorian")
	f.Add("days since 1582-10-15 00:00 +0530", "standard")
	f.Add("\u00b5s since -4713-1-1T12:00:00.5Z", "")
	f.Add("months since 1-1-1 utc", "360_day")
	f.Add("s since 999999-12-31 23:59:59.999999999 -3", "gregorian")
	f.Fuzz(func(t *testing.T, units, calendar string) {
		u, err := ParseTimeUnits(units, calendar)
		if err != nil {
			return
		}
		again, err := ParseTimeUnits(u.String(), u.Calendar())
		if err != nil || again != u {
			t.Errorf("%q in calendar %q prints as %q in %s, which parses to %+v, %v, want %+v",
				units, calendar, u, u.Calendar(), again, err, u)
		}
		for _, v := range []int64{0, 1, math.MaxInt64, math.MinInt64} {
			n, err := u.Nanoseconds(v)
			x, errFloat := u.NanosecondsFloat(float64(v))
			if v < 2 && v >= 0 && (n != x || (err == nil) != (errFloat == nil)) {
				t.Errorf("%d %v = %d, %v; as a float %d, %v", v, u, n, err, x, errFloat)
			}
		}
	})
}

func ExampleParseTimeUnits() {
	u, err := ParseTimeUnits("hours since 1959-01-01", "proleptic_gregorian")
	if err != nil {
		fmt.Println(err)
		return
	}
	ns, err := u.Nanoseconds(359400)
	fmt.Println(time.Unix(0, ns).UTC(), err)

	_, err = ParseTimeUnits("days since 1959-01-01", "noleap")
	fmt.Println(err)
	// Output:
	// 2000-01-01 00:00:00 +0000 UTC <nil>
	// cf: calendar "noleap" is not supported; supported are standard, gregorian and proleptic_gregorian
}
