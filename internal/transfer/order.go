package transfer

import (
	"cmp"
	"path"
	"slices"

	"github.com/varve-search/varve/repository"
)

// ranks say how early an index that opens while its files arrive wants a file: what is read at the opening of a
// segment first, then what queries read, then what only hits read.
var ranks = map[string]int{
	".fnm": 0, ".cfe": 0, ".liv": 0, ".fdm": 0, ".tvm": 0, ".tmd": 0, ".psm": 0, ".dvm": 0, ".nvm": 0, ".kdm": 0, ".vem": 0, ".vemf": 0, ".vemq": 0,
	".tip": 0, ".kdi": 0, ".fdx": 0, ".tvx": 0,
	".tim": 1, ".doc": 1, ".nvd": 1, ".kdd": 1, ".dvd": 1, ".pos": 1, ".cfs": 1,
	".pay": 2, ".vec": 2, ".vex": 2, ".veq": 2,
	".fdt": 3, ".tvd": 3,
}

// rank is 2 for files of an unknown kind.
func rank(name string) int {
	if r, ok := ranks[path.Ext(name)]; ok {
		return r
	}
	return 2
}

// openFirst orders files so that an index can open early. Of one rank the largest stand first: the last ones to finish
// are then small.
func openFirst(files []repository.FileInfo) {
	slices.SortStableFunc(files, func(a, b repository.FileInfo) int {
		return cmp.Or(cmp.Compare(rank(a.PhysicalName), rank(b.PhysicalName)), cmp.Compare(b.Length, a.Length), cmp.Compare(a.PhysicalName, b.PhysicalName))
	})
}
