package servertest

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/varve-search/varve/internal/keystore"
	"github.com/varve-search/varve/internal/oracletest"
)

// S3Secrets makes a key store with the credentials of a store, and returns the setting that names it.
func S3Secrets(t testing.TB, srv *oracletest.S3) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), keystore.FileName)
	ks, err := keystore.Create(file, "")
	if err == nil {
		err = errors.Join(ks.Set("s3.client.default.access_key", srv.AccessKey), ks.Set("s3.client.default.secret_key", srv.SecretKey), ks.Save(""))
	}
	if err != nil {
		t.Fatal(err)
	}
	return "keystore.path=" + file
}
