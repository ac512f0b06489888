//go:build linux

package ultradict_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/ultradict/go/ultradict"
)

// What is written as JSON is read back as it was, integers as integers and times as
// times.
func ExampleMap_WriteJSON() {
	dir, remove := own()
	defer remove()
	d, err := ultradict.Open("settings", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if err := d.Set("limits", map[string]any{"files": 1024, "load": 4.0, "key": []byte("secret")}); err != nil {
		log.Fatal(err)
	}
	var text bytes.Buffer
	if err := d.WriteJSON(context.Background(), &text); err != nil {
		log.Fatal(err)
	}
	fmt.Print(text.String())

	if err := d.Clear(); err != nil {
		log.Fatal(err)
	}
	n, err := d.ReadJSON(context.Background(), &text)
	fmt.Println(n, err)
	fmt.Println(d.Get("limits"))
	// Output:
	// {"limits":{"files":1024,"key":{"$bytes":"c2VjcmV0"},"load":4.0}}
	// 1 <nil>
	// map[files:1024 key:[115 101 99 114 101 116] load:4] <nil>
}

// Everything is checked before anything is stored.
func ExampleMap_ReadNDJSON() {
	type Server struct {
		Addr string `json:"addr"`
		Port uint16 `json:"port"`
	}
	dir, remove := own()
	defer remove()
	servers, err := ultradict.OpenMap[int, Server]("servers", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer servers.Close()
	const lines = `
{"key":1,"value":{"addr":"10.0.0.1","port":80}}
{"key":2,"value":{"addr":"10.0.0.2","port":70000}}
`
	_, err = servers.ReadNDJSON(context.Background(), strings.NewReader(lines))
	var wrong *ultradict.JSONError
	if errors.As(err, &wrong) {
		fmt.Println("line", wrong.Line, "key", wrong.Key)
	}
	fmt.Println(servers.Len())

	_, err = servers.ReadNDJSON(context.Background(), strings.NewReader(strings.Replace(lines, "70000", "8080", 1)))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := servers.Delete(1); err != nil {
		log.Fatal(err)
	}
	if err := servers.WriteNDJSON(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// line 3 key 2
	// 0 <nil>
	// {"key":2,"value":{"addr":"10.0.0.2","port":8080}}
}
