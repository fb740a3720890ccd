package snapshot

import (
	"math"
	"testing"
)

func TestPrices(t *testing.T) {
	for kind, want := range map[string]string{
		"PutObject": ClassPut, "UploadPart": ClassPut, "CreateMultipartUpload": ClassPut, "InitiateMultipartUpload": ClassPut, "CompleteMultipartUpload": ClassPut, "put": ClassPut,
		"ListObjectsV2": ClassList, "ListMultipartUploads": ClassList, "list": ClassList, "children": ClassList,
		"DeleteObjects": ClassDelete, "DeleteMultipleObjects": ClassDelete, "AbortMultipartUpload": ClassDelete, "delete_tree": ClassDelete,
		"GetObject": ClassGet, "HeadObject": ClassGet, "HeadBucket": ClassGet, "get_range": ClassGet, "stat": ClassGet, "GET": ClassGet,
	} {
		if got := ClassOf(kind); got != want {
			t.Errorf("%s is %s", kind, got)
		}
	}
	p := &Prices{Per1000: map[string]float64{ClassPut: 0.005, ClassGet: 0.0004, ClassList: 0.005}, Egress: 0.09}
	e := p.Estimate(map[string]int64{"PutObject": 2000, "UploadPart": 1000, "GetObject": 500, "ListObjectsV2": 10, "DeleteObjects": 7}, 1<<29, 1<<40)
	if want := 0.015 + 0.0002 + 0.00005 + 0.045; math.Abs(e.Total-want) > 1e-12 || e.ByClass[ClassDelete] != 0 || e.Ingress != 0 {
		t.Errorf("%+v, want %v", e, want)
	}
}
