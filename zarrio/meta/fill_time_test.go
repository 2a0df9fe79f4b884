package meta

import "testing"

// TestParseMoment has what NumPy 2 makes of the same: np.datetime64(text).astype("M8[unit]").astype("i8").
func TestParseMoment(t *testing.T) {
	for _, tt := range []struct{ text, unit, want string }{
		{"1970", "Y", "0"},
		{"1969", "Y", "-1"},
		{"1969", "5Y", "-1"},
		{"2000-03", "M", "362"},
		{"1969-12", "M", "-1"},
		{"1970-01-01", "W", "0"},
		{"1969-12-31", "W", "-1"},
		{"2000-02-29", "D", "11016"},
		{"-0001-01-01", "D", "-719893"},
		{"1970-01-02T03", "h", "27"},
		{"1970-01-01T00:59", "m", "59"},
		{"1969-12-31T23:59:59", "s", "-1"},
		{"1970-01-01T00:00:50", "25s", "2"},
		{"1969-12-31T23:59:59", "25s", "-1"},
		{"1970-01-01T00:00:00.005", "ms", "5"},
		{"1970-01-01T00:00:00.000005", "us", "5"},
		{"1969-12-31T23:59:59.999999999", "ns", "-1"},
		{"2262-04-11T23:47:16.854775807", "ns", "9223372036854775807"},
		{"1970-01-01T00:00:01.000000000001", "ps", "1000000000001"},
		{"1970-01-01T00:00:00.000000000000000007", "as", "7"},
		{"1970-01-01", "ns", "0"},
	} {
		got, err := parseMoment(tt.text, tt.unit)
		if err != nil || got.String() != tt.want {
			t.Errorf("parseMoment(%q, %q) = %v, %v, want %s", tt.text, tt.unit, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "x", "1970-13", "1970-02-30", "1970-01-01T25", "1970-01-01T", "1970-01T05", "1970-01-01T00:00:00.1234", "1970-01-01-01",
		"1970-01-01T00:00:00:00", "--1970", "1970-", "1970-01-01T00:00:00.+1", "99999999999"} {
		if got, err := parseMoment(text, "ms"); err == nil {
			t.Errorf("parseMoment(%q) = %v, want an error", text, got)
		}
	}
	for _, unit := range []string{"generic", "0s", "9223372036854775807W", "99999999999999999999s"} {
		if _, err := parseMoment("1970", unit); err == nil {
			t.Errorf("a moment in units of %q: no error", unit)
		}
	}
}
