package interop

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// gate is a way to a server that can be shut: connections are broken and refused, or nothing moves on them any more.
type gate struct {
	t      *testing.T
	addr   string
	target string

	mu     sync.Mutex
	listen net.Listener
	conns  map[net.Conn]bool
	still  chan struct{} // closed once bytes may move again
	work   sync.WaitGroup
}

// openGate makes a way to the server at a URL.
func openGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{t: t, addr: "127.0.0.1:0", target: strings.TrimPrefix(target, "http://"), conns: map[net.Conn]bool{}}
	g.open()
	t.Cleanup(func() {
		g.refuse()
		g.move()
		g.work.Wait()
	})
	return g
}

func (g *gate) url() string { return "http://" + g.addr }

// open lets connections in (again, at the same address).
func (g *gate) open() {
	l, err := net.Listen("tcp", g.addr)
	if err != nil {
		g.t.Error(err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listen, g.addr = l, l.Addr().String()
	g.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.work.Go(func() { g.serve(c) })
		}
	})
}

// refuse breaks all connections and lets none in.
func (g *gate) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listen.Close()
	for c := range g.conns {
		c.Close()
	}
}

// silence lets connections in on which nothing moves, until move is called.
func (g *gate) silence() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.still = make(chan struct{})
}

func (g *gate) move() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.still != nil {
		close(g.still)
		g.still = nil
	}
}

// pass waits until bytes may move.
func (g *gate) pass() {
	g.mu.Lock()
	still := g.still
	g.mu.Unlock()
	if still != nil {
		<-still
	}
}

func (g *gate) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer s.Close()
	g.mu.Lock()
	g.conns[c], g.conns[s] = true, true
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.conns, c)
		delete(g.conns, s)
	}()
	g.work.Go(func() { g.copy(s, c) })
	g.copy(c, s)
}

// copy moves bytes until one side ends, and ends the other.
func (g *gate) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		g.pass()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
