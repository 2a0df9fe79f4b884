package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"zarrbench/tools/internal/cli"
)

// TestServe serves a file whole, in part and not at all, and ends with its context.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("0123456789"), 0o666))
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	end := make(chan error, 1)
	go func() { end <- run(ctx, []string{"-addr", "127.0.0.1:0", "-delay", "1ms", dir}, in, io.Discard) }()
	url, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	url = strings.TrimSpace(url)
	for _, tt := range []struct {
		name, path, span string
		status           int
		body             string
	}{
		{"whole", "a", "", http.StatusOK, "0123456789"},
		{"range", "a", "bytes=2-4", http.StatusPartialContent, "234"},
		{"suffix", "a", "bytes=-3", http.StatusPartialContent, "789"},
		{"missing", "b", "", http.StatusNotFound, "404 page not found\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+tt.path, nil)
			require.NoError(t, err)
			if tt.span != "" {
				req.Header.Set("Range", tt.span)
			}
			start := time.Now()
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, tt.status, resp.StatusCode)
			require.Equal(t, tt.body, string(body))
			require.GreaterOrEqual(t, time.Since(start), time.Millisecond)
		})
	}
	cancel()
	require.NoError(t, <-end)
}

// TestUsage: a wrong command line is an error that says what is wrong.
func TestUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no folder", nil, "0 folders: want one"},
		{"two folders", []string{"a", "b"}, "2 folders: want one"},
		{"a file", []string{file}, "is no folder"},
		{"nothing there", []string{filepath.Join(filepath.Dir(file), "none")}, "no such file"},
		{"a negative delay", []string{"-delay", "-1s", "."}, "-delay -1s: want 0 or more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var help bytes.Buffer
			err := run(t.Context(), tt.args, io.Discard, &help)
			require.ErrorIs(t, err, cli.ErrUsage)
			require.ErrorContains(t, err, tt.want)
			require.Contains(t, help.String(), "usage: serve")
		})
	}
}
