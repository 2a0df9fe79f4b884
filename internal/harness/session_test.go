package harness

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/fixtures"
	"zarrbench/zarrio"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// The digest and the loss are what a reader of the store computes in the plainest way.
func TestDigestAndLoss(t *testing.T) {
	for _, name := range engines {
		t.Run(name, func(t *testing.T) { testDigestAndLoss(t, name) })
	}
}

func testDigestAndLoss(t *testing.T, name string) {
	useEngine(t, name)
	path := synthetic(t, fixtures.Synthetic{Steps: 9, Form: "lz4", NLat: 7, NLon: 10})
	const batch, plane = 3, 7 * 10
	set(t, batchFlag, batch)
	s, err := describe(t.Context(), path)
	require.NoError(t, err)
	se, err := openSession(t.Context(), &s, reading{io: ioMode(), workers: 2}, true)
	require.NoError(t, err)
	defer se.Close()
	var got digest
	e, err := se.pass(t.Context(), newProgress("test", 4), func(b *loader.Batch) error { return got.add(se.engine, b) })
	require.NoError(t, err)
	fields := map[string][]float32{}
	for _, name := range channelNames() {
		a, err := se.group.Array(t.Context(), name)
		require.NoError(t, err)
		fields[name], err = zarrio.Read[float32](t.Context(), a, nil)
		require.NoError(t, err)
	}
	var want uint32
	var loss float64
	for b, first := range []int{0, 3} {
		var sum float64
		samples := min(batch, 4-first)
		for end := range 2 { // input and target
			for i := range samples {
				for c, name := range channelNames() {
					at := func(step int) []float32 { return fields[name][(2*(first+i)+step)*plane:][:plane] }
					crc := crc32.ChecksumIEEE(tensor.AsBytes(at(end)))
					var record []byte
					for _, v := range []int{b, end, i, c, int(crc)} {
						record = binary.LittleEndian.AppendUint32(record, uint32(v))
					}
					want = crc32.Update(want, crc32.IEEETable, record)
					for k, x := range at(0) {
						d := float64(x - at(1)[k])
						sum += float64(end) * d * d
					}
				}
			}
		}
		loss += sum / float64(samples*3*plane) / 2
	}
	require.Equal(t, want, got.places)
	require.InEpsilon(t, loss, e.loss, 1e-9)
}
