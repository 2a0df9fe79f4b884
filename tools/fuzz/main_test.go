package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every target runs, those of external test packages too, and a crash is told with its input.
func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
	for name, text := range map[string]string{
		"go.mod":              "module tiny\n\ngo 1.26\n",
		"tiny.go":             "package tiny\n\nfunc Two(s string) byte { if len(s) == 2 { return s[2] }; return 0 }\n",
		"plain/plain.go":      "package plain\n",
		"plain/plain_test.go": "package plain\n\nimport \"testing\"\n\nfunc TestFuzz(t *testing.T) {}\n",
		"in_test.go": "package tiny\n\nimport \"testing\"\n\n" +
			"func FuzzFine(f *testing.F) { f.Fuzz(func(t *testing.T, s string) { Two(s + \"long\") }) }\n",
		"out_test.go": "package tiny_test\n\nimport (\n\t\"testing\"\n\n\t\"tiny\"\n)\n\n" +
			"func FuzzTwo(f *testing.F) { f.Add(\"a\"); f.Fuzz(func(t *testing.T, s string) { tiny.Two(s) }) }\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o777))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
	}
	var out, stderr bytes.Buffer
	err := run(t.Context(), []string{"-time", "5000x"}, &out, &stderr)
	require.ErrorContains(t, err, "FuzzTwo in tiny: exit status 1\n")
	require.ErrorContains(t, err, "Failing input written to testdata/fuzz/FuzzTwo/")
	require.True(t, strings.HasPrefix(out.String(), "fuzz FuzzFine in tiny: "), "%s", &out)

	require.NoError(t, os.RemoveAll("testdata"))
	require.NoError(t, os.Remove("out_test.go"))
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-smoke", "-time", "100x"}, &out, &stderr))
	require.True(t, strings.HasSuffix(out.String(), "\n1 fuzz targets\n"), "%s", &out)
	require.ErrorContains(t, run(t.Context(), []string{"./plain"}, &out, &stderr), "no fuzz target in ./plain")
	require.ErrorContains(t, run(t.Context(), []string{"./none"}, &out, &stderr), "./none")
}
