package rest

import (
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// The version of OpenSearch whose API and formats this server speaks.
const (
	speaksVersion   = "2.19.0"
	speaksBuildHash = "varve" // stands where OpenSearch names its commit
)

func (a *API) routeInfo(rt *Router) {
	rt.Handle("GET", "/", a.info)
	rt.Handle("HEAD", "/", func(*Request) (*Response, error) { return Exists(true) })
}

func (a *API) nodeName() string {
	if n := a.view().Node(a.Store.NodeID()); n != nil {
		return n.Name
	}
	return a.Settings.GetOr("node.name", "")
}

func (a *API) info(*Request) (*Response, error) {
	number := speaksVersion
	if a.Node.ClusterSetting("compatibility.override_main_response_version") == "true" {
		number = "7.10.2"
	}
	version := xcontent.Obj("distribution", "opensearch", "number", number, "build_type", "tar", "build_hash", speaksBuildHash, "build_date", a.Started.UTC().Format("2006-01-02T15:04:05.000000Z"),
		"build_snapshot", false, "lucene_version", lucene.Written.String(), "minimum_wire_compatibility_version", "7.10.0", "minimum_index_compatibility_version", "7.0.0")
	return OK(xcontent.Obj("name", a.nodeName(), "cluster_name", a.clusterName(), "cluster_uuid", a.clusterUUID(), "version", version,
		"tagline", "The OpenSearch Project: https://opensearch.org/", "varve", xcontent.Obj("version", a.Version)))
}
