package store

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// cp437 is what the bytes from 128 on are in code page 437, which names are in that nothing else is said of (APPNOTE.TXT, D.1).
var cp437 = []rune("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0")

// zipOldName decodes a name that is not marked as UTF-8: by the field for its Unicode form if that was made for this name
// (4.6.9), else by code page 437.
func zipOldName(name, extra []byte) string {
	const version, head = 1, 5
	if u := zipExtra(extra, zipExtraUnicode); len(u) >= head && u[0] == version && binary.LittleEndian.Uint32(u[1:]) == crc32.ChecksumIEEE(name) {
		return string(u[head:])
	}
	var s strings.Builder
	for _, c := range name {
		if c < 0x80 {
			s.WriteByte(c)
		} else {
			s.WriteRune(cp437[c-0x80])
		}
	}
	return s.String()
}
