package rest

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestStreamList sends long lists as they come about: a fault in the midst breaks the answer off, one at the begin is answered as an error.
func TestStreamList(t *testing.T) {
	s := &Server{log: slog.New(slog.DiscardHandler)}
	list := func(n, failAt int) *httptest.Server {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
			req := &Request{HTTP: hr, used: map[string]bool{}}
			resp, err := streamList(req, "numbers", n, n, func(i int) (any, error) {
				if i == failAt {
					return nil, errors.New("cannot be read")
				}
				return i, nil
			})
			if err != nil {
				resp = renderError(err)
			}
			s.write(w, req, resp)
		}))
		t.Cleanup(srv.Close)
		return srv
	}
	for _, c := range []struct {
		n, failAt, status int
		whole, ends       bool
	}{
		{0, -1, 200, true, true}, {3, -1, 200, true, true}, {3, 2, 500, true, true},
		{1000, -1, 200, false, true}, {1000, 0, 500, true, true}, {100_000, 99_000, 200, false, false},
	} {
		resp, err := http.Get(list(c.n, c.failAt).URL)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || (resp.ContentLength >= 0) != c.whole || (err == nil) != c.ends {
			t.Errorf("%+v: status %d, length %d, %v", c, resp.StatusCode, resp.ContentLength, err)
		}
		var got struct{ Numbers []int }
		if c.status == 200 && c.ends {
			if err := json.Unmarshal(b, &got); err != nil || len(got.Numbers) != c.n || c.n > 0 && got.Numbers[c.n-1] != c.n-1 {
				t.Errorf("%+v: %d numbers, %v", c, len(got.Numbers), err)
			}
		}
	}
}
