package write

import (
	"encoding/json"
	"maps"
	"strings"

	"zarrbench/zarrio/meta"
)

// This file makes the documents of Zarr v2 as zarr-python 2 writes them: fields sorted by name.

func v2GroupDocuments(path string, attrs meta.Attributes) []keyedDocument {
	return append(v2AttrsDocument(path, attrs), v2Document(meta.Prefix(path)+meta.V2GroupDoc, map[string]any{"zarr_format": 2}))
}

// v2ConsolidatedDocuments repeats what was written, by key.
func v2ConsolidatedDocuments(docs map[string]json.RawMessage) []keyedDocument {
	return []keyedDocument{{meta.V2ConsolidatedDoc, "", map[string]any{"metadata": docs, "zarr_consolidated_format": 1}}}
}

// v2ArrayDocuments describes an array. Its attributes come first: with the .zarray the array is there.
func v2ArrayDocuments(a *ArrayWriter) []keyedDocument {
	attrs := maps.Clone(a.attrs)
	if len(a.spec.Dims) > 0 {
		attrs["_ARRAY_DIMENSIONS"], _ = json.Marshal(a.spec.Dims) // strings always encode
	}
	order := "C"
	if a.spec.FOrder {
		order = "F"
	}
	doc := map[string]any{
		"zarr_format": 2,
		"shape":       a.spec.Shape,
		"chunks":      a.spec.Chunks,
		"dtype":       meta.NumpyType(a.spec.DType, a.spec.BigEndian),
		"fill_value":  nil,
		"order":       order,
		"filters":     nil,
		"compressor":  a.spec.Compressor.v2(),
	}
	if a.spec.Fill != nil {
		doc["fill_value"] = json.RawMessage(meta.AppendJSON(nil, a.spec.Fill, a.spec.DType, 2))
	}
	if a.spec.Separator != '.' {
		doc["dimension_separator"] = string(a.spec.Separator)
	}
	return append(v2AttrsDocument(a.path, attrs), v2Document(meta.Prefix(a.path)+meta.V2ArrayDoc, doc))
}

func v2AttrsDocument(path string, attrs meta.Attributes) []keyedDocument {
	if len(attrs) == 0 {
		return nil
	}
	return []keyedDocument{v2Document(meta.Prefix(path)+meta.V2AttrsDoc, attrs)}
}

func v2Document(key string, doc any) keyedDocument { return keyedDocument{key, key, doc} }

// v2 is the compressor's object, or nil.
func (c Compressor) v2() any {
	name, cname, _ := strings.Cut(c.Name, "-")
	switch {
	case cname != "":
		return map[string]any{"id": name, "cname": cname, "clevel": c.Level, "shuffle": 1, "blocksize": 0}
	case name != "":
		return map[string]any{"id": name, "level": c.Level}
	}
	return nil
}
