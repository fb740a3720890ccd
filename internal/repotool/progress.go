package repotool

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/varve-search/varve/internal/settings"
)

// Progress shows how far one piece of work has come: on a terminal as a bar with rate and time left, elsewhere
// as a line now and then. A nil Progress shows nothing. It is safe for concurrent use.
type Progress struct {
	out      io.Writer
	terminal bool

	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	what  string
	done  int64
	total int64
	bytes bool
	began time.Time
	told  time.Time
}

// tellEvery is how often a line is written where there is no terminal.
const tellEvery = 30 * time.Second

// NewProgress returns a Progress that writes to out, usually standard error.
func NewProgress(out io.Writer, terminal bool) *Progress {
	return &Progress{out: out, terminal: terminal}
}

// start begins a piece of work of so many steps, or bytes; a total of 0 is not known.
func (p *Progress) start(what string, total int64, bytes bool) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.done, p.total, p.bytes = what, 0, total, bytes
	p.began = time.Now()
	p.told = p.began
	if !p.terminal {
		return
	}
	shown := total
	if total <= 0 {
		shown = -1
	}
	p.bar = progressbar.NewOptions64(shown, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes), progressbar.OptionShowCount(), progressbar.OptionSetWidth(24), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true))
}

// add counts n more steps or bytes.
func (p *Progress) add(n int64) {
	if p == nil || n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.bar != nil {
		_ = p.bar.Add64(n) // it only draws
		return
	}
	if !p.terminal && time.Since(p.told) >= tellEvery {
		p.told = time.Now()
		fmt.Fprintf(p.out, "%s: %s\n", p.what, p.line())
	}
}

// line describes the state without a bar.
func (p *Progress) line() string {
	show := func(n int64) string { return fmt.Sprint(n) }
	if p.bytes {
		show = settings.FormatBytes
	}
	elapsed := time.Since(p.began)
	rate := int64(float64(p.done) / max(elapsed.Seconds(), 0.001))
	s := show(p.done)
	if p.total > 0 {
		s += " of " + show(p.total)
	}
	s += ", " + show(rate) + " a second"
	if p.total > p.done && rate > 0 {
		s += ", " + (time.Duration((p.total-p.done)/rate) * time.Second).String() + " left"
	}
	return s
}

// clear makes room for a line on the terminal; the bar comes back with the next step.
func (p *Progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear() // it only draws
	}
}

// end takes the bar away.
func (p *Progress) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
		p.bar = nil
	}
}

// followEvery is how often a count that others keep is looked at.
const followEvery = 200 * time.Millisecond

// follow shows a count that grows elsewhere, until the function that it returns is called.
func follow(p *Progress, now func() int64) (stop func()) {
	if p == nil {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		seen := int64(0)
		for {
			select {
			case <-quit:
				return
			case <-time.After(followEvery):
				n := now()
				p.add(n - seen)
				seen = n
			}
		}
	}()
	return func() {
		close(quit)
		<-done
		p.end()
	}
}
