package snapshot

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

// tags are a private copy of the tags in a layer's index, a quarter of its
// size, made of verified buckets. They spare nearly every look-up of a key that
// the layer says nothing of a checksum: in a stack of n layers, n-1 of n.
//
// What they do not rule out is still looked up, so they are no more than a hint
// in this direction; in the other they are as good as the buckets were when they
// were verified.
type tags [][2]uint64 // a bucket: its tags in seven lanes of 16 bits, the highest is 1 if it overflowed

// Tags are made for a layer that was asked a question for every four of its
// buckets, so that making them never costs much more than was spent without
// them. They are not made for a large layer: there is one of that kind in a
// stack, or two, and whoever asks just then waits for all of them.
const (
	tagLimit  = 1 << 15 // buckets: 512 KiB of tags, for 150,000 entries
	tagSample = 16      // of so many questions one is counted, lest many processors meet at the counter
)

// lane is a word with a 1 in each lane.
const lane = 1 | 1<<16 | 1<<32 | 1<<48

// tagged is the tags of a layer, if it has some.
type tagged struct {
	asked atomic.Int64 // questions counted
	tried atomic.Bool  // the tags are made, or being made, or cannot be
	made  atomic.Bool  // they are complete, and change no more
	tags  tags
}

// lack reports whether tags rule out every key with this hash. They must be made.
func (t *tagged) lack(sum, probes uint64) bool {
	all := t.tags
	tag := uint64(uint16(sum)) * lane
	number, _ := bits.Mul64(sum, uint64(len(all)))
	for range probes + 1 {
		b := &all[number]
		// A lane without a difference borrows from the one above, so that this
		// finds all that are equal, and only over one of those others as well.
		x, y := b[0]^tag, b[1]^tag
		if ((x-lane)&^x|(y-lane)&^y&(1<<48-1))&(lane<<15) != 0 {
			return false
		}
		if b[1]>>48 == 0 {
			break
		}
		if number++; number == uint64(len(all)) {
			number = 0
		}
	}
	return true
}

// ask counts a question and makes the tags when it is time.
func (l *Layer) ask() {
	if l.buckets > tagLimit || l.tagged.asked.Add(4*tagSample) < int64(l.buckets) || l.tagged.tried.Swap(true) {
		return
	}
	t := make(tags, l.buckets)
	var b [bucketSize]byte
	for i := range t {
		if l.readBucket(&b, uint64(i)) != nil {
			return // damage is left to whoever needs this bucket
		}
		t[i] = bucketTags(&b)
	}
	runtime.KeepAlive(l)
	l.tagged.tags = t
	l.tagged.made.Store(true)
}

// bucketTags is what tags say of a bucket. An unused slot has the tag of the
// first one; in an empty bucket that is 0, which costs a look at the bucket for
// one key in 65536.
func bucketTags(b *[bucketSize]byte) (t [2]uint64) {
	first := le.Uint64(b[bucketFirst:]) >> tagShift
	if b[bucketCount] == 0 {
		first = 0
	}
	for slot := range bucketSlots {
		tag := first
		if slot < int(b[bucketCount]) {
			tag = le.Uint64(b[bucketFirst+8*slot:]) >> tagShift
		}
		t[slot/4] |= tag << (16 * (slot % 4))
	}
	if b[bucketFlags]&bucketOverflow != 0 {
		t[1] |= 1 << 48
	}
	return t
}
