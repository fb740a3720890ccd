module github.com/varve-search/varve/test/clients/go

go 1.26

require github.com/opensearch-project/opensearch-go/v4 v4.5.0
