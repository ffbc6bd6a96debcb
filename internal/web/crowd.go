package web

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// maxConnections is how many connections may be open at a time, each at about
// 20 kB. Who comes beyond that takes the place of the one that has waited
// longest for a request to be complete, so that connections which only wait
// shut nobody out.
const maxConnections = 2048

// crowd bounds the connections of a server. There is no bound for each
// address: behind a proxy, or one exit of a provider, many share one.
type crowd struct {
	most int

	mu    sync.Mutex
	conns map[net.Conn]*list.Element
	order list.List // of *visitor, the one that waits longest first
}

type visitor struct {
	conn    net.Conn
	waiting bool // for a request, or the rest of its header
}

func newCrowd(most int) *crowd {
	return &crowd{most: most, conns: make(map[net.Conn]*list.Element)}
}

// state is the ConnState of an http.Server.
func (c *crowd) state(conn net.Conn, state http.ConnState) {
	if full := c.note(conn, state); full != nil {
		_ = full.Close() // it may be closed already
	}
}

// note keeps the books and returns the connection that is one too many.
func (c *crowd) note(conn net.Conn, state http.ConnState) (full net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.conns[conn]
	switch state {
	case http.StateNew:
		c.conns[conn] = c.order.PushBack(&visitor{conn, true})
		if len(c.conns) > c.most {
			return c.longest(conn)
		}
	case http.StateActive:
		if e != nil {
			e.Value.(*visitor).waiting = false
		}
	case http.StateIdle:
		if e != nil {
			e.Value.(*visitor).waiting = true
			c.order.MoveToBack(e)
		}
	case http.StateClosed, http.StateHijacked:
		if e != nil {
			c.order.Remove(e)
			delete(c.conns, conn)
		}
	}
	return nil
}

// longest returns the connection that waits longest and forgets it; newest,
// where all others are being answered.
func (c *crowd) longest(newest net.Conn) net.Conn {
	for e := c.order.Front(); e != nil; e = e.Next() {
		if v := e.Value.(*visitor); v.waiting {
			c.order.Remove(e)
			delete(c.conns, v.conn)
			return v.conn
		}
	}
	return newest
}
