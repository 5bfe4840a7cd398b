package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"linegate/store"
)

// A sealed stream begins with magic and a name of its own. Frames follow: the
// length of the sealed octets in 4 octets, then these. Each is sealed for the
// stream's name and its own number, so that none can be left out, moved, or taken
// from another file; the last one says that it is the last.
const (
	magic      = "LGSNAP1\n"
	nameSize   = 36
	frameSize  = 64 << 10
	mostSealed = frameSize + 1024
)

// The first octet of a frame's content.
const (
	moreFollows = 'm'
	lastFrame   = 'l'
)

var errDamaged = errors.New("damaged: it is not a whole snapshot")

func rowOf(name string, number int) string { return fmt.Sprintf("snapshot/%s/%d", name, number) }

// sealedWriter seals what is written in frames. Close writes the last one and
// leaves the writer beneath open.
type sealedWriter struct {
	to     io.Writer
	sealer *store.Sealer
	name   string
	number int
	frame  []byte
}

func newWriter(to io.Writer, sealer *store.Sealer) (*sealedWriter, error) {
	w := &sealedWriter{to: to, sealer: sealer, name: store.NewID(), frame: append(make([]byte, 0, frameSize+1), moreFollows)}
	if _, err := io.WriteString(to, magic+w.name); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *sealedWriter) Write(octets []byte) (written int, err error) {
	written = len(octets)
	for len(octets) > 0 {
		room := min(len(octets), frameSize+1-len(w.frame))
		w.frame = append(w.frame, octets[:room]...)
		octets = octets[room:]
		if len(w.frame) > frameSize {
			if err := w.flush(moreFollows); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (w *sealedWriter) flush(kind byte) error {
	w.frame[0] = kind
	sealed := w.sealer.Seal(rowOf(w.name, w.number), string(w.frame))
	w.frame, w.number = w.frame[:1], w.number+1
	_, err := w.to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed...))
	return err
}

func (w *sealedWriter) Close() error { return w.flush(lastFrame) }

// sealedReader opens frame after frame. After the last it is at its end.
type sealedReader struct {
	from   io.Reader
	sealer *store.Sealer
	name   string
	number int
	rest   string
	ended  bool
}

func newReader(from io.Reader, sealer *store.Sealer) (*sealedReader, error) {
	var start [len(magic) + nameSize]byte
	if _, err := io.ReadFull(from, start[:]); err != nil || string(start[:len(magic)]) != magic {
		return nil, errDamaged
	}
	return &sealedReader{from: from, sealer: sealer, name: string(start[len(magic):])}, nil
}

func (r *sealedReader) Read(into []byte) (int, error) {
	for r.rest == "" {
		if r.ended {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	copied := copy(into, r.rest)
	r.rest = r.rest[copied:]
	return copied, nil
}

func (r *sealedReader) next() error {
	var size [4]byte
	if _, err := io.ReadFull(r.from, size[:]); err != nil {
		return errDamaged
	}
	length := binary.BigEndian.Uint32(size[:])
	if length > mostSealed {
		return errDamaged
	}
	sealed := make([]byte, length)
	if _, err := io.ReadFull(r.from, sealed); err != nil {
		return errDamaged
	}
	frame, err := r.sealer.Open(rowOf(r.name, r.number), sealed)
	if err != nil {
		return err
	}
	if frame == "" {
		return errDamaged
	}
	r.rest, r.ended, r.number = frame[1:], frame[0] == lastFrame, r.number+1
	return nil
}
