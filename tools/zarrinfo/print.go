package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

func printJSON(out io.Writer, nodes []*node) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(nodes)
}

// printTree prints nodes for people.
func printTree(out io.Writer, nodes []*node, check bool) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for i, n := range nodes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "/%s  %s", n.Path, n.Kind)
		switch {
		case n.Error != "":
			fmt.Fprintf(w, "\n  error:\t%s\n", n.Error)
			continue
		case n.layout != nil:
			fmt.Fprintf(w, "  %s  %s", n.DataType, n.shape())
		}
		fmt.Fprintln(w)
		if n.layout != nil {
			n.printLayout(w, check)
		}
		for j, name := range slices.Sorted(maps.Keys(n.Attributes)) {
			label := "attributes:"
			if j > 0 {
				label = ""
			}
			fmt.Fprintf(w, "  %s\t%s = %s\n", label, name, shorten(string(n.Attributes[name])))
		}
	}
	return w.Flush()
}

func (n *node) printLayout(w io.Writer, check bool) {
	line := func(label, format string, args ...any) { fmt.Fprintf(w, "  "+label+":\t"+format+"\n", args...) }
	chunks := list(n.Chunks)
	if n.Extents != nil {
		chunks = "up to " + chunks
	}
	if n.array != nil {
		chunks += " of " + size(int64(volume(n.Chunks)*n.array.DType().Size))
	}
	if n.ChunksStored != nil {
		line("chunks", "%s; %d of %d stored", chunks, *n.ChunksStored, n.ChunksTotal)
	} else {
		line("chunks", "%s; %d", chunks, n.ChunksTotal)
	}
	line("format", "Zarr v%d, %s-endian, dimensions in order %s, fill value %s", n.Format, n.ByteOrder, list(n.Order), orNone(n.Fill))
	var names []string
	for _, c := range n.Codecs {
		names = append(names, strings.TrimSpace(c.Name+" "+shorten(string(c.Config))))
	}
	line("codecs", "%s", orNone([]byte(strings.Join(names, ", then "))))
	switch {
	case n.StoredBytes == nil:
		line("size", "%s; this store doesn't say what is stored", size(n.Bytes))
	case n.Ratio > 0:
		line("size", "%s, stored in %s: ratio %.2f", size(n.Bytes), size(*n.StoredBytes), n.Ratio)
	default:
		line("size", "%s, stored in %s", size(n.Bytes), size(*n.StoredBytes))
	}
	for _, e := range engines {
		a := n.Engines[e]
		line(e, "%s", a.How)
		if a.Store != "" {
			fmt.Fprintf(w, "  \tbetter: %s\n", a.Store)
		}
	}
	if !check {
		return
	}
	switch {
	case !n.Checked:
		line("check", "not checked: the elements can't be read")
	case len(n.Faults) == 0:
		line("check", "all chunks are good")
	default:
		line("check", "%d of %d chunks are bad or missing", len(n.Faults), n.ChunksTotal)
	}
	for _, f := range n.Faults {
		what := "bad " + f.Key + ": " + f.Error
		if f.Missing {
			what = "missing " + f.Key
		}
		fmt.Fprintf(w, "  \t%s\n", what)
	}
}

// shape prints the shape with the dimensions' names, such as [time=80, 721, 1440].
func (n *node) shape() string {
	parts := make([]string, len(n.Shape))
	for i, s := range n.Shape {
		parts[i] = fmt.Sprint(s)
		if i < len(n.Dimensions) && n.Dimensions[i] != "" {
			parts[i] = n.Dimensions[i] + "=" + parts[i]
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func orNone(doc []byte) string {
	if len(doc) == 0 {
		return "none"
	}
	return string(doc)
}

// shorten keeps long documents off the screen: -json has them whole.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "..."
	}
	return s
}
