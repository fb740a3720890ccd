package blob

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if PatienceOf(t.Context()) != nil {
			t.Fatal("patience that nobody asked for")
		}
		ctx := WithPatience(context.Background(), time.Minute)
		p := PatienceOf(ctx)
		start := time.Now()
		if !p.Wait(start) {
			t.Fatal("no patience at all")
		}
		time.Sleep(50 * time.Second)
		late := time.Now()
		if !p.Wait(start) || !p.Wait(late) {
			t.Fatal("the store may be away for a minute")
		}
		time.Sleep(20 * time.Second)
		if p.Wait(late) {
			t.Fatal("a later request waits longer for a store that is away all the time")
		}
		p.Answered()
		if !p.Wait(late) {
			t.Fatal("the store was there meanwhile")
		}
		if p.Wait(start) {
			t.Fatal("one request alone waits no longer than all together")
		}
	})
}
