package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
)

// A source is a parsed file.
type source struct {
	path string
	text []byte
	fset *token.FileSet
	file *ast.File
}

func parse(path string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
	return &source{path, text, fset, file}, err
}

// functions returns the functions and methods with bodies.
func (s *source) functions() []*ast.FuncDecl {
	var all []*ast.FuncDecl
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			all = append(all, f)
		}
	}
	return all
}

// name returns the name of f, after that of its receiver's type: worker.load.
func name(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + f.Name.Name
		default:
			return "?." + f.Name.Name
		}
	}
}

// lines returns the lines of f, trimmed, and the number of the first, from 0.
func (s *source) lines(f *ast.FuncDecl) (lines []string, first int) {
	first, last := s.fset.Position(f.Pos()).Line-1, s.fset.Position(f.End()).Line
	lines = strings.Split(string(s.text), "\n")[first:last]
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return lines, first
}

// exchanged are the operators that a fault exchanges.
var exchanged = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS,
	token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.ADD: token.SUB, token.SUB: token.ADD,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
}

// sites returns the faults that f could have, in the order of its code.
func (s *source) sites(f *ast.FuncDecl) []Fault {
	var all []Fault
	lines, first := s.lines(f)
	// alter adds the fault that replaces the text from pos to end. A text of several lines is left out.
	alter := func(kind string, pos, end token.Pos, replace func(old string) string) {
		from, to := s.fset.Position(pos), s.fset.Position(end)
		if from.Line != to.Line {
			return
		}
		old := string(s.text[from.Offset:to.Offset])
		start, stop := from.Offset-from.Column+1, to.Offset
		for stop < len(s.text) && s.text[stop] != '\n' {
			stop++
		}
		before := strings.TrimSpace(string(s.text[start:stop]))
		after := strings.TrimSpace(string(s.text[start:from.Offset]) + replace(old) + string(s.text[to.Offset:stop]))
		if kind == "drop" && old != before {
			return // it is a part of a line, or has a comment behind it
		}
		n := 0
		for _, line := range lines[:from.Line-1-first] {
			if line == before {
				n++
			}
		}
		all = append(all, Fault{File: s.path, Func: name(f), Kind: kind, Site: len(all), Before: before, Occurrence: n, After: after})
	}
	operator := func(pos token.Pos, op token.Token) {
		if other, ok := exchanged[op]; ok {
			alter(op.String()+" to "+other.String(), pos, pos+token.Pos(len(op.String())), func(string) string { return other.String() })
		}
	}
	drop := func(n ast.Node) { alter("drop", n.Pos(), n.End(), func(string) string { return "" }) }
	bound := func(e ast.Expr, by string) {
		switch e.(type) {
		case nil, *ast.BasicLit: // a literal is a site of its own
		case *ast.Ident, *ast.SelectorExpr, *ast.CallExpr:
			alter("bound", e.Pos(), e.End(), func(old string) string { return old + by })
		default:
			alter("bound", e.Pos(), e.End(), func(old string) string { return "(" + old + ")" + by })
		}
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			if b, ok := n.Cond.(*ast.BinaryExpr); !ok || b.Op != token.EQL && b.Op != token.NEQ { // those are exchanged below
				alter("negate", n.Cond.Pos(), n.Cond.End(), func(old string) string { return "!(" + old + ")" })
			}
		case *ast.BinaryExpr:
			operator(n.OpPos, n.Op)
		case *ast.AssignStmt:
			operator(n.TokPos, n.Tok)
			if n.Tok != token.DEFINE {
				drop(n)
			}
		case *ast.ExprStmt:
			drop(n)
		case *ast.DeferStmt:
			drop(n)
		case *ast.BasicLit:
			if n.Kind == token.INT {
				alter("integer", n.Pos(), n.End(), next)
			}
		case *ast.SliceExpr:
			bound(n.Low, "+1")
			bound(n.High, "-1")
		}
		return true
	})
	return all
}

// next returns the literal of the integer after that of literal.
func next(literal string) string {
	if i, err := strconv.Atoi(literal); err == nil {
		return strconv.Itoa(i + 1)
	}
	return "(" + literal + "+1)"
}
