package affine

// ConvertGeneric is the definition of Convert.
func (c *Conversion) ConvertGeneric(dst, src []byte, swap int) { c.convertGeneric(dst, src, swap) }

// Vectors reports whether c uses vector code, for lengths of a step or more.
func (c *Conversion) Vectors() bool { return c.kernel != generic }
