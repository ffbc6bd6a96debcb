package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"threadmill/internal/newsletter"
)

// Options are what Metrics are made of.
type Options struct {
	Version string // of the program
	// Read returns the figures as they are.
	Read func(context.Context) (newsletter.Figures, error)
	Log  *slog.Logger
}

// Metrics count requests and show figures. They are for several goroutines.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	known    sync.Map // *series by outcome: looking up labels costs more than serving a page
}

// New returns Metrics that have seen no request.
func New(o Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "threadmill_http_requests_total", Help: "Requests by route and status.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "threadmill_http_request_duration_seconds", Help: "How long requests took by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "threadmill_build_info", Help: "Always 1, with the version of the program.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(o.Version, runtime.Version()).Set(1)
	m.registry.MustRegister(
		build, m.requests, m.duration, newFigures(o),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Handler shows them to whoever asks.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, EnableOpenMetrics: true})
}

// outcome is what requests are counted by.
type outcome struct {
	pattern string
	status  int
}

// series are where an outcome is counted.
type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// Observe counts a request: the pattern of the route that took it, as of
// http.ServeMux, empty for none, and the status of the answer.
func (m *Metrics) Observe(pattern string, status int, took time.Duration) {
	key := outcome{pattern, status}
	found, ok := m.known.Load(key)
	if !ok {
		route := routeOf(pattern)
		found, _ = m.known.LoadOrStore(key, &series{
			m.requests.WithLabelValues(route, strconv.Itoa(status)),
			m.duration.WithLabelValues(route),
		})
	}
	s := found.(*series)
	s.requests.Inc()
	s.duration.Observe(took.Seconds())
}

// routeOf is the path of a pattern.
func routeOf(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return pattern[i:]
	}
	return "none"
}
