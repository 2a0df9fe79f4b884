package markdown

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEscape(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"row", "Epoch/store=raw", "Epoch/store=raw"},
		{"markup", "a|b <c> `d` *e* [f](g) & h_i\nj", "a\\|b &lt;c&gt; \\`d\\` \\*e\\* \\[f\\](g) &amp; h\\_i j"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Escape(tt.text))
		})
	}
}

func TestCode(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"row", "Epoch/store=raw", "`Epoch/store=raw`"},
		{"table", "a|b\nc", "`a\\|b c`"},
		{"backquote inside", "a`b", "`` a`b ``"},
		{"backquotes around", "``a`", "``` ``a` ```"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Code(tt.text))
		})
	}
}
