package loader

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Stream returns an iterator over batches of the caller's samples. Each list has the numbers of the
// windows of one batch, in order: those of [Batch.Samples], which all ranks share. A list may repeat
// a window, and may be empty, which makes an empty batch. It may not have a window that isn't
// selected, or more than Options.Batch windows, or more than an epoch has. Such a list ends the
// stream with an error, behind the batches of the lists before it.
//
// Batches are like those of [Loader.Batches], and are read ahead in the same way. Their Epoch is 0,
// their Index that of their list. Stream doesn't change which epoch comes next, nor the State. No
// epoch may be in progress.
//
// The loop's own goroutine pulls the lists, Prefetch + 2 of them before it waits for the first
// batch: a list can't depend on what the loop makes of the batches shortly before it. A list isn't
// used any more when the sequence is asked for the next one. When the loop ends, for whatever
// reason, so does the sequence.
func (l *Loader) Stream(ctx context.Context, lists iter.Seq[[]int64]) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if lists == nil {
			yield(nil, errors.New("zarrio: loader: stream: no sequence of lists"))
			return
		}
		l.mu.Lock()
		err := l.start()
		l.mu.Unlock()
		if err != nil {
			yield(nil, err)
			return
		}
		defer l.end()
		next, stop := iter.Pull(lists)
		defer stop()
		q := newListQueue(l.opt.Prefetch + 2)
		l.run(ctx, l.streamSource(q.lists), func(i int) bool { return q.fill(next, i) }, yield)
	}
}

// A listQueue holds lists that are pulled ahead.
type listQueue struct {
	lists  chan []int64
	memory [][]int64 // of the lists, in turn
	pulled int
	ended  bool
}

// newListQueue returns a queue of up to n lists.
func newListQueue(n int) *listQueue {
	return &listQueue{lists: make(chan []int64, n), memory: make([][]int64, n)}
}

// fill pulls lists until the queue has as many as it holds, counted from list i. It reports whether
// list i is there. Batches before i must have been filled: the memory of their lists is used again.
func (q *listQueue) fill(next func() ([]int64, bool), i int) bool {
	for !q.ended && q.pulled < i+len(q.memory) {
		list, ok := next()
		if !ok {
			q.ended = true
			close(q.lists)
			break
		}
		own := &q.memory[q.pulled%len(q.memory)]
		*own = append((*own)[:0], list...)
		q.lists <- *own
		q.pulled++
	}
	return i < q.pulled
}

// streamSource returns the source of the batches of lists.
func (l *Loader) streamSource(lists <-chan []int64) source {
	index, first := 0, 0
	return func(ctx context.Context, b *plannedBatch) (bool, error) {
		var list []int64
		var ok bool
		select {
		case list, ok = <-lists:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
		if !ok {
			return false, nil
		}
		b.reset(0, index, first)
		if err := l.addList(b, list); err != nil {
			return false, fmt.Errorf("zarrio: loader: stream: list %d: %w", index, err)
		}
		index++
		first += len(list)
		return true, nil
	}
}

// addList adds the windows of a list to b.
func (l *Loader) addList(b *plannedBatch, list []int64) error {
	if n := l.capacity(); len(list) > n {
		return fmt.Errorf("%d windows: a batch has room for %d", len(list), n)
	}
	total := product(l.windows.counts())
	for i, w := range list {
		if w < 0 || w >= int64(total) {
			return fmt.Errorf("sample %d: window %d: want 0 to %d", i, w, total-1)
		}
		at := l.windows.split(int(w))
		if !l.windows.isPicked(at[0]) {
			return fmt.Errorf("sample %d: window %d is not among those that are selected", i, w)
		}
		b.add(&l.windows, at)
	}
	return nil
}
