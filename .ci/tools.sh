# Linters at fixed versions, built by Go into a folder of their own.
tools_dir=${VARVE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/varve-tools}
golangci_version=v2.15.0
govulncheck_version=v1.1.4

tool() {
  case "$1" in
    golangci-lint)
      local bin="$tools_dir/golangci-lint-$golangci_version"
      if [ ! -x "$bin/golangci-lint" ]; then
        GOBIN="$bin" GOFLAGS= go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci_version" >&2
      fi
      echo "$bin/golangci-lint";;
    govulncheck)
      local bin="$tools_dir/govulncheck-$govulncheck_version"
      if [ ! -x "$bin/govulncheck" ]; then
        GOBIN="$bin" GOFLAGS= go install "golang.org/x/vuln/cmd/govulncheck@$govulncheck_version" >&2
      fi
      echo "$bin/govulncheck";;
    *) echo "unknown tool $1" >&2; return 1;;
  esac
}
