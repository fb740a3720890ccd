package heapfloor

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// floor is the size of the heap, in bytes, below which no collection starts. What lives in an idle server is a few megabytes, so that
// without a floor a busy one would collect every few requests.
const floor = 64 << 20

// Keep sets after each collection how much the heap may grow until the next: to the floor, or to twice what lives, as
// is Go's default. An operator who sets GOGC decides instead; GOMEMLIMIT holds in any case.
func Keep() {
	if os.Getenv("GOGC") != "" {
		return
	}
	k := &keeper{percent: 100, sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	k.adjust()
	k.arm()
}

type keeper struct {
	percent int
	sample  []metrics.Sample
}

// collected is an object that the next collection finds unused.
type collected struct{ _ [16]byte }

func (k *keeper) arm() {
	runtime.SetFinalizer(&collected{}, func(*collected) {
		k.adjust()
		k.arm()
	})
}

func (k *keeper) adjust() {
	metrics.Read(k.sample)
	live := int64(4 << 20) // before the first collection
	if k.sample[0].Value.Kind() == metrics.KindUint64 {
		live = max(live, int64(k.sample[0].Value.Uint64()))
	}
	percent := int(max(100, floor*100/live-100))
	// Each change stops the world for some microseconds: not for little.
	if d := percent - k.percent; d > k.percent/8 || -d > k.percent/8 {
		k.percent = percent
		debug.SetGCPercent(percent)
	}
}
