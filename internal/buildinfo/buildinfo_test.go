package buildinfo_test

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/internal/buildinfo"
)

func TestCommit(t *testing.T) {
	info := &debug.BuildInfo{}
	require.Empty(t, buildinfo.Commit(info))
	info.Settings = []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}
	require.Empty(t, buildinfo.Commit(info))
	info.Settings = append(info.Settings, debug.BuildSetting{Key: "vcs.revision", Value: "abc"})
	require.Equal(t, "abc-dirty", buildinfo.Commit(info))
	info.Settings[0].Value = "false"
	require.Equal(t, "abc", buildinfo.Commit(info))
}
