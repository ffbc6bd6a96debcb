package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/search"
)

// BenchmarkSearch looks for words in 1,000 threads of 700 words each.
func BenchmarkSearch(b *testing.B) {
	const threads, words = 1000, 700
	for _, d := range databases() {
		b.Run(d.name, func(b *testing.B) {
			s := d.open(b)
			r := rand.New(rand.NewPCG(1, 2))
			var updates []newsletter.ThreadUpdate
			for i := range threads {
				var text strings.Builder
				for range words {
					fmt.Fprintf(&text, "word%d ", int(3000*r.Float64()*r.Float64()*r.Float64()))
				}
				th := thread(fmt.Sprintf("t%d", i), text.String())
				th.Digest = "1"
				th.Published = time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
				updates = append(updates, newsletter.ThreadUpdate{Thread: th, New: true, Archive: true})
			}
			must(b, update(b, s, at(0), updates...))
			begin := time.Now()
			if n := got(index(s).Update(b.Context()))(b); n != threads {
				b.Fatal(n)
			}
			filled := time.Since(begin)
			for name, query := range map[string]string{"rare": "word2100", "common": "word1", "two": "word7 word900", "phrase": `"word1 word2"`} {
				b.Run(name, func(b *testing.B) {
					terms := search.Parse(query)
					for b.Loop() {
						_, n, err := s.Search(b.Context(), terms, 0, 20)
						must(b, err)
						b.ReportMetric(float64(n), "found")
					}
				})
			}
			b.ReportMetric(threads/filled.Seconds(), "indexed/s")
		})
	}
}
