package page

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// A tab is a page in a real browser, which notes what must not happen.
type tab struct {
	t    *testing.T
	ctx  context.Context
	file string
	done chan string // downloads that are complete

	mu       sync.Mutex
	console  []string
	requests []string
}

// open opens a page in a headless Chromium, in which prepare, if not nil, has done what it does; the test is skipped where there
// is no Chromium.
func open(t *testing.T, d Data, prepare func(*tab)) *tab {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no chromium, chromium-browser, google-chrome or headless-shell is in PATH")
	}
	tb := &tab{t: t, file: filepath.Join(t.TempDir(), "report.html"), done: make(chan string, 10)}
	require.NoError(t, os.WriteFile(tb.file, []byte(write(t, d)), 0o666))
	options := slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.WSURLReadTimeout(2 * time.Minute),
	})
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // which root can't have
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	tb.ctx = ctx
	require.NoError(t, chromedp.Listen(ctx, tb.listen))
	require.NoError(t, chromedp.ListenBrowser(ctx, tb.listen))
	call(tb, network.Enable, network.EnableParams{})
	if prepare != nil {
		prepare(tb)
	}
	tb.do(chromedp.Navigate("file://" + tb.file))
	return tb
}

// listen notes what the page does by itself.
func (tb *tab) listen(event any) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tb.console = append(tb.console, e.ExceptionDetails.Text)
		if e.ExceptionDetails.Exception != nil {
			tb.console = append(tb.console, e.ExceptionDetails.Exception.Description)
		}
	case *runtime.EventConsoleAPICalled:
		tb.console = append(tb.console, "console."+string(e.Type))
	case *log.EventEntryAdded:
		tb.console = append(tb.console, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") {
			tb.requests = append(tb.requests, e.Request.URL)
		}
	case *browser.EventDownloadProgress:
		if e.State == browser.DownloadProgressStateCompleted {
			tb.done <- e.GUID
		}
	}
}

func (tb *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := chromedp.Do(tb.ctx, steps...); err != nil {
		tb.t.Fatal(err)
	}
}

// call runs a command of the DevTools protocol.
func call[P, R any](tb *tab, command cdp.Command[P, R], params P) R {
	tb.t.Helper()
	result, err := chromedp.Call(tb.ctx, command, params)
	if err != nil {
		tb.t.Fatal(err)
	}
	return result
}

// run runs an action and returns its value.
func run[T any](tb *tab, action chromedp.Action[T]) T {
	tb.t.Helper()
	value, err := chromedp.Run(tb.ctx, action)
	if err != nil {
		tb.t.Fatal(err)
	}
	return value
}

// eval returns what an expression is in the page.
func eval[T any](tb *tab, expression string) T {
	tb.t.Helper()
	value, err := chromedp.Run(tb.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		tb.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// scheme makes the browser prefer light or dark, on a screen or on paper.
func (tb *tab) scheme(scheme, media string) {
	tb.t.Helper()
	call(tb, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// width makes the screen so wide.
func (tb *tab) width(width int64) {
	tb.t.Helper()
	call(tb, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500})
}

// quiet checks that nothing went wrong, and that the page was all that was asked for.
func (tb *tab) quiet() {
	tb.t.Helper()
	eval[int](tb, "0") // what was before it has been heard of
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, what := range tb.console {
		tb.t.Errorf("the console says: %s", what)
	}
	for _, url := range tb.requests {
		if url != "file://"+tb.file {
			tb.t.Errorf("a request to %s", url)
		}
	}
	if len(tb.requests) == 0 {
		tb.t.Error("no request was seen, not even that of the page")
	}
}

// keep writes what a person should look at into the folder of an environment variable, if that is set.
func keep(t *testing.T, name string, data []byte) {
	t.Helper()
	if dir := os.Getenv("ZARRBENCH_SCREENSHOTS"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o666))
	}
}

// screenshots keeps what the page looks like, wide and narrow.
func (tb *tab) screenshots(name string) {
	tb.t.Helper()
	if os.Getenv("ZARRBENCH_SCREENSHOTS") == "" {
		return
	}
	for _, width := range []int64{360, 1200} {
		tb.width(width)
		keep(tb.t, fmt.Sprintf("%s-%d.png", name, width), run(tb, chromedp.FullScreenshot(100)))
	}
}
