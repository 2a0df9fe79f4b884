package archtest

import (
	_ "embed"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// arrows has a line for each import of one package of the module by another: "importer -> imported", and ", tag gds" behind it if
// only files with that tag have the import. A package that imports none has a line of its own. Lines are sorted. Paths are
// relative to the module, and its root is called zarrbench.
//
//go:embed arrows.txt
var arrows string

const module = "zarrbench"

// TestImports checks that the packages import each other exactly as arrows.txt says. Tests may import anything.
func TestImports(t *testing.T) {
	listed := strings.Split(strings.TrimSpace(arrows), "\n")
	require.True(t, slices.IsSorted(listed), "arrows.txt is not sorted")
	found := findArrows(t)
	for _, line := range found {
		if !slices.Contains(listed, line) {
			t.Errorf("not in arrows.txt: %s", line)
		}
	}
	for i, line := range listed {
		switch {
		case i > 0 && line == listed[i-1]:
			t.Errorf("twice in arrows.txt: %s", line)
		case !slices.Contains(found, line):
			t.Errorf("in arrows.txt, but no longer true: %s", line)
		}
	}
}

// findArrows returns the lines that arrows.txt must have.
func findArrows(t *testing.T) []string {
	always, all := map[string]bool{}, map[string]bool{}
	packages, importers := map[string]bool{}, map[string]bool{}
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "linux/s390x"} {
		for _, tags := range []string{"", "gds"} {
			for _, fields := range list(t, platform, tags) {
				pkg := fields[0]
				packages[pkg] = true
				for _, imported := range fields[1:] {
					arrow := pkg + " -> " + imported
					importers[pkg] = true
					all[arrow] = true
					if tags == "" {
						always[arrow] = true
					}
				}
			}
		}
	}
	var lines []string
	for arrow := range all {
		if !always[arrow] {
			arrow += ", tag gds"
		}
		lines = append(lines, arrow)
	}
	for pkg := range packages {
		if !importers[pkg] {
			lines = append(lines, pkg)
		}
	}
	return slices.Sorted(slices.Values(lines))
}

// list returns the packages of the module, each followed by the packages of the module that it imports.
func list(t *testing.T, platform, tags string) (packages [][]string) {
	system, arch, _ := strings.Cut(platform, "/")
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", tags, "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"/...")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch)
	out, err := cmd.Output()
	require.NoError(t, err, "go list -tags %q for %s", tags, platform)
	for line := range strings.Lines(string(out)) {
		var own []string
		for path := range strings.FieldsSeq(line) {
			if path == module {
				own = append(own, path)
			} else if short, ok := strings.CutPrefix(path, module+"/"); ok {
				own = append(own, short)
			}
		}
		packages = append(packages, own)
	}
	return packages
}
