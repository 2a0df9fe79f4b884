package chart

import "image/color"

// SideColor returns the colour of the first side, a blue, or of any other, a vermilion, on white. They differ in lightness as in
// hue, so that they are told apart by readers who don't see red and green, and in print without colour; white text can be read on
// both.
func SideColor(side int) color.RGBA {
	if side == 0 {
		return color.RGBA{R: 0x1d, G: 0x4e, B: 0x9e, A: 0xff}
	}
	return color.RGBA{R: 0xc4, G: 0x4e, B: 0x06, A: 0xff}
}
