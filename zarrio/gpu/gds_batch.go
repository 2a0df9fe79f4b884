//go:build gds && linux && (amd64 || arm64)

package gpu

import (
	"context"
	"errors"
	"fmt"
	"runtime/trace"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"zarrbench/zarrio/internal/cufile"
)

// A submission collects transfers that a worker gives to cuFile at once. A transfer is one read of
// the batch, or several consecutive ones if it is larger than cuFile allows a read to be.
type submission struct {
	batch      *cufile.Batch // nil until it is needed
	list       []transfer
	reads      int       // reads of the transfers in list
	strips     []strip   // of the chunk that is being read, reused from chunk to chunk
	freeStrips [][]strip // memory for the strips of transfers in list
	ios        []cufile.IO
	done       []cufile.Completion
}

// reset empties the list, and keeps its memory.
func (s *submission) reset() {
	for i := range s.list {
		s.freeStrips = append(s.freeStrips, s.list[i].strips[:0])
	}
	s.list, s.reads = s.list[:0], 0
}

func (s *submission) close() error {
	if s.batch == nil {
		return nil
	}
	b := s.batch
	s.batch = nil
	return b.Close()
}

// prepare makes the worker's batch if reads are submitted in batches. Call it before the worker
// holds a file or a slot: others may wait for those.
func (e *gdsEngine) prepare(ctx context.Context, w *worker) error {
	s := &w.batch
	if e.submit != SubmitBatch || s.batch != nil {
		return nil
	}
	return e.files.openWithRetry(ctx, w.Worker, func() (err error) {
		s.batch, err = e.cufile.NewBatch(e.depth)
		s.done = make([]cufile.Completion, e.depth)
		return err
	})
}

// reads returns the number of reads of a batch that t needs.
func (e *gdsEngine) reads(t *transfer) int { return (t.asked + e.maxRead - 1) / e.maxRead }

// makeRoom flushes the worker's submission if its batch has no room for t's reads.
func (e *gdsEngine) makeRoom(ctx context.Context, w *worker, t *transfer) error {
	if e.submit != SubmitBatch || w.batch.reads+e.reads(t) <= e.depth {
		return nil
	}
	return e.flush(ctx, w)
}

// enqueue adds t to the worker's submission. It submits the list when it has a transfer for each of
// the worker's slots, or when the batch is full.
func (e *gdsEngine) enqueue(ctx context.Context, w *worker, t transfer) error {
	s := &w.batch
	e.files.hold(t.file)
	var strips []strip // a copy, since t.strips is reused for the next chunk
	if n := len(s.freeStrips); n > 0 {
		strips, s.freeStrips = s.freeStrips[n-1], s.freeStrips[:n-1]
	}
	t.strips = append(strips, t.strips...)
	s.list = append(s.list, t)
	s.reads += e.reads(&t)
	if len(s.list) < e.slotsEach && s.reads < e.depth {
		return nil
	}
	return e.submitAll(ctx, w)
}

// flush submits the worker's transfers, if there are any, and waits for them.
func (e *gdsEngine) flush(ctx context.Context, w *worker) error {
	if len(w.batch.list) == 0 {
		return nil
	}
	return e.submitAll(ctx, w)
}

// endFill ends the worker's part of a Fill. It flushes the submission, or discards it if err is not
// nil.
func (e *gdsEngine) endFill(ctx context.Context, w *worker, err error) error {
	if err == nil {
		return e.flush(ctx, w)
	}
	return errors.Join(err, e.discard(w, w.batch.list))
}

// discard gives back the slots and files of transfers in list without reading, and resets the
// worker's submission.
func (e *gdsEngine) discard(w *worker, list []transfer) error {
	var err error
	for i := range list {
		if s := list[i].slot; s != nil {
			err = e.slots.give(s, false, w.stream, err)
		}
		e.files.put(list[i].file)
	}
	w.batch.reset()
	return err
}

