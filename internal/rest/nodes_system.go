package rest

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/xcontent"
)

// machine is what the operating system tells of itself and of this process. What it does not tell is 0.
type machine struct {
	memTotal, memFree, swapTotal, swapFree int64
	load                                   []float64 // over 1, 5 and 15 minutes
	openFiles, maxFiles                    int64
	virtual, threads                       int64
	cpuTime                                time.Duration // of this process
	uptime                                 time.Duration // of the machine
}

// clockTick is the unit of times in /proc: a hundredth of a second on every Linux of today.
const clockTick = 10 * time.Millisecond

func readMachine() *machine {
	m := &machine{}
	kb := map[string]*int64{"MemTotal": &m.memTotal, "MemAvailable": &m.memFree, "SwapTotal": &m.swapTotal, "SwapFree": &m.swapFree}
	for line := range strings.Lines(procFile("meminfo")) {
		name, rest, _ := strings.Cut(line, ":")
		if p := kb[name]; p != nil {
			*p = 1024 * parseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	for i, f := range strings.Fields(procFile("loadavg")) {
		if v, err := strconv.ParseFloat(f, 64); err == nil && i < 3 {
			m.load = append(m.load, v)
		}
	}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		m.openFiles = int64(len(files))
	}
	for line := range strings.Lines(procFile("self/limits")) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				m.maxFiles = parseInt(f[0])
			}
		}
	}
	// The second field is the program's name in brackets; what follows is counted from there.
	if _, rest, ok := strings.Cut(procFile("self/stat"), ") "); ok {
		if f := strings.Fields(rest); len(f) > 20 {
			m.cpuTime = time.Duration(parseInt(f[11])+parseInt(f[12])) * clockTick
			m.threads = parseInt(f[17])
			m.virtual = parseInt(f[20])
		}
	}
	if f := strings.Fields(procFile("uptime")); len(f) > 0 {
		if v, err := strconv.ParseFloat(f[0], 64); err == nil {
			m.uptime = time.Duration(v * float64(time.Second))
		}
	}
	return m
}

func procFile(name string) string {
	b, err := os.ReadFile(filepath.Join("/proc", name))
	if err != nil {
		return "" // another system than Linux
	}
	return string(b)
}

func parseInt(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// percentage is part of whole in whole percent.
func percentage(part, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return (100*part + whole/2) / whole
}

// prettyOS is the name of the system's distribution.
func prettyOS() string {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return runtime.GOOS
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(v, `"`)
		}
	}
	return runtime.GOOS
}

func osName() string { return strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:] }

func (m *machine) memObject() *xcontent.Object {
	used := m.memTotal - m.memFree
	return xcontent.Obj("total_in_bytes", m.memTotal, "free_in_bytes", m.memFree, "used_in_bytes", used,
		"free_percent", percentage(m.memFree, m.memTotal), "used_percent", percentage(used, m.memTotal))
}

func (m *machine) osStats() *xcontent.Object {
	o := xcontent.Obj("timestamp", time.Now().UnixMilli())
	cpu := xcontent.Obj("percent", m.cpuPercent())
	if len(m.load) == 3 {
		cpu.Add("load_average", xcontent.Obj("1m", m.load[0], "5m", m.load[1], "15m", m.load[2]))
	}
	return o.Add("cpu", cpu).Add("mem", m.memObject()).
		Add("swap", xcontent.Obj("total_in_bytes", m.swapTotal, "free_in_bytes", m.swapFree, "used_in_bytes", m.swapTotal-m.swapFree))
}

// cpuPercent estimates how busy the processors are from the load of the last minute.
func (m *machine) cpuPercent() int64 {
	if len(m.load) == 0 {
		return -1
	}
	return min(100, int64(100*m.load[0]/float64(runtime.NumCPU())))
}

func (m *machine) processStats(started time.Time) *xcontent.Object {
	busy := int64(0)
	if up := time.Since(started); up > 0 {
		busy = int64(100 * m.cpuTime.Seconds() / up.Seconds() / float64(runtime.NumCPU()))
	}
	return xcontent.Obj("timestamp", time.Now().UnixMilli(), "open_file_descriptors", m.openFiles, "max_file_descriptors", m.maxFiles,
		"cpu", xcontent.Obj("percent", min(100, busy), "total_in_millis", m.cpuTime.Milliseconds()), "mem", xcontent.Obj("total_virtual_in_bytes", m.virtual))
}

// heap is the Go runtime's memory: what stands where OpenSearch speaks of its JVM.
type heap struct {
	used, committed, max, offHeap int64
	collections                   int64
	paused                        time.Duration
}

func readHeap(m *machine) heap {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	h := heap{used: int64(s.HeapAlloc), committed: int64(s.HeapSys), max: m.memTotal, offHeap: int64(s.Sys - s.HeapSys), collections: int64(s.NumGC), paused: time.Duration(s.PauseTotalNs)}
	if h.max < h.committed {
		h.max = h.committed
	}
	return h
}

func (m *machine) jvmStats(started time.Time) *xcontent.Object {
	h := readHeap(m)
	mem := xcontent.Obj("heap_used_in_bytes", h.used, "heap_used_percent", percentage(h.used, h.max), "heap_committed_in_bytes", h.committed, "heap_max_in_bytes", h.max,
		"non_heap_used_in_bytes", h.offHeap, "non_heap_committed_in_bytes", h.offHeap, "pools", xcontent.Obj())
	none := xcontent.Obj("count", 0, "used_in_bytes", 0, "total_capacity_in_bytes", 0)
	return xcontent.Obj("timestamp", time.Now().UnixMilli(), "uptime_in_millis", time.Since(started).Milliseconds(), "mem", mem,
		"threads", xcontent.Obj("count", m.threads, "peak_count", m.threads),
		"gc", xcontent.Obj("collectors", xcontent.Obj("go", xcontent.Obj("collection_count", h.collections, "collection_time_in_millis", h.paused.Milliseconds()))),
		"buffer_pools", xcontent.Obj("mapped", none, "direct", none))
}

// processID is this process's.
var processID = os.Getpid()
