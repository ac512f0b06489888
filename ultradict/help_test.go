package ultradict_test

import "time"

// pause lets background work go on; nothing is asserted about how far it gets.
func pause() { time.Sleep(150 * time.Millisecond) }
