package ndcopy

// CopyGeneric is the definition of Copy, but that s is a byte.
var CopyGeneric = copyGeneric

// Vectors reports whether vector code is used.
func Vectors() bool { return vectors }
