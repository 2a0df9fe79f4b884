package chunk

import (
	"bytes"

	"zarrbench/zarrio/store"
)

// A partHead is the head of a chunk that is read in parts: its first stored bytes, which tell where
// the parts are. It is immutable.
type partHead struct {
	stored       []byte
	offset, size int64         // of the chunk in its value
	version      store.Version // of the value
}

// version returns the version of the open value, or the zero Version if the store can't tell it.
func (r *Reader) version() (store.Version, error) {
	if v, ok := r.shard.value.(store.Versioned); ok {
		return v.Version()
	}
	return store.Version{}, nil
}

// knownHead returns the head of a chunk of the open value, whose version is now, or nil if it is
// not known. A version that is not known yet may be that of the head: verify tells.
func (a *Array) knownHead(chunk int, now store.Version) *partHead {
	h, ok := a.heads.get(chunk)
	if !ok || now != (store.Version{}) && now != h.version {
		return nil
	}
	return h
}

// keepHead keeps the first n stored bytes of a chunk for later reads, if its version is known.
func (a *Array) keepHead(chunk int, h *partHead, n int) {
	if h.version == (store.Version{}) {
		return
	}
	kept := *h
	kept.stored = bytes.Clone(h.stored[:n])
	a.heads.add(chunk, &kept, int64(n))
}

// verify returns an error if the open value is no longer of the version that h is of.
func (r *Reader) verify(h *partHead) error {
	now, err := r.version()
	if err == nil && now != h.version {
		err = store.ErrChanged
	}
	return err
}
