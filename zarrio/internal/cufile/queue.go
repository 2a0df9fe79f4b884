//go:build gds && linux && (amd64 || arm64)

package cufile

import "sync"

// QueueDepth is how many reads of all batches of a process may be in flight. With 256 of them, in two batches or more,
// cuFileBatchIOSubmit of version 1.14 doesn't return, whatever max_io_queue_depth and io_batchsize are set to; with 128 it does.
// Version 1.20 takes more, but the limit is the same for all versions: those between weren't tried.
const QueueDepth = 128

// inFlight counts the reads of all batches. It belongs to the process, as the limit does.
var inFlight = newQueue()

// A queue has room for QueueDepth reads.
type queue struct {
	mu   sync.Mutex
	room sync.Cond
	n    int
}

func newQueue() *queue {
	q := new(queue)
	q.room.L = &q.mu
	return q
}

// enter takes room for n reads. Where there is none it waits, or returns false if it mustn't.
func (q *queue) enter(n int, wait bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n+n > QueueDepth {
		if !wait || n > QueueDepth {
			return false
		}
		q.room.Wait()
	}
	q.n += n
	return true
}

func (q *queue) leave(n int) {
	if n == 0 {
		return
	}
	q.mu.Lock()
	q.n -= n
	q.mu.Unlock()
	q.room.Broadcast()
}
