package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"zarrbench/zarrio"
)

// printJSON prints one document: the nodes, and a summary.
func (c *command) printJSON(ctx context.Context, out *bufio.Writer, g *zarrio.Group) error {
	doc := struct {
		Store   string  `json:"store"`
		Nodes   []*node `json:"nodes"`
		Summary summary `json:"summary"`
	}{Store: fmt.Sprint(g.Store())}
	err := c.walk(ctx, g, func(n *node) error {
		if c.check && n.array != nil {
			if err := c.checkArray(ctx, n); err != nil {
				return err
			}
		}
		doc.Summary.add(n)
		doc.Nodes = append(doc.Nodes, n)
		return nil
	})
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	return doc.Summary.err()
}

// printTree prints nodes for people.
func (c *command) printTree(ctx context.Context, out *bufio.Writer, g *zarrio.Group) error {
	var total summary
	err := c.walk(ctx, g, func(n *node) error {
		if total.Nodes > 0 {
			fmt.Fprintln(out)
		}
		total.add(n)
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		n.print(w)
		if err := w.Flush(); err != nil {
			return err
		}
		return out.Flush() // the next node may take long
	})
	if err != nil {
		return err
	}
	return total.err()
}

func (n *node) print(w io.Writer) {
	line := func(label, format string, args ...any) { fmt.Fprintf(w, "  "+label+"\t"+format+"\n", args...) }
	fmt.Fprintf(w, "/%s  %s", printable(n.Path), n.Kind)
	if n.layout != nil {
		fmt.Fprintf(w, "  %s  %s", printable(n.DataType), n.shape())
	}
	fmt.Fprintln(w)
	if n.Error != "" {
		line("error:", "%s", printable(n.Error))
	}
	if n.Format != 0 {
		line("format:", "%s", n.format())
	}
	if n.layout != nil {
		n.layout.print(line)
	}
	label := "attributes:"
	for _, name := range slices.Sorted(maps.Keys(n.Attributes)) {
		line(label, "%s = %s", printable(name), shorten(compact(n.Attributes[name]), 100))
		label = ""
	}
}

// format names what is not a codec: Zarr v2 has the byte order and the order of dimensions beside them.
func (n *node) format() string {
	s := fmt.Sprintf("Zarr v%d", n.Format)
	if n.layout == nil {
		return s
	}
	if n.BigEndian {
		s += ", big-endian"
	}
	if !slices.IsSorted(n.Order) {
		s += ", order F"
	}
	return s
}

func (l *layout) print(line func(label, format string, args ...any)) {
	if l.Unsupported != "" {
		line("not supported:", "%s", printable(l.Unsupported))
	}
	unit, whole := "chunks:", l.Chunks
	if l.Shards != nil {
		line("chunks:", "%s%s", extents(l.Chunks), l.decoded(l.Chunks))
		unit, whole = "shards:", l.Shards
	}
	text := extents(whole) + l.decoded(whole)
	if l.Extents != nil {
		text = "of several extents, up to " + text
	}
	if l.ValuesStored != nil {
		text += fmt.Sprintf("; %d of %d stored", *l.ValuesStored, l.Values)
	} else {
		text += fmt.Sprintf("; %d", l.Values)
	}
	if l.Others > 0 {
		text += fmt.Sprintf("; %d values beside them that are none", l.Others)
	}
	line(unit, "%s", text)
	codecs := codecsText(l.Codecs, whole, 0)
	if codecs == "" {
		codecs = "none"
	}
	line("codecs:", "%s", codecs)
	fill := "undefined"
	if l.Fill != nil {
		fill = shorten(string(l.Fill), 100)
	}
	line("fill value:", "%s", fill)
	line("size:", "%s", l.size())
	for _, e := range engines {
		line(e+":", "%s", printable(l.Engines[e].How))
		if better := l.Engines[e].Store; better != "" {
			line("", "better: %s", better)
		}
	}
}

// decoded is the size of a decoded chunk, where elements have one.
func (l *layout) decoded(chunk []int) string {
	if l.elementSize == 0 {
		return ""
	}
	return " (" + size(int64(volume(chunk)*l.elementSize)) + ")"
}

// size spells the sizes of the whole array.
func (l *layout) size() string {
	s := "elements vary in length"
	if l.Bytes != nil {
		s = size(*l.Bytes)
	}
	switch {
	case l.StoredBytes == nil:
		s += "; " + l.SizesUnknown
	case l.Ratio > 0:
		s += fmt.Sprintf(", stored in %s: ratio %.2f", size(*l.StoredBytes), l.Ratio)
	default:
		s += ", stored in " + size(*l.StoredBytes)
	}
	return s
}

// shape prints the shape with the dimensions' names, such as [time=80, 721, 1440].
func (l *layout) shape() string {
	parts := make([]string, len(l.Shape))
	for i, s := range l.Shape {
		parts[i] = fmt.Sprint(s)
		if i < len(l.Dimensions) && l.Dimensions[i] != "" {
			parts[i] = printable(l.Dimensions[i]) + "=" + parts[i]
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// extents spells a shape, such as 1x721x1440.
func extents(shape []int) string {
	if len(shape) == 0 {
		return "one element"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "x")
}

// size spells a number of bytes.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, units := float64(n)/1000, "kMGTPE"
	for f >= 999.5 {
		f, units = f/1000, units[1:]
	}
	digits := 0
	if f < 9.95 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %cB", digits, f, units[0])
}

// printable replaces what could do something to a terminal: names and messages come from whoever wrote the store.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// shorten keeps long documents off the screen: -json has them whole.
func shorten(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "..."
	}
	return printable(s)
}

// compact spells a JSON value in one line.
func compact(doc json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil {
		return string(doc)
	}
	return b.String()
}
