package harness

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/trace"
	"slices"
	"sync"
	"time"

	"zarrbench/internal/loss"
	"zarrbench/zarrio"
	"zarrbench/zarrio/engine"
	"zarrbench/zarrio/loader"
	"zarrbench/zarrio/store"
	"zarrbench/zarrio/tensor"
)

// An namedEngine is an engine of zarrio whose name can be printed in the head.
type namedEngine interface {
	engine.Engine
	fmt.Stringer
}

// openEngine opens the engine that -engine names. GPU engines use the GPU that is open.
func openEngine(r reading) (namedEngine, error) {
	if *engineFlag == "cpu" {
		return engine.NewCPU(engine.CPUOptions{Workers: r.workers, IO: r.io, Depth: r.depth, KeepBytes: r.keep}), nil
	}
	return openGPUEngine(r)
}

// probe lets e find out how the files of s will be read, which its name then tells.
func (s *benchStore) probe(ctx context.Context, e namedEngine) error {
	p, ok := e.(interface {
		Probe(context.Context, store.Store, string) error
	})
	if !ok {
		return nil
	}
	g, err := openStore(ctx, s.path, false)
	if err != nil {
		return err
	}
	return errors.Join(p.Probe(ctx, g.Store(), g.Path()), g.Close())
}

// A session is an open store with an engine and a loader.
type session struct {
	engine namedEngine
	group  *zarrio.Group
	loader *loader.Loader
	mse    *mse // nil without a loss
}

// openSession opens what an epoch needs. Missing chunks are errors: a store that was fetched only in part must not look fast.
func openSession(ctx context.Context, s *benchStore, r reading, withLoss bool) (*session, error) {
	e, err := openEngine(r)
	if err != nil {
		return nil, err
	}
	return newSession(ctx, e, s, withLoss)
}

// newSession is openSession with an open engine. The session closes it, also if newSession fails.
func newSession(ctx context.Context, e namedEngine, s *benchStore, withLoss bool) (_ *session, err error) {
	se := &session{engine: e}
	if se.group, err = openStore(ctx, s.path, true); err != nil {
		return nil, errors.Join(err, se.Close())
	}
	opt := loaderOptions()
	if withLoss {
		se.mse = new(mse)
		se.mse.x, se.mse.y, _, _ = parseLoss(*lossFlag) // checked by checkFlags
		// A Reducer computes on whole batches. Otherwise each sample is summed as soon as it is placed, from cache.
		if se.mse.on, _ = e.(engine.Reducer); se.mse.on == nil {
			opt.OnSample = se.mse.sample
		}
	}
	if se.loader, err = loader.New(ctx, se.group, e, opt); err != nil {
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

// An epoch is the result of one pass over a loader's batches.
type epoch struct {
	samples int
	waits   []time.Duration // how long the loop waited for each batch
	loss    float64         // the mean of the batches' losses
}

// pass runs one epoch. each, if not nil, is called with each batch.
//
// The wait for a batch includes the wait for its copies: on every engine it ends when the data are where the model is. The loss
// waits for its own result, so no work on a batch is in flight when the next batch is asked for.
func (s *session) pass(ctx context.Context, bar *progress, each func(*loader.Batch) error) (epoch, error) {
	e := epoch{waits: make([]time.Duration, 0, s.loader.Len())}
	asked := time.Now()
	for b, err := range s.loader.Batches(ctx) {
		if err != nil {
			return e, err
		}
		if err := b.Sync(); err != nil {
			return e, fmt.Errorf("%v: %w", b, err)
		}
		e.waits = append(e.waits, time.Since(asked))
		e.samples += b.Len
		if s.mse != nil {
			l, err := s.mse.onBatch(b)
			if err != nil {
				return e, fmt.Errorf("%v: %w", b, err)
			}
			if math.IsNaN(l) || math.IsInf(l, 0) {
				return e, fmt.Errorf("%v: the loss is %v: the data have values that are no numbers, chunks that were never written, or bad ones (-bad nan): -loss none reads on", b, l)
			}
			e.loss += l
		}
		if each != nil {
			if err := each(b); err != nil {
				return e, fmt.Errorf("%v: %w", b, err)
			}
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

// An mse computes the study's loss: the mean squared difference of a window's first and last step, over all channels and points.
// In host memory, the worker that places the last piece of a sample sums its planes. The sums are added in order, so the loss
// is the same to the bit for any number of workers.
type mse struct {
	x, y  string         // the tensors' names; "" for the first and the last
	on    engine.Reducer // sums the planes of whole batches; nil for engines that can't
	whole []float64      // its sums of a batch
	sums  sync.Map       // *zarrio.Batch -> []float64, by sample and channel: batches are filled ahead of the one in use
}

func (m *mse) sample(b *loader.Batch, i int) error {
	x, y, err := m.pair(b)
	if err != nil {
		return err
	}
	defer trace.StartRegion(context.Background(), "loss").End()
	planes := x.Planes() / max(x.Shape[0], 1)
	v, ok := m.sums.Load(b)
	if !ok {
		v, _ = m.sums.LoadOrStore(b, make([]float64, *batchFlag*planes))
	}
	sums := v.([]float64)
	for p := i * planes; p < (i+1)*planes; p++ {
		sums[p] = loss.SquaredError(tensor.FromBytes[float32](x.NthPlane(p)), tensor.FromBytes[float32](y.NthPlane(p)))
	}
	return nil
}

// onBatch returns the loss of b.
func (m *mse) onBatch(b *loader.Batch) (float64, error) {
	x, y, err := m.pair(b)
	if err != nil {
		return 0, err
	}
	planes := x.Planes()
	if m.on == nil {
		v, _ := m.sums.Load(b)
		return loss.Mean(v.([]float64)[:planes], int64(x.Elements())), nil
	}
	defer trace.StartRegion(context.Background(), "reduce").End()
	m.whole = slices.Grow(m.whole[:0], planes)[:planes]
	if err := m.on.SquaredErrors(x, y, m.whole); err != nil {
		return 0, err
	}
	return loss.Mean(m.whole, int64(x.Elements())), nil
}
