//go:build gds && linux && (amd64 || arm64)

package cuda

// A Stream is a queue of work of one device. The zero Stream is the context's default stream, which all users of CUDA in this
// process share.
type Stream uintptr

// An Event is a place in a stream, which it has from the last Record.
type Event uintptr

const (
	nonBlocking = 1 // CU_STREAM_NON_BLOCKING: the default stream doesn't wait for the stream, nor the stream for it.
	eventFlags  = 3 // CU_EVENT_BLOCKING_SYNC: who waits sleeps, since a spinning processor is missed elsewhere; CU_EVENT_DISABLE_TIMING: what only orders work is cheaper.
)

// NewStream makes a stream that runs beside all others, the default stream too.
func (d *Device) NewStream() (Stream, error) {
	s, err := d.create(&d.driver.streamCreate, nonBlocking)
	return Stream(s), err
}

// FreeStream frees a stream of NewStream. Work that it still has is done first, though not before FreeStream returns.
func (d *Device) FreeStream(s Stream) error {
	return d.call1(&d.driver.streamDestroy, uintptr(s))
}

// Synchronize waits until the stream's work is done, and returns the error of any that went wrong.
func (d *Device) Synchronize(s Stream) error {
	return d.call1(&d.driver.streamSynchronize, uintptr(s))
}

// NewEvent makes an event, which is done until it is recorded.
func (d *Device) NewEvent() (Event, error) {
	e, err := d.create(&d.driver.eventCreate, eventFlags)
	return Event(e), err
}

// FreeEvent frees an event of NewEvent. Work that waits for it still does.
func (d *Device) FreeEvent(e Event) error {
	return d.call1(&d.driver.eventDestroy, uintptr(e))
}

// Record puts the event after the work that the stream has now.
func (d *Device) Record(e Event, s Stream) error {
	c := d.driver.get()
	c.args[0], c.args[1] = uintptr(e), uintptr(s)
	err := d.call(c, &d.driver.eventRecord, 2)
	d.driver.put(c)
	return err
}

// Wait has what is put into the stream from now on wait for what the event was recorded after. It does not itself wait.
func (d *Device) Wait(s Stream, e Event) error {
	c := d.driver.get()
	c.args[0], c.args[1], c.args[2] = uintptr(s), uintptr(e), 0
	err := d.call(c, &d.driver.streamWait, 3)
	d.driver.put(c)
	return err
}

// SynchronizeEvent waits until the work that the event was recorded after is done.
func (d *Device) SynchronizeEvent(e Event) error {
	return d.call1(&d.driver.eventSynchronize, uintptr(e))
}

// Done reports whether the work that the event was recorded after is done.
func (d *Device) Done(e Event) (bool, error) {
	if d.closed.Load() {
		return false, ErrClosed
	}
	c := d.driver.get()
	c.args[0] = uintptr(e)
	code := c.code(&d.driver.eventQuery, 1)
	d.driver.put(c)
	switch code {
	case 0:
		return true, nil
	case codeNotReady:
		return false, nil
	}
	return false, d.driver.error(&d.driver.eventQuery, code)
}
