// Serve serves a folder over HTTP, each answer after a delay, as a server far away would:
//
//	go run ./tools/serve -delay 20ms fixtures/data
//	go test -bench=Epoch -args -store http://127.0.0.1:8000/synthetic-lz4-256.zarr
//
// So reading remote stores is measured on one machine. It prints the URL, and serves until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"zarrbench/tools/internal/cli"
)

func main() { os.Exit(cli.Run("serve", run)) }

// run is the whole command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	delay := flags.Duration("delay", 0, "wait so long before each answer")
	addr := flags.String("addr", "127.0.0.1:8000", "the `ADDRESS` to listen on; port 0 is any that is free")
	var folder string
	check := func(*flag.FlagSet) error {
		if flags.NArg() != 1 {
			return fmt.Errorf("%d folders: want one", flags.NArg())
		}
		if *delay < 0 {
			return fmt.Errorf("-delay %v: want 0 or more", *delay)
		}
		folder = flags.Arg(0)
		info, err := os.Stat(folder)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no folder", folder)
		}
		return err
	}
	usage := cli.Usage{Before: "usage: serve [flags] FOLDER\n\nServes a folder over HTTP, with byte ranges, each answer after a delay.\n\n"}
	if done, err := cli.Parse(flags, usage, args, check, stdout, stderr); done {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: delayed{http.FileServer(http.Dir(folder)), *delay}, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	fmt.Fprintf(stdout, "http://%s/\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// delayed answers as next does, but later.
type delayed struct {
	next  http.Handler
	delay time.Duration
}

func (d delayed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.delay > 0 {
		select {
		case <-time.After(d.delay):
		case <-r.Context().Done():
			return
		}
	}
	d.next.ServeHTTP(w, r)
}
