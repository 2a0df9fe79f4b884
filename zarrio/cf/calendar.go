package cf

import (
	"fmt"
	"strings"
	"time"
)

// A calendar says which day a date is.
type calendar uint8

const (
	standard  calendar = iota // Julian until 1582-10-04, then Gregorian, which begins with 1582-10-15
	proleptic                 // Gregorian throughout, with a year 0
)

func (c calendar) String() string {
	if c == proleptic {
		return "proleptic_gregorian"
	}
	return "standard"
}

func parseCalendar(s string) (calendar, error) {
	switch strings.ToLower(s) {
	case "", "standard", "gregorian":
		return standard, nil
	case "proleptic_gregorian":
		return proleptic, nil
	}
	return 0, fmt.Errorf("calendar %q is not supported; supported are standard, gregorian and proleptic_gregorian", s)
}

// dayNumber returns the days from 1970-01-01 to a date, or an error if the calendar has no such date.
func (c calendar) dayNumber(year, month, day int) (int64, error) {
	var n int64
	switch before := year*10000 + month*100 + day; {
	case c == standard && before < 15821005:
		astronomical := year
		if year < 0 {
			astronomical++ // -1 is the year before 1, which astronomers call 0
		}
		n = julianDay(astronomical, month, day)
	case c == standard && before < 15821015:
		return 0, fmt.Errorf("%d-%02d-%02d does not exist in the standard calendar, in which 1582-10-15 follows 1582-10-04", year, month, day)
	default:
		n = gregorianDay(year, month, day)
	}
	// Dates that don't exist, such as 02-30 or month 13, are counted into some other month, or year.
	if y, m, d := c.date(n); y != year || m != month || d != day {
		return 0, fmt.Errorf("%d-%02d-%02d does not exist in the %s calendar", year, month, day, c)
	}
	return n, nil
}

// firstGregorian is the day number of 1582-10-15, with which the Gregorian part of the standard calendar begins.
const firstGregorian = -141427

// date is the inverse of dayNumber.
func (c calendar) date(n int64) (year, month, day int) {
	if c == standard && n < firstGregorian {
		year, month, day = julianDate(n)
		if year <= 0 {
			year--
		}
		return year, month, day
	}
	y, m, d := time.Unix(n*24*60*60, 0).UTC().Date()
	return y, int(m), d
}

// gregorianDay returns the days from 1970-01-01 to a date in the Gregorian calendar.
func gregorianDay(year, month, day int) int64 {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
}

// A Julian year is counted from 1 March here, so that a leap day is the last of its year. Months then have 31, 30, 31, 30,
// 31 days, and again; day (153*m+2)/5 of the year is the first of the m-th month after March.
const (
	julianEpoch = -719470 // the day number of 0000-03-01 in the Julian calendar, which is the Gregorian 0000-02-28
	fourYears   = 4*365 + 1
)

// julianDay returns the days from the Gregorian 1970-01-01 to a date in the Julian calendar, which has a year 0 here.
func julianDay(year, month, day int) int64 {
	y, m := int64(year), int64(month)-3
	if m < 0 {
		y, m = y-1, m+12
	}
	return julianEpoch + floorDiv(fourYears*y, 4) + (153*m+2)/5 + int64(day) - 1
}

// julianDate is the inverse of julianDay.
func julianDate(n int64) (year, month, day int) {
	n -= julianEpoch
	y := floorDiv(4*n+3, fourYears)
	n -= floorDiv(fourYears*y, 4)
	m := (5*n + 2) / 153
	day = int(n-(153*m+2)/5) + 1
	if m += 3; m > 12 {
		y, m = y+1, m-12
	}
	return int(y), int(m), day
}

// floorDiv returns a/b, rounded down. b is positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
