package zarrbench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"runtime"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"

	"zarrbench/zarrio"
	"zarrbench/zarrio/loss"
)

// A session is an opened store with its engine and its loader.
type session struct {
	engine *zarrio.CPU
	group  *zarrio.Group
	loader *zarrio.Loader
	mse    *mse // nil without a loss
}

// openSession opens all that an epoch needs. Missing chunks are errors: a half-fetched store must not look fast.
func openSession(ctx context.Context, s *benchStore, workers int, withLoss bool) (*session, error) {
	e, err := openEngine(workers)
	if err != nil {
		return nil, err
	}
	se := &session{engine: e}
	if se.group, err = zarrio.Open(ctx, s.path, zarrio.Options{Strict: true}); err != nil {
		return nil, errors.Join(err, se.Close())
	}
	opt := loaderOptions()
	if withLoss {
		se.mse = new(mse)
		opt.OnSample = se.mse.sample
	}
	if se.loader, err = zarrio.NewLoader(ctx, se.group, e, opt); err != nil {
		return nil, errors.Join(err, se.Close())
	}
	return se, nil
}

func (s *session) Close() error {
	if s == nil {
		return nil
	}
	var err error
	if s.loader != nil {
		err = s.loader.Close()
	}
	if s.group != nil {
		err = errors.Join(err, s.group.Close())
	}
	return errors.Join(err, s.engine.Close())
}

// An epoch is what one pass over a loader's batches gave.
type epoch struct {
	samples int
	waits   []time.Duration // how long the loop waited for each batch
	loss    float64         // the mean of the batches' losses
}

// pass runs one epoch. each, if not nil, is called with each batch.
func (s *session) pass(ctx context.Context, bar *progress, each func(*zarrio.Batch)) (epoch, error) {
	e := epoch{waits: make([]time.Duration, 0, s.loader.Len())}
	asked := time.Now()
	for b, err := range s.loader.Batches(ctx) {
		if err != nil {
			return e, err
		}
		e.waits = append(e.waits, time.Since(asked))
		e.samples += b.Len
		if s.mse != nil {
			l := s.mse.of(b)
			if math.IsNaN(l) || math.IsInf(l, 0) {
				return e, fmt.Errorf("%v: the loss is %v: the data have values that are no numbers, or chunks that were never written (-loss none reads on)", b, l)
			}
			e.loss += l
		}
		if each != nil {
			each(b)
		}
		r := trace.StartRegion(ctx, "step")
		model()
		r.End()
		bar.add(b.Len)
		asked = time.Now()
	}
	e.loss /= float64(max(len(e.waits), 1))
	return e, nil
}

// An mse is the study's loss: the mean squared difference of a window's first and last step, over all channels and points.
// A sample's planes are summed as soon as the sample is whole, by whichever worker placed its last piece; the sums are
// added in order, so that the number of workers doesn't change a bit of the loss.
type mse struct {
	sums sync.Map // *zarrio.Batch -> []float64, by sample and channel: batches are filled ahead of the one in use
}

func (m *mse) sample(b *zarrio.Batch, i int) error {
	x, y := b.Input(), b.Target()
	if len(b.Tensors) < 2 {
		return errors.New("-loss mse compares a window's first and last step: it needs windows of 2 steps or more, or -loss none")
	}
	if x.DType != zarrio.Float32 {
		return fmt.Errorf("-loss mse is defined for float32, the data are %s: use -loss none", x.DType)
	}
	channels := x.Shape[1]
	v, ok := m.sums.Load(b)
	if !ok {
		v, _ = m.sums.LoadOrStore(b, make([]float64, *batchFlag*channels))
	}
	sums := v.([]float64)
	for c := range channels {
		sums[i*channels+c] = loss.SquaredError(zarrio.Plane[float32](x, i, c), zarrio.Plane[float32](y, i, c))
	}
	return nil
}

// of returns the loss of a batch.
func (m *mse) of(b *zarrio.Batch) float64 {
	v, _ := m.sums.Load(b)
	t := b.Input()
	return loss.Mean(v.([]float64)[:t.Shape[0]*t.Shape[1]], int64(t.Elements()))
}

// A digest proves that two runs had the same data in the same places: a CRC-32 (IEEE) over a record for every plane, in
// order: the numbers of batch, tensor, sample and channel, and the CRC-32 of the plane's bytes, each 4 bytes, little-endian.
// That the bytes of a plane are hashed apart lets every engine do it where the batch is, in parallel.
type digest uint32

func (d *digest) batch(b *zarrio.Batch) {
	shape := b.Input().Shape
	perTensor := shape[0] * shape[1]
	sums := make([]uint32, len(b.Tensors)*perTensor)
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
				sums[i] = crc32.ChecksumIEEE(b.Tensors[i/perTensor].PlaneBytes(i%perTensor/shape[1], i%shape[1]))
			}
		})
	}
	wg.Wait()
	record := make([]byte, 0, 20)
	for i, sum := range sums {
		record = record[:0]
		for _, v := range []int{b.Index, i / perTensor, i % perTensor / shape[1], i % shape[1], int(sum)} {
			record = binary.LittleEndian.AppendUint32(record, uint32(v))
		}
		*d = digest(crc32.Update(uint32(*d), crc32.IEEETable, record))
	}
}
