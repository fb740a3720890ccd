package snapshot

import (
	"math"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
)

// pricePrefix begins the settings of prices: repositories.prices.<repository or type>.<price>.
const (
	pricePrefix     = "repositories.prices."
	currencySetting = pricePrefix + "currency"
)

// Classes of requests, as stores bill them.
const (
	ClassPut    = "put"
	ClassGet    = "get"
	ClassList   = "list"
	ClassDelete = "delete"
)

// Classes lists all classes.
var Classes = []string{ClassPut, ClassGet, ClassList, ClassDelete}

// perGB is how many bytes stores count as a gigabyte.
const perGB = 1 << 30

const (
	egressPrice  = "egress_per_gb"
	ingressPrice = "ingress_per_gb"
)

func init() {
	settings.Cluster.Register(settings.Setting{Key: currencySetting, Type: "string", Dynamic: true})
	names := []string{egressPrice, ingressPrice}
	for _, c := range Classes {
		names = append(names, c+"_per_1000")
	}
	for _, n := range names {
		settings.Cluster.Register(settings.Setting{Key: pricePrefix + "*." + n, Type: "double", Min: "0", Dynamic: true})
	}
}

// ClassOf returns the class of a kind of request, by the names that the stores' own interfaces have for it.
func ClassOf(kind string) string {
	switch {
	case strings.HasPrefix(kind, "List"), kind == "list", kind == "children":
		return ClassList
	case strings.HasPrefix(kind, "Delete"), strings.HasPrefix(kind, "Abort"), kind == "delete", kind == "delete_tree":
		return ClassDelete
	case strings.HasPrefix(kind, "Put"), strings.HasPrefix(kind, "Upload"), strings.HasPrefix(kind, "Copy"), strings.HasPrefix(kind, "Create"),
		strings.HasPrefix(kind, "Initiate"), strings.HasPrefix(kind, "Complete"), kind == "put":
		return ClassPut
	}
	return ClassGet
}

// Prices are what a store bills, in whatever currency the operator means: for a thousand requests of each class, and for a gigabyte
// (2^30 bytes) that it sends and receives.
type Prices struct {
	Currency        string
	Per1000         map[string]float64
	Egress, Ingress float64
}

// Prices returns the prices of a repository: its own before those of its type. It is nil where none is set.
func (s *Service) Prices(name, typ string) (*Prices, error) {
	p := &Prices{Currency: s.node.ClusterSetting(currencySetting), Per1000: map[string]float64{}}
	found := false
	var failed error
	price := func(what string) float64 {
		for _, scope := range []string{name, typ} {
			key := pricePrefix + scope + "." + what
			text := s.node.ClusterSetting(key)
			if text == "" {
				continue
			}
			found = true
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || n < 0 || math.IsNaN(n) || math.IsInf(n, 0) {
				failed = apierr.IllegalArgument("the setting [%s] is [%s], which is no price", key, text)
			}
			return n
		}
		return 0
	}
	for _, c := range Classes {
		p.Per1000[c] = price(c + "_per_1000")
	}
	p.Egress, p.Ingress = price(egressPrice), price(ingressPrice)
	if failed != nil || !found {
		return nil, failed
	}
	return p, nil
}

// Estimate is what requests and bytes come to.
type Estimate struct {
	ByClass                map[string]float64
	Egress, Ingress, Total float64
}

// Estimate applies the prices.
func (p *Prices) Estimate(requests map[string]int64, bytesIn, bytesOut int64) Estimate {
	e := Estimate{ByClass: map[string]float64{}, Egress: p.Egress * float64(bytesIn) / perGB, Ingress: p.Ingress * float64(bytesOut) / perGB}
	for kind, n := range requests {
		c := ClassOf(kind)
		e.ByClass[c] += p.Per1000[c] * float64(n) / 1000
	}
	e.Total = e.Egress + e.Ingress
	for _, c := range Classes {
		e.Total += e.ByClass[c]
	}
	return e
}
