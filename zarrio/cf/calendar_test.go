package cf

import "testing"

// TestCalendars walks both calendars a day at a time, by the rules for leap years.
func TestCalendars(t *testing.T) {
	for _, c := range []calendar{standard, proleptic} {
		year, month, day := -2000, 1, 1
		n, err := c.dayNumber(year, month, day)
		if err != nil {
			t.Fatal(err)
		}
		for ; year < 2400; n++ {
			if got, err := c.dayNumber(year, month, day); err != nil || got != n {
				t.Fatalf("%s: day number of %d-%d-%d = %d, %v, want %d", c, year, month, day, got, err, n)
			}
			if y, m, d := c.date(n); y != year || m != month || d != day {
				t.Fatalf("%s: date of day %d = %d-%d-%d, want %d-%d-%d", c, n, y, m, d, year, month, day)
			}
			if day++; c == standard && year == 1582 && month == 10 && day == 5 {
				day = 15
			}
			if day > daysIn(c, year, month) {
				month, day = month+1, 1
			}
			if month > 12 {
				year, month = year+1, 1
			}
			if c == standard && year == 0 {
				year = 1
			}
		}
		if year, month, day := c.date(0); year != 1970 || month != 1 || day != 1 {
			t.Errorf("%s: date of day 0 = %d-%d-%d, want 1970-1-1", c, year, month, day)
		}
	}
}

func daysIn(c calendar, year, month int) int {
	if c == standard && year < 0 {
		year++
	}
	leap := year%4 == 0 && (year%100 != 0 || year%400 == 0 || c == standard && year <= 1582)
	switch {
	case month == 2 && leap:
		return 29
	case month == 2:
		return 28
	case month == 4, month == 6, month == 9, month == 11:
		return 30
	}
	return 31
}

func TestDayNumber(t *testing.T) {
	tests := []struct {
		c                calendar
		year, month, day int
		want             int64
	}{
		{standard, 1582, 10, 15, firstGregorian},
		{standard, 1582, 10, 4, firstGregorian - 1},
		{proleptic, 1582, 10, 15, firstGregorian},
		{proleptic, 1582, 10, 4, firstGregorian - 11},
		{standard, -4713, 1, 1, -2440588}, // from which Julian day numbers count
		{proleptic, -4713, 11, 24, -2440588},
		{standard, 1858, 11, 17, -40587}, // modified Julian days
		{standard, 2000, 2, 29, 11016},
	}
	for _, test := range tests {
		if got, err := test.c.dayNumber(test.year, test.month, test.day); err != nil || got != test.want {
			t.Errorf("%s: day number of %d-%02d-%02d = %d, %v, want %d", test.c, test.year, test.month, test.day, got, err, test.want)
		}
	}
}
