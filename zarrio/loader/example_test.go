package loader_test

import (
	"context"
	"fmt"
	"log"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

func ExampleNew() {
	dir, err := fixtures.Open("era5_tl31_zuv500.lz4.zarr")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	g, err := zarrio.Open(ctx, dir, zarrio.Options{Strict: true})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	// The store has one step. Without Windows, a sample would be two.
	l, err := loader.New(ctx, g, nil, loader.Options{
		Channels: []string{"geopotential", "u_component_of_wind"},
		Windows:  []loader.Window{{Dim: "time", Size: 1}},
		Shuffle:  loader.ByWindow, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	for b, err := range l.Batches(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		x := b.Input()
		fmt.Println(x.Shape, tensor.Plane[float32](x, 0, 0)[:3])
	}
	// Output:
	// [1 2 32 64] [49891.17 49919.38 49941.71]
}
