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

		p.Answered()
		o, before := p.Outage(), time.Now()
		for {
			o.Failed()
			pause, again := o.Wait()
			if !again {
				break
			}
			if pause < 250*time.Millisecond || pause > longestPause {
				t.Fatalf("a pause of %s", pause)
			}
			time.Sleep(pause)
		}
		if took := time.Since(before); took < time.Minute || took > time.Minute+longestPause {
			t.Errorf("given up after %s", took)
		}
		var none *Patience
		none.Answered()
		if _, again := none.Outage().Wait(); again || none.Outage().Failed() != 0 {
			t.Error("patience that nobody asked for")
		}
	})
}
