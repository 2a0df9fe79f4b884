package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Signatures and fixed sizes of APPNOTE.TXT 4.3.
const (
	zipLocalSig     = 0x04034b50 // 4.3.7, local file header
	zipEntrySig     = 0x02014b50 // 4.3.12, central directory header
	zipEndSig       = 0x06054b50 // 4.3.16, end of central directory record
	zipEnd64Sig     = 0x06064b50 // 4.3.14, zip64 end of central directory record
	zipLocator64Sig = 0x07064b50 // 4.3.15, zip64 end of central directory locator

	zipLocalLen     = 30
	zipEntryLen     = 46
	zipEndLen       = 22
	zipEnd64Len     = 56
	zipLocator64Len = 20

	zipExtra64      = 0x0001 // 4.5.3
	zipExtraUnicode = 0x7075 // 4.6.9

	zipStored   = 0
	zipDeflated = 8

	zipEncrypted = 1<<0 | 1<<6 | 1<<13 // general purpose bits, 4.4.4
	zipUTF8      = 1 << 11
)

const (
	// zipTail is read from the end at first: the longest comment, the records before it and something of the directory.
	zipTail = 66 << 10
	// zipWindow bounds what is read of the directory at once, and so what a size that lies can cost.
	zipWindow = 4 << 20
)

// maxInflate is how many bytes a byte of deflate can stand for: 258 for two codes of a bit each.
const maxInflate = 258 * 8 / 2

// A zipEntry is what the directory says of an entry. Nothing of it is to be believed before check.
type zipEntry struct {
	key    string // of a directory, with a slash at its end
	header int64  // where the local header is; -1 where that is outside the file
	end    int64  // where the next local header, or the directory, is
	packed int64  // bytes in the file
	size   int64  // bytes of the value
	crc    uint32
	method uint16
	name   uint16 // length of the name in the file
	extra  uint16 // length of the extra field in the directory; the one in the file differs
	unix   bool   // made on a Unix
	locked bool   // encrypted
	link   bool   // a symbolic link, whose bytes are the path
}

// check returns why the entry can't be read, if the directory tells.
func (e *zipEntry) check() error {
	switch {
	case e.link:
		return errors.New("is a symbolic link in the zip file")
	case e.locked:
		return fmt.Errorf("is encrypted in the zip file: %w", errors.ErrUnsupported)
	case e.method != zipStored && e.method != zipDeflated:
		return fmt.Errorf("compressed by zip method %s: %w", methodName(e.method), errors.ErrUnsupported)
	case e.header < 0 || e.packed > e.end-e.header-zipLocalLen-int64(e.name):
		return fmt.Errorf("%w: an entry of %d bytes reaches beyond the file, or into what follows it", ErrZip, e.packed)
	case e.method == zipStored && e.size != e.packed:
		return fmt.Errorf("%w: a stored entry of %d bytes takes up %d", ErrZip, e.size, e.packed)
	case e.method == zipDeflated && e.size/maxInflate > e.packed:
		return fmt.Errorf("%w: %d bytes can't be deflated to %d", ErrZip, e.size, e.packed)
	}
	return nil
}

// methodName gives the name of 4.4.5 too, where the method is one that archivers write.
func methodName(method uint16) string {
	names := map[uint16]string{1: "shrink", 6: "implode", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 98: "ppmd"}
	if name, ok := names[method]; ok {
		return fmt.Sprintf("%d (%s)", method, name)
	}
	return fmt.Sprint(method)
}

// A zipDirectory reads the list of entries at a zip file's end.
type zipDirectory struct {
	src     Value
	size    int64 // of the file
	tail    []byte
	entries []zipEntry
	refused []Unusable // names that are no keys

	// What the end records say, in offsets of the file.
	base       int64 // where offset 0 of the archive is: there may be something before it
	start, end int64
	count      uint64
	here       uint64 // entries on this disk, of which there is one only
	wide       bool   // count is not modulo 65536

	buf []byte // the directory from pos on, as far as it was read
	pos int64
}

