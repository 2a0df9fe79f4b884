package meta

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMissingChunk is what errors.Is finds when a chunk is not there and missing chunks are refused.
var ErrMissingChunk = errors.New("the chunk is missing, and missing chunks are refused (strict)")

// ErrNodeType is what errors.Is finds when a group was asked for and the node is an array, or an
// array and it is a group.
var ErrNodeType = errors.New("the node is of the other type")

// An UnsupportedError tells that a document, this build or this machine asks for something that
// zarrio can't do: what was found, and what is supported. It is [errors.ErrUnsupported].
type UnsupportedError struct {
	What      string // such as "data type"
	Found     string
	Supported string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s %s is not supported; supported: %s", e.What, e.Found, e.Supported)
}

// Is reports whether target is [errors.ErrUnsupported].
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// A MetadataError names a document of a store that can't be used, and tells why.
type MetadataError struct {
	Store string
	Key   string // the document, such as "t2m/.zarray"
	Err   error
}

func (e *MetadataError) Error() string {
	return fmt.Sprintf("zarrio: %s: %s: %v", e.Store, e.Key, e.Err)
}

func (e *MetadataError) Unwrap() error { return e.Err }

// A ChunkError names a chunk that could not be read or written, and the step that failed.
type ChunkError struct {
	Store string
	Array string // the array's path in the store; "" is the root
	Key   string // the key, in the store, of the chunk or of the shard that it is in, such as "t2m/12.0.0"
	Inner []int  // of a chunk in a shard, its coordinates in the array's grid of inner chunks; else nil
	Step  string // "read", "write", "encode", or a codec's name
	Err   error
}

func (e *ChunkError) Error() string {
	cause := strings.TrimPrefix(e.Err.Error(), e.Step+": ") // some libraries name the codec too
	if e.Inner != nil {
		return fmt.Sprintf("zarrio: %s: array %q: shard %q: inner chunk %v: %s: %s", e.Store, e.Array, e.Key, e.Inner, e.Step, cause)
	}
	return fmt.Sprintf("zarrio: %s: array %q: chunk %q: %s: %s", e.Store, e.Array, e.Key, e.Step, cause)
}

func (e *ChunkError) Unwrap() error { return e.Err }

// Within returns err for a message that has prefix already: its text comes without. It returns nil
// if err is nil.
func Within(err error, prefix string) error {
	if err == nil {
		return nil
	}
	return nestedError{err, prefix}
}

type nestedError struct {
	error
	prefix string
}

func (e nestedError) Error() string { return strings.TrimPrefix(e.error.Error(), e.prefix) }

func (e nestedError) Unwrap() error { return e.error }

// Spelled spells a list for a message: whole, or its first and last few.
func Spelled[T any](list []T, text func(T) string) string {
	const most, ends = 40, 3
	words := make([]string, 0, len(list))
	for i, x := range list {
		if len(list) <= most || i < ends || i >= len(list)-ends {
			words = append(words, text(x))
		} else if i == ends {
			words = append(words, "...")
		}
	}
	return strings.Join(words, " ")
}
