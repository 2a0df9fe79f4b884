package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"path"
	"strings"
	"unicode/utf8"
)

// cp437 is what the bytes from 128 on are in code page 437, which names are in that nothing else is said of (APPNOTE.TXT, D.1).
var cp437 = []rune("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0")

// zipName decodes the name of an entry by what its header says of it: UTF-8 where the flag is set; else by the extra field for
// its Unicode form, if that was made for this name (4.6.9); else by code page 437. What was made on a Unix has the bytes of its
// file system, which are taken as UTF-8 where they can be: Info-ZIP leaves the flag out.
func zipName(name, extra []byte, flags uint16, unix bool) string {
	isASCII := !bytes.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf })
	if isASCII || flags&zipUTF8 != 0 {
		return string(name)
	}
	const version, head = 1, 5
	u := zipExtra(extra, zipExtraUnicode)
	if len(u) >= head && u[0] == version && binary.LittleEndian.Uint32(u[1:]) == crc32.ChecksumIEEE(name) {
		return string(u[head:])
	}
	if unix && utf8.Valid(name) {
		return string(name)
	}
	var s strings.Builder
	for _, c := range name {
		if c < utf8.RuneSelf {
			s.WriteByte(c)
		} else {
			s.WriteRune(cp437[c-utf8.RuneSelf])
		}
	}
	return s.String()
}

// badZipName returns why the name of an entry is no key, or nil. That of a directory has a slash at its end.
func badZipName(name string) error {
	switch {
	case strings.Contains(name, `\`):
		return errors.New("has backslashes where slashes belong")
	case strings.HasPrefix(name, "/"):
		return errors.New("begins with a slash")
	case CheckKey(strings.TrimSuffix(name, "/")) != nil:
		return ErrBadKey
	}
	return nil
}

// cleanZipName returns the key that other programs would make of a name that is none.
func cleanZipName(name string) string {
	name, _, _ = strings.Cut(name, "\x00")
	return path.Clean("/" + strings.ReplaceAll(name, `\`, "/"))[1:]
}
