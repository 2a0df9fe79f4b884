package turns_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"zarrbench/zarrio/internal/race"
	"zarrbench/zarrio/internal/turns"
)

// TestDo has many goroutines compute: all of them end, and no more than there are turns compute at once.
func TestDo(t *testing.T) {
	for _, tt := range []struct {
		name       string
		turns      int
		goroutines int
	}{{"one", 1, 64}, {"some", 3, 64}, {"a turn for each", 8, 8}, {"none asked for", 0, 16}} {
		t.Run(tt.name, func(t *testing.T) {
			all := turns.New(tt.turns)
			all.Expect(tt.goroutines)
			var now, most, calls atomic.Int64
			var wg sync.WaitGroup
			for range tt.goroutines {
				wg.Go(func() {
					for range 200 {
						_ = all.Do(func() error {
							n := now.Add(1)
							for {
								m := most.Load()
								if n <= m || most.CompareAndSwap(m, n) {
									break
								}
							}
							calls.Add(1)
							now.Add(-1)
							return nil
						})
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 200*tt.goroutines, calls.Load())
			require.LessOrEqual(t, most.Load(), int64(max(tt.turns, 1)))
		})
	}
}

// TestDoMeanwhile: as many calls as there are turns are under way at once, and no more.
func TestDoMeanwhile(t *testing.T) {
	all := turns.New(2)
	all.Expect(3)
	inside, leave := make(chan int), make(chan struct{})
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			_ = all.Do(func() error {
				inside <- i
				<-leave
				return nil
			})
		})
	}
	require.Equal(t, 1, <-inside+<-inside)
	wg.Go(func() {
		_ = all.Do(func() error {
			inside <- 2
			return nil
		})
	})
	select {
	case i := <-inside:
		t.Fatalf("goroutine %d has a third of two turns", i)
	default:
	}
	leave <- struct{}{}
	require.Equal(t, 2, <-inside)
	leave <- struct{}{}
	wg.Wait()
}

// TestDoFailure: errors are returned, and a turn comes back whatever ends the call.
func TestDoFailure(t *testing.T) {
	all := turns.New(1)
	all.Expect(2)
	fault := errors.New("fault")
	require.Equal(t, fault, all.Do(func() error { return fault }))
	require.PanicsWithValue(t, "stop", func() { _ = all.Do(func() error { panic("stop") }) })
	require.NoError(t, all.Do(func() error { return nil }))
}

// TestUnlimited: neither a nil *Turns nor turns for all keep a call from another.
func TestUnlimited(t *testing.T) {
	enough := turns.New(2)
	enough.Expect(2)
	for _, all := range []*turns.Turns{nil, enough} {
		calls := 0
		err := all.Do(func() error {
			return all.Do(func() error {
				return all.Do(func() error {
					calls++
					return nil
				})
			})
		})
		require.NoError(t, err)
		require.Equal(t, 1, calls)
	}
}

// TestDoAllocs: nothing is allocated for a call, though the function has variables of its caller.
func TestDoAllocs(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	all := turns.New(1)
	all.Expect(2)
	sum := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_ = all.Do(func() error {
			sum++
			return nil
		})
	}))
	require.Positive(t, sum)
}
