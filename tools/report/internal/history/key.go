package history

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime/debug"
	"strings"

	"zarrbench/internal/buildinfo"
	"zarrbench/tools/report/internal/summary"
)

// Commit returns the commit that a run is kept under: given, if it isn't empty, else git's HEAD in dir, with -dirty behind it
// where files that git knows were changed, else what the Go command noted in this program.
func Commit(ctx context.Context, dir, given string) (string, error) {
	if given != "" {
		return given, checkCommit(given)
	}
	if commit, err := gitCommit(ctx, dir); err == nil {
		return commit, nil
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if commit := builtFrom(info); commit != "" {
			return commit, nil
		}
	}
	return "", errors.New("of which commit the run is can't be told: git knows none here, and this program was built without one")
}

func gitCommit(ctx context.Context, dir string) (string, error) {
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "--verify", "HEAD")
	if err != nil {
		return "", err
	}
	changed, err := git("status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return "", err
	}
	if changed != "" {
		commit += "-dirty"
	}
	return commit, checkCommit(commit)
}

// builtFrom returns the commit that the Go command noted, or "" if it noted none that can name a file.
func builtFrom(info *debug.BuildInfo) string {
	commit := buildinfo.Commit(info)
	if commit == "" || checkCommit(commit) != nil {
		return ""
	}
	return commit
}

// checkCommit sees that a commit can stand in a file's name.
func checkCommit(commit string) error {
	const most = 100
	bad := strings.IndexFunc(commit, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	})
	if commit == "" || len(commit) > most || bad >= 0 || commit[0] == '.' || commit[0] == '-' {
		return fmt.Errorf("commit %.120q: want 1 to %d letters, digits, dots, dashes and underscores", commit, most)
	}
	return nil
}

// machine describes the machine of a run, by the lines that the benchmarks print about it: this project's Machine: and, of
// the GPU's name, GDS:, or else those of every Go benchmark.
func machine(f *summary.File) string {
	line := func(lines []summary.Line, key string) string {
		for _, l := range lines {
			if l.Key == key {
				return l.Value
			}
		}
		return ""
	}
	name := line(f.Notes, "Machine")
	if name == "" {
		var parts []string
		for _, key := range []string{"cpu", "goos", "goarch"} {
			if v := line(f.Config, key); v != "" {
				parts = append(parts, v)
			}
		}
		name = strings.Join(parts, ", ")
	}
	if name == "" {
		name = "unknown machine"
	}
	// "GDS: NVIDIA H100, CUDA 13.0, ...": drivers change on a machine, and that is a change worth seeing.
	if gpu, _, _ := strings.Cut(line(f.Notes, "GDS"), ","); gpu != "" {
		name += "; " + gpu
	}
	return name
}

// engine is the first word of the line Engine:, such as gds. Engines have rows of the same names, and are histories apart.
func engine(f *summary.File) string {
	for _, l := range f.Notes {
		if words := strings.Fields(l.Value); l.Key == "Engine" && len(words) > 0 {
			return words[0]
		}
	}
	return ""
}
