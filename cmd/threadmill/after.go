package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	"threadmill/internal/search"
	"threadmill/internal/thread"
)

// afterSite does what follows when the site was written, beside all else and
// once for the publication, until ctx is done. Its result says that the site
// was.
func (p *publication) afterSite(ctx context.Context, group *errgroup.Group) func() {
	var wakes []chan struct{}
	begin := func(run func(context.Context, <-chan struct{})) {
		wake := make(chan struct{}, 1)
		wakes = append(wakes, wake)
		group.Go(func() error { run(ctx, wake); return nil })
	}
	if p.Web.Listen != "" { // this node or another one answers searches
		begin(p.index().Run)
	}
	if pinger := p.pinger(); pinger != nil {
		begin(pinger.Run)
	}
	return func() {
		for _, wake := range wakes {
			askFor(wake) // unless it is awake, or about to be
		}
	}
}

// index is what the search finds.
func (p *publication) index() search.Index {
	return search.Index{Store: p.store, Parse: p.reader.Parse, Plain: thread.Plain, Log: p.log}
}
