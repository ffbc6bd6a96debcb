package deliver

import (
	"testing"
	"time"
)

// BenchmarkDrain sends an issue to a thousand people over ten connections.
func BenchmarkDrain(b *testing.B) {
	const people = 1000
	r := &relay{}
	r.start(b)
	s := openStore(b)
	subscribe(b, s, people)
	o := options(s, r.transport())
	o.Connections = 10
	for b.Loop() {
		publishIssue(b, s, 500)
		if err := New(o).Drain(b.Context(), time.Minute); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(r.received()))/b.Elapsed().Seconds(), "messages/s")
}
