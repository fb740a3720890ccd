package index

import (
	"errors"
	"fmt"
	"io"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/codec/compound"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/norms"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/codec/storedfields"
	"github.com/varve-search/varve/lucene/codec/termvectors"
	"github.com/varve-search/varve/lucene/store"
)

// segmentCore is what does not change in a segment once it is written: all of its files but live docs and
// updates. The readers of a segment at different moments share it.
type segmentCore struct {
	refs
	info     *lucene.SegmentInfo
	codec    catalog.Codec
	access   store.Access
	dir      store.Directory // of the index
	inner    store.Directory // of the segment's files: dir, or the compound file
	compound *compound.Directory
	fields   *lucene.FieldInfos // as they were flushed

	stored    codec.StoredFieldsReader // nil if storedErr is set
	storedErr error
	vectors   codec.TermVectorsReader // nil: none
	postings  perfield.FieldsProducer // nil: none
	norms     codec.NormsProducer     // nil: none
	points    codec.PointsProducer    // nil: none
}

// openCore opens a segment for one user.
func openCore(dir store.Directory, info *lucene.SegmentInfo, access store.Access) (*segmentCore, error) {
	c := &segmentCore{info: info, access: access, dir: dir, inner: dir}
	c.refs.init(c.closeFiles)
	var err error
	if c.codec, err = catalog.Lookup(info.Codec); err == nil {
		err = c.open()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open segment %s: %w", info.Name, err), c.closeFiles())
	}
	return c, nil
}

func (c *segmentCore) open() (err error) {
	if c.info.IsCompoundFile {
		if c.compound, err = compound.Open(c.dir, c.info, c.access); err != nil {
			return err
		}
		c.inner = c.compound
	}
	if c.fields, err = fieldinfo.Read(c.inner, c.info, ""); err != nil {
		return err
	}
	state := c.state(c.fields)
	if c.storedErr = c.codec.StoredFields; c.storedErr == nil {
		stored, err := storedfields.Open(state)
		switch {
		case err == nil:
			c.stored = stored
		case codec.IsUnsupported(err):
			c.storedErr = err
		default:
			return err
		}
	}
	// Each is assigned only when it was opened: an interface with a nil pointer in it is not nil.
	if c.fields.HasTermVectors() {
		v, err := termvectors.Open(state)
		if err != nil {
			return err
		}
		c.vectors = v
	}
	if c.fields.HasPostings() {
		if c.postings, err = perfield.NewFieldsProducer(state); err != nil {
			c.postings = nil
			return err
		}
	}
	if c.fields.HasNorms() {
		n, err := norms.NewProducer(state)
		if err != nil {
			return err
		}
		c.norms = n
	}
	if c.fields.HasPoints() {
		p, err := points.NewProducer(state)
		if err != nil {
			return err
		}
		c.points = p
	}
	return nil
}

func (c *segmentCore) state(fields *lucene.FieldInfos) *codec.ReadState {
	return &codec.ReadState{Dir: c.inner, Info: c.info, Fields: fields, Access: c.access}
}

// parts returns what is open of the segment.
func (c *segmentCore) parts() []codec.Checker {
	var parts []codec.Checker
	if c.stored != nil {
		parts = append(parts, c.stored)
	}
	if c.vectors != nil {
		parts = append(parts, c.vectors)
	}
	if c.postings != nil {
		parts = append(parts, c.postings)
	}
	if c.norms != nil {
		parts = append(parts, c.norms)
	}
	if c.points != nil {
		parts = append(parts, c.points)
	}
	if c.compound != nil {
		parts = append(parts, c.compound)
	}
	return parts
}

func (c *segmentCore) closeFiles() error {
	var errs []error
	for _, p := range c.parts() {
		errs = append(errs, p.(io.Closer).Close())
	}
	return errors.Join(errs...)
}
