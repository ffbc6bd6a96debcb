package main

import "context"

// compress makes what is left to make of the site's codings, before a command
// gives the output folder back. A fault costs readers bytes and nothing else.
func (p *publication) compress(ctx context.Context) {
	if err := p.codings.Compress(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn("the site is not compressed as it could be; `threadmill build` tries again", "err", err)
	}
}
