package codec

// SetGoOnly keeps the C libraries out of this package, or lets them in, and returns a function that undoes it.
func SetGoOnly(v bool) (restore func()) {
	old := goOnly
	goOnly = v
	return func() { goOnly = old }
}
