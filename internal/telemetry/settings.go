package telemetry

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/varve-search/varve/internal/settings"
)

// The settings, by the names of OpenSearch's telemetry feature; the endpoint is our own.
const (
	EnabledSetting     = "telemetry.tracer.enabled"
	ProbabilitySetting = "telemetry.tracer.sampler.probability"
	EndpointSetting    = "telemetry.otel.tracer.exporter.endpoint"
	queueSetting       = "telemetry.otel.tracer.exporter.max_queue_size"
	batchSetting       = "telemetry.otel.tracer.exporter.batch_size"
	delaySetting       = "telemetry.otel.tracer.exporter.delay"
)

func init() {
	for _, s := range []settings.Setting{
		{Key: EnabledSetting, Type: "bool", Default: "false", Dynamic: true},
		{Key: ProbabilitySetting, Type: "double", Min: "0", Max: "1", Default: "0.01", Dynamic: true},
		{Key: "telemetry.feature.tracer.enabled", Type: "bool", Default: "false", Final: true},
		{Key: EndpointSetting, Type: "string"},
		{Key: queueSetting, Type: "int", Min: "1", Default: "2048"},
		{Key: batchSetting, Type: "int", Min: "1", Default: "512"},
		{Key: delaySetting, Type: "time", Min: "1ms", Default: "2s"},
	} {
		settings.Cluster.Register(s)
	}
}

// Change is what may be set while the server runs.
type Change struct {
	Enabled bool
	// Probability is the share of requests that are traced, from 0 to 1, of those whose caller has not decided it.
	Probability float64
}

// ChangeOf reads it from settings.
func ChangeOf(s settings.Settings) (Change, error) {
	var c Change
	var err error
	if c.Enabled, err = s.Bool(EnabledSetting, false); err != nil {
		return c, err
	}
	c.Probability, err = s.Float(ProbabilitySetting, 0.01)
	if err == nil && (c.Probability < 0 || c.Probability > 1) {
		err = fmt.Errorf("the setting [%s] must be from 0 to 1", ProbabilitySetting)
	}
	return c, err
}

// endpointOf returns the URL that spans are sent to; "" leaves it to the environment (OTEL_EXPORTER_OTLP_ENDPOINT …).
func endpointOf(s settings.Settings) (string, error) {
	text := s.GetOr(EndpointSetting, "")
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("the setting [%s] is no URL such as http://localhost:4318 (secrets go into OTEL_EXPORTER_OTLP_HEADERS)", EndpointSetting)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}
