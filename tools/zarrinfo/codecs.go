package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A codecSpec is a codec as a document has it: of Zarr v2, with its "id" in the configuration too.
type codecSpec struct {
	Name   string          `json:"name"`
	Config json.RawMessage `json:"configuration,omitempty"`
}

// UnmarshalJSON reads a codec of a Zarr v3 document, which may be a name alone.
func (c *codecSpec) UnmarshalJSON(doc []byte) error {
	if json.Unmarshal(doc, &c.Name) == nil {
		return nil
	}
	type plain codecSpec
	return json.Unmarshal(doc, (*plain)(c))
}

// maxNesting bounds the shards within shards that are spelled out.
const maxNesting = 8

// codecsText spells codecs with their main settings, in the order of encoding: "transpose(1, 0), bytes, blosc(lz4, 5, shuffle)".
// shape is that of what they encode, nil where it is not known.
func codecsText(codecs []codecSpec, shape []int, depth int) string {
	var parts []string
	for _, c := range codecs {
		var config map[string]json.RawMessage
		_ = json.Unmarshal(c.Config, &config) // what can't be read is left out: errors are the reader's to find
		s := settings{config}
		switch c.Name {
		case "sharding_indexed":
			parts = append(parts, s.sharding(shape, depth))
			continue
		case "transpose":
			var order []int
			_ = json.Unmarshal(config["order"], &order)
			shape = permuted(shape, order)
		case "reshape":
			shape = nil
		}
		if text := s.of(c.Name); text != "" {
			parts = append(parts, fmt.Sprintf("%s(%s)", printable(c.Name), text))
		} else {
			parts = append(parts, printable(c.Name))
		}
	}
	return strings.Join(parts, ", ")
}

// permuted returns the shape that a transposition makes, nil where the order is none.
func permuted(shape, order []int) []int {
	if len(order) != len(shape) {
		return nil
	}
	out := make([]int, len(shape))
	for i, o := range order {
		if o < 0 || o >= len(shape) {
			return nil
		}
		out[i] = shape[o]
	}
	return out
}

// settings are a codec's configuration.
type settings struct{ config map[string]json.RawMessage }

// of spells the settings of a codec by its name.
func (s settings) of(name string) string {
	switch strings.TrimPrefix(name, "numcodecs.") {
	case "bytes":
		if endian := s.text("endian"); endian != "little" {
			return endian // the usual one goes without saying
		}
		return ""
	case "transpose":
		return strings.ReplaceAll(strings.Trim(s.text("order"), "[]"), ",", ", ")
	case "blosc":
		shuffle := s.text("shuffle")
		if i, err := strconv.Atoi(shuffle); err == nil && i >= -1 && i <= 2 { // as Zarr v2 has it
			shuffle = []string{"autoshuffle", "noshuffle", "shuffle", "bitshuffle"}[i+1]
		}
		return joined(s.text("cname"), s.text("clevel"), shuffle)
	case "gzip", "zlib", "bz2":
		return s.text("level")
	case "zstd":
		checksum := ""
		if s.text("checksum") == "true" {
			checksum = "checksum"
		}
		return joined(s.text("level"), checksum)
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.config)) {
		if key != "id" {
			all = append(all, shorten(key+"="+compact(s.config[key]), 60))
		}
	}
	return strings.Join(all, ", ")
}

// text returns a setting: a string's text, or what else stands in the document; "" where there is none.
func (s settings) text(key string) string {
	var text string
	if json.Unmarshal(s.config[key], &text) != nil {
		text = compact(s.config[key])
	}
	return shorten(text, 60)
}

// joined joins what is not "".
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// sharding spells the codec that makes shards of the given shape, or of an unknown one.
func (s settings) sharding(shape []int, depth int) string {
	var inner []int
	var codecs []codecSpec
	_ = json.Unmarshal(s.config["chunk_shape"], &inner)
	_ = json.Unmarshal(s.config["codecs"], &codecs)
	text := extents(inner)
	if shape != nil {
		text = extents(shape) + " of " + text
	}
	if depth == maxNesting {
		return "sharding(" + text + ": ...)"
	}
	text += ": " + codecsText(codecs, inner, depth+1)
	if s.text("index_location") == "start" {
		text += "; index at the start"
	}
	return "sharding(" + text + ")"
}
