//go:build linux

package ultradict_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/ultradict/go/ultradict"
)

// asJSON has values stored as JSON.
type asJSON struct{}

func (asJSON) Name() string                       { return "json" }
func (asJSON) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (asJSON) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// A dictionary whose values are JSON in shared memory. All that open it say so.
func ExampleWithCodec() {
	dir, remove := own()
	defer remove()
	d, err := ultradict.Open("settings", dir, ultradict.WithCodec(asJSON{}))
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if err := d.Set("limits", map[string]int{"open files": 1024}); err != nil {
		log.Fatal(err)
	}
	v, err := d.Get("limits")
	fmt.Println(v, err)

	_, err = ultradict.Open("settings", dir)
	fmt.Println(err)
	// Output:
	// map[open files:1024] <nil>
	// open "settings": its values are encoded as "json", this handle would use "cbor": ultradict: invalid option
}
