package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeTasks(rt *Router) {
	rt.Handle("GET", "/_tasks", a.listTasks)
	rt.Handle("GET", "/_tasks/{task_id}", a.getTask)
	rt.Handle("POST", "/_tasks/_cancel", a.cancelTasks)
	rt.Handle("POST", "/_tasks/{task_id}/_cancel", a.cancelTasks)
}

func taskObject(in *task.Info, detailed, human bool) *xcontent.Object {
	o := xcontent.Obj("node", in.ID.Node, "id", in.ID.Number, "type", in.Type, "action", in.Action)
	if in.Status != nil {
		o.Add("status", in.Status)
	}
	if detailed {
		o.Add("description", in.Description)
	}
	if human {
		o.Add("start_time", isoMillis(sinceMillis(in.Started))).Add("running_time", settings.FormatDuration(in.Running))
	}
	o.Add("start_time_in_millis", sinceMillis(in.Started)).Add("running_time_in_nanos", in.Running.Nanoseconds()).Add("cancellable", in.Cancellable).Add("cancelled", in.Cancelled)
	if in.Parent != (task.ID{}) {
		o.Add("parent_task_id", in.Parent.String())
	}
	headers := &xcontent.Object{}
	for _, k := range sortedKeys(in.Headers) {
		headers.Add(k, in.Headers[k])
	}
	o.Add("headers", headers)
	if len(in.Progress) > 0 {
		o.Add("varve_progress", in.Progress)
	}
	return o
}

// taskFilter reads the parameters that choose tasks.
func (a *API) taskFilter(r *Request) (task.Filter, bool, error) {
	f := task.Filter{Actions: r.List("actions")}
	if p := r.Param("parent_task_id"); p != "" {
		id, err := task.ParseID(p)
		if err != nil {
			return f, false, apierr.IllegalArgument("%v", err)
		}
		f.Parent = id
	}
	var nodes []string
	for _, key := range []string{"nodes", "node_id"} {
		nodes = append(nodes, r.List(key)...)
	}
	return f, a.matchesNode(nodes), nil
}

// asTask runs a request as a task, so that lists of tasks show it as OpenSearch's do.
func (a *API) asTask(r *Request, action, description string, work func() (*Response, error)) (resp *Response, err error) {
	t, _, err := a.Tasks.Start(r.Context(), requestSpec(r, action, description, false))
	if err != nil {
		return nil, err
	}
	defer func() { t.Finish(nil, err) }()
	return work()
}

// snapshotTask lets lists of tasks show a request that works on a repository, and the operation that it begins, for as long as that goes
// on. Cancelling the task cancels the operation. A verification, which removes what it writes, is over soon and is not cancelled.
func (a *API) snapshotTask(action string, handle Handler) Handler {
	return func(r *Request) (*Response, error) {
		description := "repository [" + r.Param("repository") + "]"
		if name := r.params["target_snapshot"]; name != "" {
			description = "clone [" + r.params["repository"] + ":" + r.params["snapshot"] + "] to [" + name + "]"
		} else if name := r.params["snapshot"]; name != "" {
			description = "snapshot [" + r.params["repository"] + ":" + name + "]"
		}
		t, ctx, err := a.Tasks.Start(r.Context(), requestSpec(r, action, description, action != verifyAction))
		if err != nil {
			return nil, err
		}
		r.HTTP = r.HTTP.WithContext(ctx)
		resp, err := handle(r)
		goesOn := a.Snapshots.LetGo(t)
		if cancelled := t.Cancelled(); !goesOn && err != nil && cancelled != nil && !apierr.Is(err, "task_cancelled_exception") {
			err = apierr.New(http.StatusBadRequest, "task_cancelled_exception", "%s", cancelled).Because(err)
		}
		if !goesOn {
			t.Finish(nil, err)
		}
		return resp, err
	}
}

const verifyAction = "cluster:admin/repository/verify"

// requestSpec describes the task of a request.
func requestSpec(r *Request, action, description string, cancellable bool) task.Spec {
	spec := task.Spec{Action: action, Description: description, Cancellable: cancellable}
	if id := r.HTTP.Header.Get("X-Opaque-Id"); id != "" {
		spec.Headers = map[string]string{"X-Opaque-Id": id}
	}
	return spec
}

func (a *API) listTasks(r *Request) (*Response, error) {
	return a.asTask(r, "cluster:monitor/tasks/lists", "", func() (*Response, error) { return a.tasksNow(r) })
}

func (a *API) tasksNow(r *Request) (*Response, error) {
	detailed, err := r.Bool("detailed", false)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	wait, err := r.Bool("wait_for_completion", false)
	if err != nil {
		return nil, err
	}
	timeout, err := r.Time("timeout", 30*time.Second)
	if err != nil {
		return nil, err
	}
	group := r.ParamOr("group_by", "nodes")
	f, here, err := a.taskFilter(r)
	if err != nil {
		return nil, err
	}
	var list []task.Info
	if here {
		list = a.Tasks.List(f)
	}
	if wait {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		for _, in := range list {
			if strings.HasPrefix(in.Action, "cluster:monitor/tasks/lists") {
				continue
			}
			if _, err := a.Tasks.Wait(ctx, in.ID); err != nil && !errors.Is(err, task.ErrNotFound) {
				return nil, apierr.New(http.StatusServiceUnavailable, "timeout_exception", "Timed out waiting for completion of task [%s]", in.ID)
			}
		}
	}
	return OK(a.groupTasks(list, group, detailed, human))
}

