package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"threadmill/internal/newsletter"
)

// BenchmarkJournal is a step of the journal on its own and in commits for 16
// connections: an end and a mark for each.
func BenchmarkJournal(b *testing.B) {
	for _, d := range databases() {
		for _, waiting := range []int{1, 10, 30} {
			b.Run(fmt.Sprintf("%s/waiting=%d", d.name, waiting), func(b *testing.B) {
				s := d.open(b)
				const people = 20_000
				addPeople(b, s, people)
				var list []newsletter.Delivery
				number := int64(0)
				entries := make([]newsletter.JournalEntry, waiting)
				for b.Loop() {
					if len(list) < waiting {
						b.StopTimer()
						number++
						got(s.Publish(b.Context(), issueOf(number), nil, snap, people))(b)
						must(b, s.SiteWritten(b.Context(), []int64{number}))
						list = got(s.TakeBatch(b.Context(), newsletter.Batch{ID: number, Issue: number}))(b)
						clear(entries)
						b.StartTimer()
					}
					for i := range entries {
						last := entries[i].Next
						entries[i] = newsletter.JournalEntry{Next: list[i].ID, At: at(10)}
						if last != 0 {
							entries[i].Ended = ended(last, newsletter.DeliverySent)
						}
					}
					list = list[waiting:]
					for i, goes := range got(s.Journal(b.Context(), entries))(b) {
						if !goes {
							b.Fatalf("delivery %d may not go", entries[i].Next)
						}
					}
				}
				b.ReportMetric(float64(b.N*waiting)/b.Elapsed().Seconds(), "messages/s")
			})
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	const people = 100_000
	for _, d := range databases() {
		b.Run(fmt.Sprintf("%s/subscribers=%d", d.name, people), func(b *testing.B) {
			s := d.open(b)
			addPeople(b, s, people)
			number := int64(0)
			for b.Loop() {
				number++
				if n := got(s.Publish(b.Context(), issueOf(number), nil, snap, 500))(b); n != people {
					b.Fatalf("%d recipients", n)
				}
			}
		})
	}
}

func BenchmarkAddSubscribers(b *testing.B) {
	const chunk = 500
	for _, d := range databases() {
		b.Run(d.name, func(b *testing.B) {
			s := d.open(b)
			list := make([]newsletter.Subscriber, chunk)
			n := 0
			for b.Loop() {
				for i := range list {
					n++
					list[i] = person(fmt.Sprint("s", n))
				}
				got(s.AddSubscribers(b.Context(), list))(b)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "subscribers/s")
		})
	}
}

// BenchmarkWriteBeside is a write of one row by another process while mail goes
// out at full speed; it tells the longest wait, too.
func BenchmarkWriteBeside(b *testing.B) {
	path := filepath.Join(b.TempDir(), "threadmill.db")
	sender, other := open(b, path), open(b, path)
	publish(b, sender, 1000, 1000)
	list := pending(b, sender)
	ctx, stop := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	for from := range 4 { // connections
		wg.Go(func() {
			e := newsletter.JournalEntry{At: at(10)}
			for i := from; ctx.Err() == nil; i += 4 {
				if e.Next != 0 {
					e.Ended = ended(e.Next, newsletter.DeliveryPending)
				}
				e.Next = list[i%len(list)].ID
				if _, err := sender.Journal(ctx, []newsletter.JournalEntry{e}); err != nil && ctx.Err() == nil {
					b.Error(err)
				}
			}
		})
	}
	var worst time.Duration
	for b.Loop() {
		start := time.Now()
		must(b, other.Warn(b.Context(), "test", "text"))
		worst = max(worst, time.Since(start))
	}
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
	stop()
	wg.Wait()
}
