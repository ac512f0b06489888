//go:build linux

package ultradict_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/ultradict/go/ultradict"
)

// A save is of one moment, whoever writes meanwhile.
func ExampleMap_Save() {
	dir, remove := own()
	defer remove()
	files, err := os.MkdirTemp("", "ultradict-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(files)
	stock, err := ultradict.OpenMap[string, int]("stock", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer stock.Close()
	for name, n := range map[string]int{"apples": 3, "pears": 5} {
		if err := stock.Set(name, n); err != nil {
			log.Fatal(err)
		}
	}
	ctx := context.Background()
	file := filepath.Join(files, "stock.save")
	fmt.Println(stock.Save(ctx, file))

	if err := stock.Clear(); err != nil {
		log.Fatal(err)
	}
	if err := stock.Set("plums", 1); err != nil {
		log.Fatal(err)
	}
	fmt.Println(stock.Restore(ctx, file, ultradict.SomeKeys("apples"))) // only that one
	fmt.Println(stock.Len())
	fmt.Println(stock.Restore(ctx, file)) // everything is what it was
	fmt.Println(stock.Get("pears"))
	fmt.Println(stock.Len())
	// Output:
	// <nil>
	// <nil>
	// 2 <nil>
	// <nil>
	// 5 <nil>
	// 2 <nil>
}

// What is wrong with a file is named by its place, and nothing of it is used.
func ExampleCheckSave() {
	dir, remove := own()
	defer remove()
	files, err := os.MkdirTemp("", "ultradict-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(files)
	m, err := ultradict.OpenMap[int, string]("numbers", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if err := m.Set(1, "one"); err != nil {
		log.Fatal(err)
	}
	file := filepath.Join(files, "numbers.save")
	if err := m.Save(context.Background(), file); err != nil {
		log.Fatal(err)
	}
	info, err := ultradict.CheckSave(file)
	fmt.Println(info.Entries, info.KeyKind, err)

	if err := os.Truncate(file, info.Bytes-1); err != nil {
		log.Fatal(err)
	}
	_, err = ultradict.CheckSave(file)
	var damage *ultradict.SaveError
	fmt.Println(errors.As(err, &damage) && damage.Path == file && damage.Offset == info.Bytes-1)
	// Output:
	// 1 int <nil>
	// true
}

// With persistence a dictionary comes back after a reboot.
func ExampleWithPersistence() {
	memory, err := os.MkdirTemp("", "ultradict-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(memory)
	disk, err := os.MkdirTemp("", "ultradict-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(disk)
	for range 3 {
		boots, err := ultradict.OpenMap[string, int]("boots", ultradict.WithDir(memory), ultradict.WithPersistence(disk, time.Minute))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(boots.Add("n", 1))
		if err := boots.Close(); err != nil { // saves, if nobody else does
			log.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(memory, "boots")); err != nil { // what a reboot does
			log.Fatal(err)
		}
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}
