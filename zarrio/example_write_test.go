package zarrio_test

import (
	"context"
	"fmt"
	"log"

	"zarrbench/zarrio"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
	"zarrbench/zarrio/write"
)

func ExampleCreate() {
	ctx := context.Background()
	st := store.NewMem() // or a directory, by store.OpenDir
	w, err := write.Create(st, 3, map[string]string{"title": "two steps of a small grid"})
	if err != nil {
		log.Fatal(err)
	}
	t2m, err := w.Array("t2m", write.ArraySpec{
		Shape:      []int{2, 3, 4},
		Chunks:     []int{1, 3, 4},
		DType:      zarrio.Float32,
		Compressor: write.Compressor{Name: "blosc-lz4"},
		Dims:       []string{"time", "latitude", "longitude"},
		Attrs:      map[string]string{"units": "K"},
	})
	if err != nil {
		log.Fatal(err)
	}
	field := make([]float32, 3*4)
	for step := range 2 { // by several goroutines, if there is more to do
		for i := range field {
			field[i] = 280 + float32(10*step+i)
		}
		if err := t2m.Write(ctx, []int{step, 0, 0}, []int{1, 3, 4}, tensor.AsBytes(field)); err != nil {
			log.Fatal(err)
		}
	}
	if err := t2m.Finish(ctx); err != nil { // the array is there
		log.Fatal(err)
	}
	if err := w.Finish(ctx); err != nil { // the hierarchy is
		log.Fatal(err)
	}

	g, err := zarrio.OpenStore(ctx, st, zarrio.Options{Strict: true})
	if err != nil {
		log.Fatal(err)
	}
	a, err := g.Array(ctx, "t2m")
	if err != nil {
		log.Fatal(err)
	}
	row, err := zarrio.Read[float32](ctx, a, zarrio.Selection{zarrio.At(1), zarrio.At(2)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Dims(), a.Shape(), row)
	// Output: [time latitude longitude] [2 3 4] [298 299 300 301]
}
