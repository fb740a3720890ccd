package index

import (
	"bytes"
	"errors"
	"sort"

	"github.com/varve-search/varve/lucene"
)

// dictionary is a sorted list of terms that can be asked by ordinal.
type dictionary interface {
	ValueCount() int64
	LookupOrd(ord int64) ([]byte, error)
}

// lookupTerm finds a term by binary search: its ordinal or -insertionPoint-1.
func lookupTerm(d dictionary, term []byte) (int64, error) {
	var err error
	ord := sort.Search(int(d.ValueCount()), func(i int) bool {
		t, e := d.LookupOrd(int64(i))
		if e != nil {
			err = e
		}
		return bytes.Compare(t, term) >= 0
	})
	if err != nil {
		return 0, err
	}
	if int64(ord) < d.ValueCount() {
		t, err := d.LookupOrd(int64(ord))
		if err != nil {
			return 0, err
		}
		if bytes.Equal(t, term) {
			return int64(ord), nil
		}
	}
	return -int64(ord) - 1, nil
}

var errNoPostings = errors.New("a dictionary of doc values has no postings")

// dictEnum walks over a dictionary.
type dictEnum struct {
	d    dictionary
	ord  int64
	term []byte
}

func newDictEnum(d dictionary) *dictEnum { return &dictEnum{d: d, ord: -1} }

func (e *dictEnum) load() ([]byte, error) {
	t, err := e.d.LookupOrd(e.ord)
	e.term = t
	return t, err
}

func (e *dictEnum) Next() ([]byte, error) {
	if e.ord+1 >= e.d.ValueCount() {
		e.ord = e.d.ValueCount()
		e.term = nil
		return nil, nil
	}
	e.ord++
	return e.load()
}

func (e *dictEnum) SeekCeil(term []byte) (lucene.SeekStatus, error) {
	ord, err := lookupTerm(e.d, term)
	if err != nil {
		return lucene.SeekEnd, err
	}
	status := lucene.SeekFound
	if ord < 0 {
		ord, status = -ord-1, lucene.SeekNotFound
	}
	if ord >= e.d.ValueCount() {
		e.ord, e.term = e.d.ValueCount(), nil
		return lucene.SeekEnd, nil
	}
	e.ord = ord
	_, err = e.load()
	return status, err
}

func (e *dictEnum) SeekExact(term []byte) (bool, error) {
	status, err := e.SeekCeil(term)
	return status == lucene.SeekFound, err
}

func (e *dictEnum) SeekOrd(ord int64) error {
	e.ord = ord
	_, err := e.load()
	return err
}

func (e *dictEnum) SeekState([]byte, lucene.TermState) error { return errNoPostings }
func (e *dictEnum) Term() []byte                             { return e.term }
func (e *dictEnum) Ord() int64                               { return e.ord }
func (e *dictEnum) DocFreq() (int32, error)                  { return 0, errNoPostings }
func (e *dictEnum) TotalTermFreq() (int64, error)            { return 0, errNoPostings }
func (e *dictEnum) State() (lucene.TermState, error)         { return nil, errNoPostings }

func (e *dictEnum) Postings(lucene.PostingsEnum, int) (lucene.PostingsEnum, error) {
	return nil, errNoPostings
}

func (e *dictEnum) Impacts(int) (lucene.ImpactsEnum, error) { return nil, errNoPostings }