// read fills entries, in the order of the directory, and refused. An error means that not all names are known.
func (d *zipDirectory) read(ctx context.Context) error {
	tail := make([]byte, zipTail)
	n, size, err := d.src.ReadRange(ctx, tail, -zipTail)
	if err != nil {
		return err
	}
	if int64(n) != min(size, zipTail) {
		return fmt.Errorf("read %d of the last %d bytes: %w", n, min(size, zipTail), io.ErrUnexpectedEOF)
	}
	d.tail, d.size = tail[:n], size
	if err := d.readEnd(ctx); err != nil {
		return err
	}
	var count uint64
	var headers []int64
	for d.pos = d.start; d.pos < d.end; count++ {
		header, err := d.next(ctx)
		if err != nil {
			return err
		}
		if header >= 0 {
			headers = append(headers, header)
		}
	}
	if count != d.count && (d.wide || count&0xffff != d.count) {
		return fmt.Errorf("%w: a directory of %d entries, want %d", ErrZip, count, d.count)
	}
	if d.here != d.count {
		return fmt.Errorf("%w: a directory of %d entries, of which %d are on this disk: several are not supported", ErrZip, d.count, d.here)
	}
	slices.Sort(headers)
	if err := d.checkBase(ctx, headers); err != nil {
		return err
	}
	for i := range d.entries {
		e := &d.entries[i]
		e.end = d.start
		if j, _ := slices.BinarySearch(headers, e.header+1); j < len(headers) {
			e.end = headers[j]
		}
	}
	return nil
}

// checkBase returns an error if the directory may have begun earlier than the file's end says, so that names are missing: if there
// is something before the archive but its first entry is not where it would be then, or if the archive begins with an entry that the
// directory lacks. headers are where the entries begin, sorted.
func (d *zipDirectory) checkBase(ctx context.Context, headers []int64) error {
	if len(headers) == 0 {
		return nil
	}
	begins := func(at int64) (bool, error) {
		var sig [4]byte
		if at+int64(len(sig)) > d.start {
			return false, nil
		}
		err := d.readAt(ctx, sig[:], at)
		return binary.LittleEndian.Uint32(sig[:]) == zipLocalSig, err
	}
	if d.base != 0 {
		if ok, err := begins(headers[0]); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("%w: no entry at offset %d, which is its first by the directory and the file's end: they disagree", ErrZip, headers[0])
		}
	}
	if headers[0] != d.base {
		if lost, err := begins(d.base); err != nil {
			return err
		} else if lost {
			return fmt.Errorf("%w: the directory lacks the entry at offset %d, with which the file begins", ErrZip, d.base)
		}
	}
	return nil
}

// readEnd finds the directory by the record at the file's end.
func (d *zipDirectory) readEnd(ctx context.Context) error {
	// The comment may hold anything, so that only a record whose comment ends where the file does is one.
	i := len(d.tail) - zipEndLen
	le := binary.LittleEndian
	for i >= 0 && (le.Uint32(d.tail[i:]) != zipEndSig || i+zipEndLen+int(le.Uint16(d.tail[i+20:])) != len(d.tail)) {
		i--
	}
	if i < 0 {
		return fmt.Errorf("%w: no end of central directory record in its last %d bytes", ErrZip, len(d.tail))
	}
	r := d.tail[i:]
	disk, dirDisk := uint32(le.Uint16(r[4:])), uint32(le.Uint16(r[6:]))
	d.here = uint64(le.Uint16(r[8:]))
	d.count = uint64(le.Uint16(r[10:]))
	length, offset := uint64(le.Uint32(r[12:])), uint64(le.Uint32(r[16:]))
	d.end = d.size - int64(len(d.tail)-i)

	// Some archivers write the zip64 record though the other one has room for all that it says, and the directory ends there.
	needed := d.count == math.MaxUint16 || length == math.MaxUint32 || offset == math.MaxUint32
	at, err := d.find64(ctx, d.end, needed)
	if err != nil {
		return err
	}
	if at >= 0 {
		var r [zipEnd64Len]byte
		if err := d.readAt(ctx, r[:], at); err != nil {
			return err
		}
		disk, dirDisk, d.here = le.Uint32(r[16:]), le.Uint32(r[20:]), le.Uint64(r[24:])
		narrow := [...]uint64{d.count, length, offset}
		d.count, length, offset = le.Uint64(r[32:]), le.Uint64(r[40:]), le.Uint64(r[48:])
		d.end, d.wide = at, true
		for i, wide := range [...]uint64{d.count, length, offset} {
			most := uint64(math.MaxUint32)
			if i == 0 {
				most = math.MaxUint16
			}
			if narrow[i] != most && narrow[i] != wide {
				return fmt.Errorf("%w: its end says that the %s of the directory is %d, the zip64 record before it %d",
					ErrZip, [...]string{"count", "length", "offset"}[i], narrow[i], wide)
			}
		}
	}
	if disk != 0 || dirDisk != 0 {
		return fmt.Errorf("%w: one of several disks, which are not supported", ErrZip)
	}
	if length > uint64(d.end) {
		return fmt.Errorf("%w: a directory of %d bytes before offset %d", ErrZip, length, d.end)
	}
	d.start = d.end - int64(length)
	if offset > uint64(d.start) {
		return fmt.Errorf("%w: a directory at offset %d, want at most %d", ErrZip, offset, d.start)
	}
	d.base = d.start - int64(offset)
	return nil
}

