package rest

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeMetrics(rt *Router) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newCollector(a))
	h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{DisableCompression: true, ErrorHandling: promhttp.ContinueOnError})
	rt.Handle("GET", "/_prometheus/metrics", func(r *Request) (*Response, error) {
		c := &captured{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(c, r.HTTP)
		return &Response{Status: c.status, Text: c.body.String(), Headers: map[string]string{"Content-Type": c.header.Get("Content-Type")}}, nil
	})
	rt.Handle("GET", "/_snapshot/_stats", a.repositoryStats)
	rt.Handle("GET", "/_snapshot/{repository}/_stats", a.repositoryStats)
}

// captured takes an answer that another handler writes.
type captured struct {
	header http.Header
	body   bytes.Buffer
	status int
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) WriteHeader(status int)      { c.status = status }
func (c *captured) Write(b []byte) (int, error) { return c.body.Write(b) }

// collector gives the numbers of repositories to Prometheus.
type collector struct {
	api                                      *API
	info, requests, received, sent           *prometheus.Desc
	retries, throttles, errors, time         *prometheus.Desc
	snapshots, restores, deletions, underWay *prometheus.Desc
	cost                                     *prometheus.Desc
}

func newCollector(a *API) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("varve_"+name, help, labels, nil)
	}
	of := func(name, help string, more ...string) *prometheus.Desc {
		return desc("repository_"+name, help, append([]string{"repository", "type"}, more...)...)
	}
	return &collector{
		api:       a,
		info:      desc("info", "The version of this program.", "version"),
		requests:  of("requests_total", "Requests that were sent to the store, every attempt for itself.", "kind"),
		received:  of("received_bytes_total", "Bytes of bodies that the store sent."),
		sent:      of("sent_bytes_total", "Bytes of bodies that were sent to the store."),
		retries:   of("retries_total", "Attempts after the first one of a request."),
		throttles: of("throttles_total", "Answers of the store that ask to slow down."),
		errors:    of("errors_total", "Attempts without an answer, or with one that says error."),
		time:      of("request_seconds_total", "Sum of the times until the store's answers began."),
		snapshots: of("snapshots_total", "Snapshots and clones that ended.", "result"),
		restores:  of("restores_total", "Restores that ended.", "result"),
		deletions: of("deletions_total", "Deletions of snapshots that ended.", "result"),
		underWay:  of("operations", "Operations under way.", "operation"),
		cost:      of("cost_estimate", "What requests and bytes come to by the prices that are set now.", "currency"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.info, c.requests, c.received, c.sent, c.retries, c.throttles, c.errors, c.time, c.snapshots, c.restores, c.deletions, c.underWay, c.cost} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1, c.api.Version)
	for _, st := range c.api.Snapshots.Stats() {
		emit := func(kind prometheus.ValueType, d *prometheus.Desc, v float64, labels ...string) {
			all := append([]string{strings.ToValidUTF8(st.Name, "\uFFFD"), st.Type}, labels...)
			ch <- prometheus.MustNewConstMetric(d, kind, v, all...)
		}
		count := func(d *prometheus.Desc, v int64, labels ...string) {
			emit(prometheus.CounterValue, d, float64(v), labels...)
		}
		q := st.Requests
		for kind, n := range q.Requests {
			count(c.requests, n, kind)
		}
		count(c.received, q.BytesIn)
		count(c.sent, q.BytesOut)
		count(c.retries, q.Retries)
		count(c.throttles, q.Throttles)
		count(c.errors, q.Errors)
		emit(prometheus.CounterValue, c.time, q.Time.Seconds())
		if prices, err := c.api.Snapshots.Prices(st.Name, st.Type); err == nil && prices != nil { // _stats tells what is wrong with them
			emit(prometheus.GaugeValue, c.cost, prices.Estimate(q.Requests, q.BytesIn, q.BytesOut).Total, strings.ToValidUTF8(prices.Currency, "\uFFFD"))
		}
		d := st.Done
		count(c.snapshots, d.Snapshots, "success")
		count(c.snapshots, d.PartialSnapshots, "partial")
		count(c.snapshots, d.FailedSnapshots, "failed")
		count(c.restores, d.Restores, "success")
		count(c.restores, d.PartialRestores, "partial")
		count(c.restores, d.FailedRestores, "failed")
		count(c.deletions, d.Deletions, "success")
		count(c.deletions, d.FailedDeletions, "failed")
		emit(prometheus.GaugeValue, c.underWay, float64(st.Snapshots), "snapshot")
		emit(prometheus.GaugeValue, c.underWay, float64(st.Restores), "restore")
		emit(prometheus.GaugeValue, c.underWay, float64(st.Deletions), "deletion")
	}
}

// repositoryStats answers the same numbers as JSON.
func (a *API) repositoryStats(r *Request) (*Response, error) {
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	chosen, err := a.repositories(r.Names("repository"))
	if err != nil {
		return nil, err
	}
	stats := map[string]snapshot.RepositoryStats{}
	for _, st := range a.Snapshots.Stats() {
		stats[st.Name] = st
	}
	o := &xcontent.Object{}
	for _, rec := range chosen {
		if st, ok := stats[rec.Name]; ok {
			prices, err := a.Snapshots.Prices(rec.Name, rec.Type)
			if err != nil {
				return nil, err
			}
			entry := statsObject(st, human)
			addEstimate(entry, prices, st.Requests.Requests, st.Requests.BytesIn, st.Requests.BytesOut)
			o.Add(rec.Name, entry)
		}
	}
	return OK(xcontent.Obj("node", a.Store.NodeID(), "repositories", o))
}

func statsObject(st snapshot.RepositoryStats, human bool) *xcontent.Object {
	kinds, total := kindsObject(st.Requests.Requests)
	requests := xcontent.Obj("total", total, "by_kind", kinds, "retries", st.Requests.Retries, "throttles", st.Requests.Throttles, "errors", st.Requests.Errors)
	if human {
		requests.Add("time", settings.FormatDuration(st.Requests.Time.Round(time.Millisecond)))
	}
	requests.Add("time_in_millis", st.Requests.Time.Milliseconds())
	o := xcontent.Obj("type", st.Type, "requests", requests)
	addBytes(o, "received", st.Requests.BytesIn, human)
	addBytes(o, "sent", st.Requests.BytesOut, human)
	d := st.Done
	o.Add("snapshots", xcontent.Obj("in_progress", st.Snapshots, "success", d.Snapshots, "partial", d.PartialSnapshots, "failed", d.FailedSnapshots))
	o.Add("restores", xcontent.Obj("in_progress", st.Restores, "success", d.Restores, "partial", d.PartialRestores, "failed", d.FailedRestores))
	return o.Add("deletions", xcontent.Obj("in_progress", st.Deletions, "success", d.Deletions, "failed", d.FailedDeletions))
}
