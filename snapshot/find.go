package snapshot

import (
	"math/bits"
	"runtime"
)

// Find looks a key up. It finds tombstones too; a false means that the layer
// says nothing of the key.
//
// The value is appended to buf[:0], so that a buf large enough makes it free
// of allocations; otherwise a hit allocates the value and a miss nothing.
// Entry.Key is the key given. Error: *[errs.CorruptError].
func (l *Layer) Find(dict uint64, key string, buf []byte) (Entry, bool, error) {
	var h head
	ok, err := l.locate(&h, l.hash.sum(dict, key), dict, key)
	if err != nil || !ok {
		runtime.KeepAlive(l)
		return Entry{}, false, err
	}
	return l.read(&h, key, buf)
}

// read returns the entry that was located, verified.
func (l *Layer) read(h *head, key string, buf []byte) (Entry, bool, error) {
	value := append(buf[:0], l.data[h.valueAt:h.end]...)
	runtime.KeepAlive(l)
	if err := l.verify(h, key, value); err != nil {
		return Entry{}, false, err
	}
	return h.entry(key, value), true, nil
}

// has reports whether the layer says anything of a key.
func (l *Layer) has(dict uint64, key string) (bool, error) {
	var h head
	ok, err := l.locate(&h, l.hash.sum(dict, key), dict, key)
	if ok && err == nil {
		err = l.verify(&h, key, l.data[h.valueAt:h.end])
	}
	runtime.KeepAlive(l)
	return ok && err == nil, err
}

// locate finds the entry of a key with its hash. The head it leaves in h is still to be
// verified, with the key given and a copy of the value.
func (l *Layer) locate(h *head, sum, dict uint64, key string) (bool, error) {
	switch {
	case l.buckets == 0:
		return false, nil
	case l.tagged.made.Load():
		if l.tagged.lack(sum, l.probes) {
			return false, nil
		}
	case sum%tagSample == 0:
		l.ask()
	}
	number, _ := bits.Mul64(sum, l.buckets)
	for range l.probes + 1 {
		var b [bucketSize]byte
		if err := l.readBucket(&b, number); err != nil {
			return false, err
		}
		for slot := range int(b[bucketCount]) {
			s := le.Uint64(b[bucketFirst+8*slot:])
			if uint16(s>>tagShift) != uint16(sum) {
				continue
			}
			if err := l.readHead(h, s&offsetMask*entryAlignment); err != nil {
				return false, err
			}
			stored := l.data[h.keyAt:h.valueAt]
			if h.dict == dict && string(stored) == key {
				return true, nil
			}
			// Another key with the same tag, or this one, damaged. Rare
			// enough to find out at the price of the whole entry.
			if err := l.verify(h, view(stored), l.data[h.valueAt:h.end]); err != nil {
				return false, err
			}
		}
		if b[bucketFlags]&bucketOverflow == 0 {
			return false, nil
		}
		if number++; number == l.buckets {
			number = 0
		}
	}
	return false, nil
}

// readBucket copies a bucket out of the layer and verifies the copy.
func (l *Layer) readBucket(b *[bucketSize]byte, number uint64) error {
	at := l.at.index + number*bucketSize
	*b = [bucketSize]byte(l.data[at : at+bucketSize])
	if checksum(place(number), b[bucketCRC+4:]) != le.Uint32(b[bucketCRC:]) {
		return l.corrupt(at, "checksum of a bucket")
	}
	if b[bucketCount] > bucketSlots {
		return l.corrupt(at, "number of slots in a bucket")
	}
	return nil
}
