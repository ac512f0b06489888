package main

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/internal/proctest"
)

func TestEveryChangeMakesSense(t *testing.T) {
	proctest.Directory(t)
	o, err := openOwner(t.Context(), "test")
	require.NoError(t, err)
	defer func() { require.NoError(t, o.close()) }()
	kinds := map[int]int{} // by how many backends more there are
	for range 500 {
		c := o.someChange()
		n := -len(c.del)
		for key := range c.set {
			if _, known := o.settings[key]; !known {
				n++
			}
		}
		kinds[n]++
		require.NoError(t, o.push(t.Context(), c))
	}
	require.Len(t, kinds, 3, "of every kind: %v", kinds)
	held := maps.Collect(o.dict.All())
	require.True(t, sameSettings(o.settings, held))

	require.ErrorContains(t, o.push(t.Context(), change{del: []string{limitsKey}}), "the limit is 0", "nonsense is not pushed")
	require.True(t, sameSettings(o.settings, maps.Collect(o.dict.All())))
}
