package zarrio_test

import (
	"context"
	"fmt"
	"log"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/tensor"
)

func ExampleOpen() {
	dir, err := fixtures.Open("era5_tl31_zuv500.lz4.zarr")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	g, err := zarrio.Open(ctx, dir, zarrio.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	members, err := g.Members(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range members {
		a, err := g.Array(ctx, m.Name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Name, a.DType(), a.Dims(), a.Shape())
	}
	// Output:
	// geopotential float32 [time latitude longitude] [1 32 64]
	// latitude float32 [latitude] [32]
	// longitude float32 [longitude] [64]
	// time int64 [time] [1]
	// u_component_of_wind float32 [time latitude longitude] [1 32 64]
	// v_component_of_wind float32 [time latitude longitude] [1 32 64]
}

func ExampleArray_ReadInto() {
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
	z, err := g.Array(ctx, "geopotential")
	if err != nil {
		log.Fatal(err)
	}
	// The latest field, at every 16th latitude from the south, and the first three longitudes.
	box := make([]float32, 2*3)
	stats, err := z.ReadInto(ctx, zarrio.Selection{zarrio.At(-1), zarrio.Steps(31, -1, -16), zarrio.Span(0, 3)}, tensor.AsBytes(box))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(box[:3])
	fmt.Println(box[3:])
	fmt.Println(stats.Chunks, "chunk,", stats.PlacedBytes, "bytes")
	// Output:
	// [49796.664 49795.85 49805.297]
	// [57444.062 57469.21 57397.83]
	// 1 chunk, 24 bytes
}