// groupTasks renders tasks below their nodes, below their parents, or side by side.
func (a *API) groupTasks(list []task.Info, group string, detailed, human bool) *xcontent.Object {
	switch group {
	case "none":
		flat := []any{}
		for i := range list {
			flat = append(flat, taskObject(&list[i], detailed, human))
		}
		return xcontent.Obj("tasks", flat)
	case "parents":
		objects := map[string]*xcontent.Object{}
		for i := range list {
			objects[list[i].ID.String()] = taskObject(&list[i], detailed, human)
		}
		top := &xcontent.Object{}
		for i := range list {
			o := objects[list[i].ID.String()]
			if parent := objects[list[i].Parent.String()]; parent != nil {
				children, _ := parent.Get("children")
				c, _ := children.([]any)
				parent.Set("children", append(c, o))
			} else {
				top.Add(list[i].ID.String(), o)
			}
		}
		return xcontent.Obj("tasks", top)
	}
	nodes := &xcontent.Object{}
	if n := a.view().Node(a.Store.NodeID()); n != nil && len(list) > 0 {
		tasks := &xcontent.Object{}
		for i := range list {
			tasks.Add(list[i].ID.String(), taskObject(&list[i], detailed, human))
		}
		nodes.Add(n.ID, nodeHead(n).Add("tasks", tasks))
	}
	return xcontent.Obj("nodes", nodes)
}

// nodeHead is how lists of nodes begin each node.
func nodeHead(n *state.Node) *xcontent.Object {
	return xcontent.Obj("name", n.Name, "transport_address", n.TransportAddress, "host", n.Host, "ip", n.TransportAddress, "roles", n.Roles, "attributes", n.Attributes)
}

func (a *API) getTask(r *Request) (*Response, error) {
	wait, err := r.Bool("wait_for_completion", false)
	if err != nil {
		return nil, err
	}
	timeout, err := r.Time("timeout", 30*time.Second)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	id, err := task.ParseID(r.Param("task_id"))
	if err != nil {
		return nil, apierr.IllegalArgument("%v", err)
	}
	if a.view().Node(id.Node) == nil {
		return nil, apierr.New(http.StatusNotFound, "resource_not_found_exception", "task [%s] belongs to the node [%s] which isn't part of the cluster and there is no record of the task", id, id.Node)
	}
	in, err := a.Tasks.Get(id)
	if err == nil && wait && !in.Completed {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		if in, err = a.Tasks.Wait(ctx, id); errors.Is(err, context.DeadlineExceeded) {
			return nil, apierr.New(http.StatusServiceUnavailable, "timeout_exception", "Timed out waiting for completion of task [%s]", id)
		}
	}
	if errors.Is(err, task.ErrNotFound) {
		return nil, apierr.New(http.StatusNotFound, "resource_not_found_exception", "task [%s] isn't running and hasn't stored its results", id)
	}
	if err != nil {
		return nil, err
	}
	o := xcontent.Obj("completed", in.Completed, "task", taskObject(&in, true, human))
	if in.Completed {
		if in.Err != nil {
			o.Add("error", errorObject(translate(in.Err)))
		} else if in.Result != nil {
			o.Add("response", in.Result)
		}
	}
	return OK(o)
}

func (a *API) cancelTasks(r *Request) (*Response, error) {
	wait, err := r.Bool("wait_for_completion", false)
	if err != nil {
		return nil, err
	}
	group := r.ParamOr("group_by", "nodes")
	f, here, err := a.taskFilter(r)
	if err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	var done []task.Info
	var taskFailures, nodeFailures []any
	const reason = "by user request"
	if s := r.Param("task_id"); s != "" {
		id, err := task.ParseID(s)
		if err != nil {
			return nil, apierr.IllegalArgument("%v", err)
		}
		err = a.Tasks.Cancel(r.Context(), id, reason)
		if in, gerr := a.Tasks.Get(id); err == nil && gerr == nil {
			done = append(done, in)
		}
		if err != nil {
			nodeFailures = append(nodeFailures, a.cancelFailure(id, err))
		}
	} else if here {
		var refused []task.Refusal
		done, refused = a.Tasks.CancelMatching(r.Context(), f, reason)
		for _, x := range refused {
			err := translate(x.Err)
			taskFailures = append(taskFailures, xcontent.Obj("task_id", x.ID.Number, "node_id", x.ID.Node, "status", statusName(renderError(err).Status), "reason", errorObject(err)))
		}
	}
	for i, in := range done {
		if !wait {
			break
		}
		if ended, err := a.Tasks.Wait(r.Context(), in.ID); err == nil {
			done[i] = ended
		}
	}
	out := &xcontent.Object{}
	if len(taskFailures) > 0 {
		out.Add("task_failures", taskFailures)
	}
	if len(nodeFailures) > 0 {
		out.Add("node_failures", nodeFailures)
	}
	out.Members = append(out.Members, a.groupTasks(done, group, true, false).Members...)
	return OK(out)
}

// cancelFailure says why a task that was named could not be cancelled, in the form of a real node: as the failure of its node.
func (a *API) cancelFailure(id task.ID, err error) *xcontent.Object {
	var cause error
	switch {
	case a.view().Node(id.Node) == nil:
		cause = apierr.New(http.StatusNotFound, "no_such_node_exception", "No such node [%s]", id.Node).With("node_id", id.Node)
	case errors.Is(err, task.ErrNotFound):
		cause = apierr.New(http.StatusNotFound, "resource_not_found_exception", "task [%s] is not found", id)
	case errors.Is(err, task.ErrNotCancellable):
		cause = apierr.IllegalArgument("task [%s] doesn't support cancellation", id)
	default:
		cause = translate(err)
	}
	return xcontent.Obj("type", "failed_node_exception", "reason", "Failed node ["+id.Node+"]", "node_id", id.Node, "caused_by", errorObject(cause))
}
