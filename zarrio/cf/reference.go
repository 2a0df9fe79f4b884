package cf

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeUnits are the units that times are counted in, longest first. Names are lower case and match in any case; symbols
// match as they are, since "S" is a siemens, and "Ms" a megasecond.
var timeUnits = []struct {
	ns             int64
	names, symbols []string
}{
	{7 * nsPerDay, []string{"weeks", "week"}, nil},
	{nsPerDay, []string{"days", "day"}, []string{"d"}},
	{int64(time.Hour), []string{"hours", "hour", "hrs", "hr"}, []string{"h"}},
	{int64(time.Minute), []string{"minutes", "minute", "mins", "min"}, nil},
	{int64(time.Second), []string{"seconds", "second", "secs", "sec"}, []string{"s"}},
	{int64(time.Millisecond), []string{"milliseconds", "millisecond", "millisecs", "millisec", "msecs", "msec"}, []string{"ms"}},
	{int64(time.Microsecond), []string{"microseconds", "microsecond", "microsecs", "microsec"}, []string{"us", "\u00b5s", "\u03bcs"}}, // micro sign, Greek mu
	{int64(time.Nanosecond), []string{"nanoseconds", "nanosecond"}, []string{"ns"}},
}

// variableUnits are units whose length depends on where they are counted from. Section 4.4 warns of them: to udunits they
// are parts or multiples of a mean tropical year, which is hardly ever what was meant.
var variableUnits = []string{
	"months", "month", "mons", "mon", "years", "year", "yrs", "yr", "common_years", "common_year", "leap_years", "leap_year",
}

// parseUnit returns the length of a unit in ns.
func parseUnit(s string) (int64, error) {
	lower := strings.ToLower(s)
	for _, t := range timeUnits {
		if slices.Contains(t.names, lower) || slices.Contains(t.symbols, s) {
			return t.ns, nil
		}
	}
	why := "is not known"
	if slices.Contains(variableUnits, lower) {
		why = "has no fixed length"
	}
	return 0, fmt.Errorf("unit %q %s; supported are weeks, days, hours, minutes, seconds, milliseconds, microseconds and nanoseconds", s, why)
}

// reference is a reference date without its unit. Fields are separated by single spaces.
var reference = regexp.MustCompile(`^(?P<year>[+-]?\d{1,6})-(?P<month>\d{1,2})-(?P<day>\d{1,2})` +
	`(?:[Tt ](?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:\.(?P<fraction>\d*))?)?)?)?` +
	` ?(?:(?i:Z|UTC|GMT)|(?P<sign>[+-])(?P<zoneHour>\d{1,2})(?::?(?P<zoneMinute>\d{2}))?)?$`)

// parseReference returns a reference date in UTC: the days since 1970-01-01, and the ns since that day began.
func parseReference(s string, cal calendar) (day, ns int64, err error) {
	match := reference.FindStringSubmatch(s)
	if match == nil {
		return 0, 0, fmt.Errorf("date %q is not of the form YEAR-MONTH-DAY, with a time of day and a time zone or without, such as 1959-01-01 06:00:00 +00:00", s)
	}
	text := func(group string) string { return match[reference.SubexpIndex(group)] }
	number := func(group string) int64 {
		n, _ := strconv.ParseInt(text(group), 10, 64) // at most six digits, or "", which counts as 0
		return n
	}

	day, err = cal.dayNumber(int(number("year")), int(number("month")), int(number("day")))
	if err != nil {
		return 0, 0, err
	}
	hour, minute, second := number("hour"), number("minute"), number("second")
	if hour > 23 || minute > 59 || second > 59 {
		return 0, 0, fmt.Errorf("%02d:%02d:%02d is no time of day", hour, minute, second)
	}
	fraction := text("fraction")
	if len(fraction) > 9 {
		if strings.Trim(fraction[9:], "0") != "" {
			return 0, 0, fmt.Errorf("date %q is finer than a nanosecond", s)
		}
		fraction = fraction[:9]
	}
	ns, _ = strconv.ParseInt((fraction + "000000000")[:9], 10, 64) // nine digits
	zoneHour, zoneMinute := number("zoneHour"), number("zoneMinute")
	if zoneHour > 23 || zoneMinute > 59 {
		return 0, 0, fmt.Errorf("%s%02d:%02d is no time zone", text("sign"), zoneHour, zoneMinute)
	}
	if text("sign") == "-" {
		zoneHour, zoneMinute = -zoneHour, -zoneMinute
	}
	// Zones east of Greenwich, which are positive, are ahead of UTC.
	ns += (hour-zoneHour)*int64(time.Hour) + (minute-zoneMinute)*int64(time.Minute) + second*int64(time.Second)
	switch {
	case ns < 0:
		day, ns = day-1, ns+nsPerDay
	case ns >= nsPerDay:
		day, ns = day+1, ns-nsPerDay
	}
	if year, _, _ := cal.date(day); year < -999999 || year > 999999 {
		return 0, 0, errors.New("the year has more than six digits in UTC")
	}
	return day, ns, nil
}

// formatReference is the inverse of parseReference.
func formatReference(day, ns int64, cal calendar) string {
	year, month, dayOfMonth := cal.date(day)
	width := 4
	if year < 0 {
		width = 5 // with the sign
	}
	clock := time.Unix(0, ns).UTC().Format("15:04:05.999999999")
	return fmt.Sprintf("%0*d-%02d-%02d %s", width, year, month, dayOfMonth, clock)
}
