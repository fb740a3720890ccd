package rest

import (
	"log/slog"
	"time"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
)

// Services are what the handlers call.
type Services struct {
	Node      *cluster.Node
	Store     *state.Store
	Snapshots *snapshot.Service
	Docs      *coordinator.Service
	Tasks     *task.Registry
	Settings  settings.Settings // of this node
	Version   string            // of this program, beside the version of OpenSearch that it speaks
	Started   time.Time
	Log       *slog.Logger
}

// API is the handlers over their services.
type API struct{ Services }

// NewRouter returns a router with all handlers.
func NewRouter(s Services) *Router {
	a := &API{s}
	rt := &Router{}
	a.routeSnapshots(rt)
	a.routeShared(rt)
	a.routeIntegrity(rt)
	a.routeAnalysis(rt)
	a.routeMetrics(rt)
	a.routeCosts(rt)
	a.routeDocuments(rt)
	a.routeSearch(rt)
	a.routeIndices(rt)
	a.routeDataStreams(rt)
	a.routeRollover(rt)
	a.routeIndexSettings(rt)
	a.routeMappings(rt)
	a.routeAliases(rt)
	a.routeStats(rt)
	a.routeInfo(rt)
	a.routeHealth(rt)
	a.routeClusterSettings(rt)
	a.routeClusterState(rt)
	a.routeClusterStats(rt)
	a.routeNodes(rt)
	a.routeTasks(rt)
	a.routeRecovery(rt)
	a.routeTemplates(rt)
	a.routeAnalyze(rt)
	a.routeIngest(rt)
	a.routeScripts(rt)
	a.routeSearchTemplates(rt)
	a.routeResolve(rt)
	a.routeCat(rt)
	return rt
}

// view is the cluster state now.
func (a *API) view() *state.View { return a.Store.View() }
