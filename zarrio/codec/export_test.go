package codec

// SetGoOnly keeps the C libraries out of this package, or lets them in, and returns a function that undoes it.
func SetGoOnly(v bool) (restore func()) {
	old := goOnly
	goOnly = v
	return func() { goOnly = old }
}

// TypeOf returns the type of that name, or the zero Type for names that codecs don't know.
func TypeOf(name string) Type {
	t, _ := parseType(name, false)
	return t
}