// submitAll submits the worker's transfers, waits for them, and queues the copies of each one when
// its reads are done.
func (e *gdsEngine) submitAll(ctx context.Context, w *worker) error {
	defer trace.StartRegion(ctx, "read").End()
	s := &w.batch
	s.ios = s.ios[:0]
	for i := range s.list {
		t := &s.list[i]
		base, at := e.target(t)
		t.pending, t.got = 0, t.asked
		for lo := 0; lo < t.asked; lo += e.maxRead {
			s.ios = append(s.ios, cufile.IO{
				Handle: t.file.handle, Base: base, BufOffset: at + int64(lo),
				Bytes: min(e.maxRead, t.asked-lo), Offset: t.start + int64(lo),
				Cookie: uint64(i)<<32 | uint64(lo),
			})
			t.pending++
		}
	}
	if err := s.batch.Submit(s.ios); err != nil {
		return errors.Join(failRead(s.list[0].read, err), e.discard(w, s.list))
	}
	e.submitted.Add(int64(len(s.ios)))
	var first error
	for left := len(s.list); left > 0; {
		n, err := s.batch.Wait(1, s.done)
		for _, c := range s.done[:n] {
			t := &s.list[c.Cookie>>32]
			e.completed(t, int(uint32(c.Cookie)), c)
			if t.pending > 0 {
				continue
			}
			if err := e.finish(w, t, t.got, t.err); err == nil {
				e.files.put(t.file)
			} else {
				e.files.forget(t.file)
				if first == nil {
					first = failRead(t.read, err)
				}
			}
			t.file, t.slot = nil, nil
			left--
		}
		if err != nil {
			// Closing the batch cancels the reads in flight: nothing may be read into a slot from
			// now on.
			err = errors.Join(err, s.close())
			unread := slices.DeleteFunc(s.list, func(t transfer) bool { return t.file == nil })
			if first == nil {
				first = failRead(unread[0].read, err)
			}
			return errors.Join(first, e.discard(w, unread))
		}
	}
	s.reset()
	return first
}

// completed records the completion of t's read that begins at byte lo of the transfer. If the read
// was short, completed reads the rest.
func (e *gdsEngine) completed(t *transfer, lo int, c cufile.Completion) {
	t.pending--
	got, err := c.N, c.Err
	if errors.Is(err, unix.EINTR) { // interrupted by a signal: read all of it again
		got, err = 0, nil
	}
	hi := min(lo+e.maxRead, t.asked)
	end := lo
	if err == nil {
		t.fromFile += int64(got)
		end, err = e.readFully(t, lo, lo+got, hi)
	}
	if err != nil && t.err == nil {
		t.err = err
	}
	if end < hi {
		t.got = min(t.got, end)
	}
}

// calibrateBatches is the number of batches of an epoch that Calibrate reads in both ways, at most.
const calibrateBatches = 6

// Calibrate implements Engine. It reads the first batches of next in both ways, alternating, and
// chooses the way with the lower median time.
func (e *gdsEngine) Calibrate(ctx context.Context, next Epoch) (string, error) {
	switch {
	case e.cufile == nil:
		return "nothing to choose: cuFile is not used", nil
	case e.submitOpt != SubmitAuto:
		return fmt.Sprintf("%s, as requested", e.submitOpt), nil
	case !e.cufile.HasBatch():
		return fmt.Sprintf("%s: this cuFile has no batches", SubmitSync), nil
	}
	spent := map[Submit][]time.Duration{}
	ways := [2]Submit{SubmitSync, SubmitBatch}
	// If the epoch has few batches, read each of them several times.
	repeats := max(1, calibrateBatches/max(next.Len(), 1))
	err := next.ReadAhead(ctx, calibrateBatches, func(i int, read func() error) error {
		if i == 0 { // warm up: open files and allocate memory
			if err := read(); err != nil {
				return err
			}
		}
		for k := range 2 * repeats {
			way := ways[(i+k)%2] // alternate, so that neither way always comes first
			e.setSubmit(way)
			begin := time.Now()
			if err := read(); err != nil {
				return err
			}
			spent[way] = append(spent[way], time.Since(begin))
		}
		return nil
	})
	e.setSubmit(SubmitSync)
	if err != nil {
		return "", err
	}
	if len(spent[SubmitSync]) == 0 {
		return fmt.Sprintf("%s: the epoch has no batch left to read", SubmitSync), nil
	}
	median := func(way Submit) time.Duration {
		slices.Sort(spent[way])
		return spent[way][len(spent[way])/2]
	}
	sync, batch := median(SubmitSync), median(SubmitBatch)
	if batch < sync {
		e.setSubmit(SubmitBatch)
	}
	return fmt.Sprintf("%s (medians of %d reads of a batch: %s %v, %s %v)",
		*e.nextSubmit.Load(), len(spent[SubmitSync]),
		SubmitSync, sync.Round(time.Microsecond), SubmitBatch, batch.Round(time.Microsecond)), nil
}
