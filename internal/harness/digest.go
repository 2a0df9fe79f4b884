package harness

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"sync"
	"sync/atomic"

	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/tensor"
)

// A digest tells whether two runs had the same data.
//
// places is equal if they had the same data in the same places. It is a CRC-32 (IEEE) over a record for each plane, in order. A
// record has the numbers of batch, tensor, sample and plane of the sample, which is the channel if a tensor has one step, and the
// CRC-32 of the plane's bytes, each 4 bytes, little-endian.
//
// sum is equal if they had the same samples, whatever their order, the batches and the ranks: the sums of ranks add up to that of
// one. It is the sum, modulo 2^48, of the first 48 bits of a SHA-256 over a record for each plane of each sample: the number of
// the sample's window, those of tensor and plane, the window's first row, rows, first column and columns, and the plane's CRC-32,
// each 8 bytes, little-endian. A float64 holds it exactly. Samples that only fill a batch up don't count.
//
// Each engine can hash planes in parallel, where the batch is.
type digest struct {
	places uint32
	sum    uint64
}

// sumBits is the number of bits of a digest's sum.
const sumBits = 48

func (d *digest) add(e namedEngine, b *loader.Batch) error {
	record := make([]byte, 0, 64)
	for i, t := range b.Tensors {
		sums := make([]uint32, t.Planes())
		if on, ok := e.(engine.Reducer); ok {
			if err := on.Checksums(t, sums); err != nil {
				return err
			}
		} else {
			checksums(t, sums)
		}
		perSample := len(sums) // of a tensor that all samples share
		if len(t.Dims) > 0 && t.Dims[0] == "sample" {
			perSample /= max(t.Shape[0], 1)
		}
		for k, sum := range sums {
			record = record[:0]
			for _, v := range []int{b.Index, i, k / perSample, k % perSample, int(sum)} {
				record = binary.LittleEndian.AppendUint32(record, uint32(v))
			}
			d.places = crc32.Update(d.places, crc32.IEEETable, record)
		}
		for sample := range b.Len - b.Padded {
			first := sample * perSample
			if perSample == len(sums) { // shared by all samples, or the only one
				first = 0
			}
			w := b.Windows[sample]
			for k, crc := range sums[first : first+perSample] {
				record = record[:0]
				for _, v := range []int{int(b.Samples[sample]), i, k, w.Start[1], w.Size[1], w.Start[2], w.Size[2], int(crc)} {
					record = binary.LittleEndian.AppendUint64(record, uint64(v))
				}
				hash := sha256.Sum256(record)
				d.sum = (d.sum + binary.LittleEndian.Uint64(hash[:])) % (1 << sumBits)
			}
		}
	}
	return nil
}

// checksums sets sums to the CRC-32 of each plane of a tensor in host memory.
func checksums(t tensor.Tensor, sums []uint32) {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(sums) {
					return
				}
				sums[i] = crc32.ChecksumIEEE(t.NthPlane(i))
			}
		})
	}
	wg.Wait()
}
