package zarrbench

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports holds the package arrows of DESIGN.md: what each package of the module may import of it. Tests are free.
func TestImports(t *testing.T) {
	allowed := map[string][]string{
		"zarrbench":                          {},
		"zarrbench/docs":                     {},
		"zarrbench/fixtures":                 {"zarrbench/zarrio", "zarrbench/zarrio/store"},
		"zarrbench/tools/era5":               {"zarrbench/fixtures", "zarrbench/tools/internal/cli", "zarrbench/zarrio", "zarrbench/zarrio/cf", "zarrbench/zarrio/codec", "zarrbench/zarrio/store"},
		"zarrbench/tools/gdscheck":           {"zarrbench/tools/internal/cli", "zarrbench/zarrio/gds"},
		"zarrbench/tools/internal/cli":       {},
		"zarrbench/tools/internal/golden":    {},
		"zarrbench/tools/internal/plaintext": {},
		"zarrbench/tools/bench":              {"zarrbench/tools/internal/cli", "zarrbench/tools/internal/plaintext"},
		"zarrbench/tools/serve":              {"zarrbench/tools/internal/cli"},
		"zarrbench/tools/kit":                {"zarrbench/fixtures", "zarrbench/tools/internal/cli", "zarrbench/zarrio", "zarrbench/zarrio/gds", "zarrbench/zarrio/store"},
		"zarrbench/tools/report": {"zarrbench/tools/internal/cli", "zarrbench/tools/report/internal/chart", "zarrbench/tools/report/internal/gate", "zarrbench/tools/report/internal/history",
			"zarrbench/tools/report/internal/markdown", "zarrbench/tools/report/internal/page", "zarrbench/tools/report/internal/plot",
			"zarrbench/tools/report/internal/regions", "zarrbench/tools/report/internal/summary"},
		"zarrbench/tools/report/internal/chart":      {"zarrbench/tools/report/internal/summary"},
		"zarrbench/tools/report/internal/gate":       {"zarrbench/tools/internal/plaintext", "zarrbench/tools/report/internal/chart", "zarrbench/tools/report/internal/markdown", "zarrbench/tools/report/internal/summary"},
		"zarrbench/tools/report/internal/history":    {"zarrbench/tools/internal/plaintext", "zarrbench/tools/report/internal/summary"},
		"zarrbench/tools/report/internal/markdown":   {},
		"zarrbench/tools/report/internal/page":       {"zarrbench/tools/report/internal/chart", "zarrbench/tools/report/internal/regions", "zarrbench/tools/report/internal/summary"},
		"zarrbench/tools/report/internal/plot":       {"zarrbench/tools/report/internal/chart", "zarrbench/tools/report/internal/summary"},
		"zarrbench/tools/report/internal/regions":    {},
		"zarrbench/tools/report/internal/reporttest": {"zarrbench/tools/report/internal/summary"},
		"zarrbench/tools/report/internal/summary":    {"zarrbench/tools/internal/plaintext"},
		"zarrbench/tools/zarrinfo":                   {"zarrbench/tools/internal/cli", "zarrbench/zarrio", "zarrbench/zarrio/store"},
		"zarrbench/zarrio": {"zarrbench/zarrio/cf", "zarrbench/zarrio/codec", "zarrbench/zarrio/store", "zarrbench/zarrio/internal/fileio", "zarrbench/zarrio/internal/hostmem", "zarrbench/zarrio/internal/race", "zarrbench/zarrio/internal/turns", "zarrbench/zarrio/internal/utf",
			"zarrbench/zarrio/internal/cuda", "zarrbench/zarrio/internal/cufile", "zarrbench/zarrio/internal/numa", "zarrbench/zarrio/internal/ptx"},
		"zarrbench/zarrio/cf":               {},
		"zarrbench/zarrio/codec":            {"zarrbench/zarrio/internal/clib"},
		"zarrbench/zarrio/codec/codectest":  {"zarrbench/zarrio/codec"},
		"zarrbench/zarrio/gds":              {"zarrbench/zarrio/internal/cuda", "zarrbench/zarrio/internal/cufile", "zarrbench/zarrio/internal/hostmem"},
		"zarrbench/zarrio/gds/gdstest":      {},
		"zarrbench/zarrio/internal/clib":    {},
		"zarrbench/zarrio/internal/cuda":    {"zarrbench/zarrio/internal/hostmem"},
		"zarrbench/zarrio/internal/cufile":  {"zarrbench/zarrio/internal/cuda"},
		"zarrbench/zarrio/internal/fileio":  {"zarrbench/zarrio/internal/hostmem", "zarrbench/zarrio/internal/turns"},
		"zarrbench/zarrio/internal/hostmem": {},
		"zarrbench/zarrio/internal/numa":    {},
		"zarrbench/zarrio/internal/ptx":     {"zarrbench/zarrio/loss"},
		"zarrbench/zarrio/internal/race":    {},
		"zarrbench/zarrio/internal/turns":   {},
		"zarrbench/zarrio/internal/utf":     {},
		"zarrbench/zarrio/loss":             {},
		"zarrbench/zarrio/store":            {"zarrbench/zarrio/internal/fileio", "zarrbench/zarrio/store/stac"},
		"zarrbench/zarrio/store/stac":       {"zarrbench/zarrio/internal/utf"},
		"zarrbench/zarrio/store/storetest":  {"zarrbench/zarrio/store"},
	}
	for _, tags := range []string{"", "gds"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-tags", tags, "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
		if err != nil {
			t.Fatalf("go list -tags %q: %v", tags, err)
		}
		seen := 0
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			pkg, imports := f[0], f[1:]
			may, known := allowed[pkg]
			if !known {
				t.Errorf("%s is in no line of this test: say what it may import", pkg)
				continue
			}
			seen++
			for _, imp := range imports {
				if strings.HasPrefix(imp, "zarrbench") && !slices.Contains(may, imp) {
					t.Errorf("%s imports %s with tags %q, against the arrows of DESIGN.md", pkg, imp, tags)
				}
			}
		}
		if seen != len(allowed) {
			t.Errorf("%d of the %d packages of this test are there with tags %q", seen, len(allowed), tags)
		}
	}
}
