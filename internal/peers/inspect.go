package peers

// Slot is an entry of the table as it stands, whether it makes sense or not.
type Slot struct {
	ID, Ready    uint32
	Applied, Pin uint64
}

// Inspect copies the table out, and after it the last id that was given out:
// no honest entry names a later one.
func (s *Section) Inspect() (table []Slot, last uint32) {
	table = make([]Slot, Slots)
	for i := range table {
		e := &s.table[i]
		table[i] = Slot{ID: e.id.Load(), Ready: e.ready.Load(), Applied: e.Applied.Load(), Pin: e.Pin.Load()}
	}
	return table, s.next.Load()
}
