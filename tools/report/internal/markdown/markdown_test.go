package markdown

import "testing"

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"Epoch/store=raw":                 "Epoch/store=raw",
		"a|b <c> `d` *e* [f](g) & h_i\nj": "a\\|b &lt;c&gt; \\`d\\` \\*e\\* \\[f\\](g) &amp; h\\_i j",
	} {
		if got := Escape(text); got != want {
			t.Errorf("Escape(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCode(t *testing.T) {
	for text, want := range map[string]string{
		"Epoch/store=raw": "`Epoch/store=raw`",
		"a|b\nc":          "`a\\|b c`",
		"a`b":             "`` a`b ``",
		"``a`":            "``` ``a` ```",
	} {
		if got := Code(text); got != want {
			t.Errorf("Code(%q) = %q, want %q", text, got, want)
		}
	}
}
