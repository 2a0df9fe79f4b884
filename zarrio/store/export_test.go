package store

import "os"

// UseRoot makes d open files by os.Root, as on systems without openat2.
func (d *Dir) UseRoot() { d.direct = false }

// Direct reports whether d opens files by openat2.
func (d *Dir) Direct() bool { return d.direct }

// SetWrite makes write the function that Put writes with.
func (d *Dir) SetWrite(write func(*os.File, []byte) (int, error)) { d.write = write }