// find64 returns where the zip64 end record is, or -1 if there is none. end is where the other one is. Unless the record is
// needed, what looks like its locator may be the end of a comment.
func (d *zipDirectory) find64(ctx context.Context, end int64, needed bool) (int64, error) {
	var loc [zipLocator64Len]byte
	if end < int64(len(loc)+zipEnd64Len) {
		return -1, nil
	}
	end -= int64(len(loc))
	if err := d.readAt(ctx, loc[:], end); err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(loc[:]) != zipLocator64Sig {
		return -1, nil
	}
	// The second is where it is if something was put before the archive, which the offset doesn't count.
	for _, at := range []uint64{binary.LittleEndian.Uint64(loc[8:]), uint64(end - zipEnd64Len)} {
		if at > uint64(end-zipEnd64Len) {
			continue
		}
		var sig [4]byte
		if err := d.readAt(ctx, sig[:], int64(at)); err != nil {
			return 0, err
		}
		if binary.LittleEndian.Uint32(sig[:]) == zipEnd64Sig {
			return int64(at), nil
		}
	}
	if !needed {
		return -1, nil
	}
	return 0, fmt.Errorf("%w: no zip64 end of central directory record where its locator points", ErrZip)
}

// next reads the entry at pos and moves behind it. It returns where the entry's local header is.
func (d *zipDirectory) next(ctx context.Context) (header int64, err error) {
	le := binary.LittleEndian
	h, err := d.peek(ctx, zipEntryLen)
	if err != nil {
		return 0, err
	}
	if sig := le.Uint32(h); sig != zipEntrySig {
		return 0, fmt.Errorf("%w: signature %#08x in the directory, want %#08x", ErrZip, sig, zipEntrySig)
	}
	nameLen, extraLen, commentLen := int(le.Uint16(h[28:])), int(le.Uint16(h[30:])), int(le.Uint16(h[32:]))
	length := zipEntryLen + nameLen + extraLen + commentLen
	if h, err = d.peek(ctx, length); err != nil {
		return 0, err
	}
	d.buf = d.buf[length:]
	d.pos += int64(length)

	flags, external := le.Uint16(h[8:]), le.Uint32(h[38:])
	packed, size, offset := uint64(le.Uint32(h[20:])), uint64(le.Uint32(h[24:])), uint64(le.Uint32(h[42:]))
	name, extra := h[zipEntryLen:][:nameLen], h[zipEntryLen+nameLen:][:extraLen]
	wide := zipExtra(extra, zipExtra64)
	for _, field := range []*uint64{&size, &packed, &offset} { // the order of 4.5.3
		if *field != math.MaxUint32 {
			continue
		}
		if len(wide) < 8 {
			return 0, fmt.Errorf("%w: entry %q lacks a zip64 field", ErrZip, name)
		}
		*field, wide = le.Uint64(wide), wide[8:]
	}
	if max(packed, size) > math.MaxInt64 {
		return 0, fmt.Errorf("%w: entry %q has %d bytes", ErrZip, name, max(packed, size))
	}
	header = -1
	if offset <= uint64(d.start-d.base) {
		header = d.base + int64(offset)
	}
	const unix, darwin, typeMask, symlink = 3, 19, 0o170000, 0o120000
	onUnix := h[5] == unix || h[5] == darwin
	key := zipName(name, extra, flags, onUnix)
	switch why := badZipName(key); {
	case !utf8.ValidString(key):
		return 0, fmt.Errorf("%w: the name %q is marked as UTF-8 and isn't", ErrZip, key)
	case why == nil:
	case strings.HasSuffix(key, "/"), strings.HasSuffix(key, `\`):
		return header, nil // a directory, which holds nothing itself
	default:
		d.refused = append(d.refused, Unusable{key, why})
		return header, nil
	}
	d.entries = append(d.entries, zipEntry{
		key: key, header: header, packed: int64(packed), size: int64(size),
		crc: le.Uint32(h[16:]), method: le.Uint16(h[10:]), name: uint16(nameLen), extra: uint16(extraLen),
		unix: onUnix, locked: flags&zipEncrypted != 0, link: onUnix && external>>16&typeMask == symlink,
	})
	return header, nil
}

// peek returns the directory's next n bytes.
func (d *zipDirectory) peek(ctx context.Context, n int) ([]byte, error) {
	if int64(n) > d.end-d.pos {
		return nil, fmt.Errorf("%w: %d bytes of the directory are left for an entry of %d", ErrZip, d.end-d.pos, n)
	}
	for len(d.buf) < n {
		at := d.pos + int64(len(d.buf))
		more := min(d.end-at, zipWindow)
		if tail := d.size - int64(len(d.tail)); at < tail {
			more = min(more, tail-at)
		}
		buf := make([]byte, len(d.buf)+int(more))
		rest := buf[copy(buf, d.buf):]
		if err := d.readAt(ctx, rest, at); err != nil {
			return nil, err
		}
		d.buf = buf
	}
	return d.buf[:n], nil
}

// readAt fills p from the tail where it lies there, else from the file.
func (d *zipDirectory) readAt(ctx context.Context, p []byte, off int64) error {
	if at := off - (d.size - int64(len(d.tail))); at >= 0 && at+int64(len(p)) <= int64(len(d.tail)) {
		copy(p, d.tail[at:])
		return nil
	}
	return readSource(ctx, d.src, d.size, p, off)
}

// readSource fills p from off on of a zip file that had size bytes when it was opened.
func readSource(ctx context.Context, src Value, size int64, p []byte, off int64) error {
	n, now, err := src.ReadRange(ctx, p, off)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the zip file is gone: %v", err) // not %w: an entry would look missing
	case err != nil:
		return err
	case now != size:
		return fmt.Errorf("the zip file has changed: %d bytes, want %d", now, size)
	case n != len(p):
		return fmt.Errorf("read %d of %d bytes of the zip file at offset %d: %w", n, len(p), off, io.ErrUnexpectedEOF)
	}
	return nil
}

// zipExtra returns the data of the first field with that id in an extra field, of which 4.5.1 gives the form.
func zipExtra(extra []byte, id uint16) []byte {
	for len(extra) >= 4 {
		this, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			return nil
		}
		if this == id {
			return extra[:n]
		}
		extra = extra[n:]
	}
	return nil
}

var errLocal = fmt.Errorf("%w: the local header differs from the directory", ErrZip)

// parseLocal checks a local header, which h begins with, against the entry's name and method, and returns its length.
// Where more of it is needed than there is, it says how much and gives no error.
func (e *zipEntry) parseLocal(h []byte, prefix string) (length int, err error) {
	le := binary.LittleEndian
	if len(h) < zipLocalLen {
		return zipLocalLen, nil
	}
	if sig := le.Uint32(h); sig != zipLocalSig {
		return 0, fmt.Errorf("%w: signature %#08x at offset %d, want %#08x", ErrZip, sig, e.header, zipLocalSig)
	}
	nameLen, extraLen := int(le.Uint16(h[26:])), int(le.Uint16(h[28:]))
	length = zipLocalLen + nameLen + extraLen
	if int64(length) > e.end-e.header-e.packed {
		return 0, fmt.Errorf("%w: an entry of %d bytes reaches beyond the file, or into what follows it", ErrZip, e.packed)
	}
	if len(h) < length {
		return length, nil
	}
	name := zipName(h[zipLocalLen:][:nameLen], h[zipLocalLen+nameLen:][:extraLen], le.Uint16(h[6:]), e.unix)
	if rest, ok := strings.CutPrefix(name, prefix); !ok || rest != e.key || le.Uint16(h[8:]) != e.method {
		return 0, errLocal
	}
	return length, nil
}
