package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"threadmill/internal/feed"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/websub"
)

const (
	// hubsLimit bounds how long a command that ends waits for the hubs; what is
	// not told then, the next one tells.
	hubsLimit = 15 * time.Second
	// livePatience is how long the hubs wait for the sites of other nodes, and
	// liveLook how often those are looked at.
	livePatience = 10 * time.Second
	liveLook     = 500 * time.Millisecond
)

// pinger tells the hubs of feeds that changed; nil where there are none.
func (p *publication) pinger() *websub.Pinger {
	if len(p.Feeds.Hub) == 0 {
		return nil
	}
	o := websub.Options{Store: p.store, Hubs: p.Feeds.Hub, Topics: p.topics, UserAgent: "Threadmill/" + version, Log: p.log}
	if p.store.Shared() {
		o.Live = p.waitForSites
	}
	return websub.New(o)
}

// topics are the feeds of all threads, as they stand in the output folder.
func (p *publication) topics(context.Context) ([]websub.Topic, error) {
	var list []websub.Topic
	for _, name := range []string{feed.RSSPath, feed.AtomPath, feed.JSONPath} {
		digest, err := fileDigest(filepath.Join(p.Path(p.Output), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the site is not written yet
		}
		if err != nil {
			return nil, err
		}
		list = append(list, websub.Topic{URL: p.facts.Link(name), Digest: digest})
	}
	return list, nil
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// waitForSites waits until the sites of all nodes show what the database holds:
// a hub may ask any of them.
func (p *publication) waitForSites(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, livePatience)
	defer cancel()
	tick := time.NewTicker(liveLook)
	defer tick.Stop()
	for {
		sites, err := p.store.Sites(ctx)
		if err != nil || !slices.ContainsFunc(sites, func(s store.SiteInfo) bool { return !s.Newest }) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tellHubs does once what the daemon does all the time.
func (p *publication) tellHubs(ctx context.Context) {
	pinger := p.pinger()
	if pinger == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hubsLimit)
	defer cancel()
	if err := pinger.Once(ctx); err != nil && ctx.Err() == nil {
		p.log.Error("look for feeds to tell the hubs of", "err", err)
	}
}

// refusingHubs are those that did not take of late that a feed changed.
func (p *publication) refusingHubs(ctx context.Context) ([]newsletter.Hub, error) {
	list, err := p.store.Hubs(ctx)
	return slices.DeleteFunc(list, func(h newsletter.Hub) bool { return h.Failure == "" || !slices.Contains(p.Feeds.Hub, h.URL) }), err
}

// printHubs tells which hubs refuse, why, and when they are tried again.
func printHubs(w io.Writer, list []newsletter.Hub, zone *time.Location) {
	for _, h := range list {
		fmt.Fprintf(w, "Hub\t%s refuses since %s: %s; it is tried again on %s\n", h.URL, longTime(h.Since, zone), h.Failure, longTime(h.NextAt, zone))
	}
}
