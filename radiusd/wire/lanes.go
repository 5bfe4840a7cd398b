package wire

import (
	"crypto/md5"
	"encoding/binary"
	"math"
)

// Lanes signs and checks many packets at once: where the processor can, MD5 runs over
// eight of them side by side, in the time that two or three take one after the other.
// The zero value is ready. It is not safe for concurrent use.
type Lanes struct {
	tasks  []task
	texts  [laneCount][laneSize]byte
	blocks [laneCount]int // of the texts; 0: the lane is not used
	words  [16]lane8      // of one block of each
	states [4]lane8
}

// Check is a request, and what Lanes.Verify found in it.
type Check struct {
	Signer *Signer
	Packet Packet

	Signed bool  // it has what proves that its sender knows the secret
	Err    error // why that proves nothing
}

// Unsigned is an answer to the request with that authenticator, whose Length is set.
type Unsigned struct {
	Signer  *Signer
	Packet  []byte
	Request [AuthenticatorSize]byte
}

// Verify does what Signer.VerifyRequest does, for many requests at once.
func (l *Lanes) Verify(checks []Check) {
	l.tasks = l.tasks[:0]
	for i := range checks {
		l.tasks = append(l.tasks, checks[i].task())
	}
	l.digest()
	for i := range checks {
		checks[i].judge(&l.tasks[i])
	}
}

// task is what there is to digest; none without a Message-Authenticator.
func (c *Check) task() task {
	t := task{signer: c.Signer, packet: c.Packet.raw}
	if c.Packet.Code() == AccountingRequest {
		c.Signed, c.Err = true, nil
		return t
	}
	t.authenticator = c.Packet.Authenticator()
	t.at, c.Err = findMA(t.packet)
	if c.Signed = t.at != 0; !c.Signed || c.Err != nil {
		return task{}
	}
	return t
}

// judge takes over what the task found.
func (c *Check) judge(t *task) {
	if t.signer != nil {
		c.Err = t.verdict()
	}
}

// SignReplies does what Signer.SignReply does, for many answers at once.
func (l *Lanes) SignReplies(replies []Unsigned) {
	l.tasks = l.tasks[:0]
	for i := range replies {
		r := &replies[i]
		if at, err := findMA(r.Packet); err == nil && at != 0 {
			l.tasks = append(l.tasks, task{signer: r.Signer, packet: r.Packet, authenticator: r.Request, at: at})
		}
	}
	l.digest()
	for i := range l.tasks {
		t := &l.tasks[i]
		copy(t.packet[t.at:], t.sum[:])
	}
	l.tasks = l.tasks[:0]
	for _, r := range replies {
		l.tasks = append(l.tasks, task{signer: r.Signer, packet: r.Packet, authenticator: r.Request})
	}
	l.digest()
	for i := range l.tasks {
		copy(l.tasks[i].packet[4:], l.tasks[i].sum[:])
	}
}

const (
	laneCount = 8
	// laneSize holds a packet of usual size, the longest secret and the padding.
	laneSize = (usualSize + 255 + paddingSize + md5.BlockSize - 1) / md5.BlockSize * md5.BlockSize
	// paddingSize is the least that follows a message (RFC 1321 section 3.1 and 3.2).
	paddingSize = 9
	// fewLanes are done sooner one after the other.
	fewLanes = 2
)

// lane8 is one word of each lane.
type lane8 [laneCount]uint32

// digest does the tasks.
func (l *Lanes) digest() {
	for left := l.tasks; len(left) > 0; {
		some := left[:min(laneCount, len(left))]
		left = left[len(some):]
		if !sideBySide || len(some) <= fewLanes {
			for i := range some {
				some[i].digest()
			}
			continue
		}
		l.digestSome(some)
	}
}

// digestSome does up to eight tasks side by side, and those with long packets alone.
func (l *Lanes) digestSome(some []task) {
	clear(l.blocks[:])
	for lane := range some {
		t := &some[lane]
		if len(t.packet) > usualSize {
			t.digest()
			continue
		}
		l.setTask(lane, t)
	}
	l.run(some)
	clear(l.blocks[:])
	for lane := range some {
		if t := &some[lane]; t.at != 0 && len(t.packet) <= usualSize {
			l.start(lane, &t.signer.outerState)
			l.pad(lane, md5.BlockSize, copy(l.texts[lane][:], t.sum[:]))
		}
	}
	l.run(some)
}

// setTask writes the first text of a task.
func (l *Lanes) setTask(lane int, t *task) {
	if t.signer == nil {
		return
	}
	text := &l.texts[lane]
	size := copy(text[:], t.packet)
	copy(text[4:], t.authenticator[:])
	if t.at != 0 {
		clear(text[t.at : t.at+md5.Size])
		l.start(lane, &t.signer.innerState)
		l.pad(lane, md5.BlockSize, size)
		return
	}
	size += copy(text[size:], t.signer.secret)
	l.start(lane, &md5Start)
	l.pad(lane, 0, size)
}

// start sets a lane's state.
func (l *Lanes) start(lane int, state *[4]uint32) {
	for i, word := range state {
		l.states[i][lane] = word
	}
}

// pad ends the text of a lane, which so many octets came before.
func (l *Lanes) pad(lane, before, size int) {
	text := &l.texts[lane]
	l.blocks[lane] = (size + paddingSize + md5.BlockSize - 1) / md5.BlockSize
	end := l.blocks[lane] * md5.BlockSize
	clear(text[size:end])
	text[size] = 0x80
	binary.LittleEndian.PutUint64(text[end-8:], uint64(before+size)*8)
}

// run digests the texts, and sets the sum of each task whose lane is used.
func (l *Lanes) run(some []task) {
	for block := 0; ; block++ {
		busy := false
		for lane, blocks := range l.blocks[:len(some)] {
			if block < blocks {
				busy = true
				text := (*[md5.BlockSize]byte)(l.texts[lane][block*md5.BlockSize:])
				for i := range l.words {
					l.words[i][lane] = binary.LittleEndian.Uint32(text[4*i:])
				}
			}
		}
		if !busy {
			return
		}
		block8(&l.states, &l.words, &md5Constants)
		for lane, blocks := range l.blocks[:len(some)] {
			if block == blocks-1 {
				for i := range l.states {
					binary.LittleEndian.PutUint32(some[lane].sum[4*i:], l.states[i][lane])
				}
			}
		}
	}
}

// md5Start is the state before the first block (RFC 1321 section 3.3).
var md5Start = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}

// md5Constants are those of the steps (RFC 1321 section 3.4), for each lane.
var md5Constants = func() (constants [64]lane8) {
	for i := range constants {
		for lane := range laneCount {
			constants[i][lane] = uint32(math.Abs(math.Sin(float64(i+1))) * (1 << 32))
		}
	}
	return constants
}()

// stateAfter is the state after one block, from which digests that begin with it go on.
func stateAfter(block [md5.BlockSize]byte) (state [4]uint32) {
	if !sideBySide {
		return state // nobody asks for it
	}
	var l Lanes
	l.start(0, &md5Start)
	copy(l.texts[0][:], block[:])
	l.blocks[0] = 1
	l.run(make([]task, 1))
	for i := range state {
		state[i] = l.states[i][0]
	}
	return state
}
