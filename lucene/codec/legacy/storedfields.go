package legacy

import (
	"errors"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/storedfields"
	"github.com/varve-search/varve/lucene/store"
)

// Versions of the data file.
const (
	dataChunkStats = 1 // the number of chunks stands behind them
	dataMeta       = 3 // chunk size and the number of chunks stand in a file of their own
	dataNumChunks  = 4 // a chunk tells also whether it is incomplete
	fieldsMeta     = "Lucene85FieldsIndexMeta"
	packedAligned  = 1 // numbers of a chunk end at a byte
	packedCurrent  = 2
)

// storedModes are the attributes of a segment that tell how its stored fields are compressed.
var storedModes = map[string]struct {
	prefix string
	dict   bool
}{
	"Lucene50StoredFieldsFormat.mode": {"Lucene50StoredFields", false},
	"Lucene87StoredFieldsFormat.mode": {"Lucene87StoredFields", true},
}

const (
	maxChunkSize = 8 << 20 // of the limit from which on a writer ends a chunk; they are of 16 to 480 KiB
	maxChunkDocs = 1 << 17
	typeBits     = 3
)

// documents reads the stored fields of a segment from the first document to the last: the index of chunks is not needed then.
type documents struct {
	data      store.Input
	r         store.Reader
	exp       expander
	fields    *lucene.FieldInfos
	maxDoc    int32
	version   int32
	chunkSize int

	base    int32 // first document of the chunk
	counts  []int32
	offsets []int32
	buf     []byte
	err     error // of a chunk; there is no reading on behind it
}

func openDocuments(dir store.Directory, si *lucene.SegmentInfo, fields *lucene.FieldInfos) (*documents, error) {
	d := &documents{fields: fields, maxDoc: si.MaxDoc}
	name := ""
	for attr, m := range storedModes {
		switch mode := si.Attributes[attr]; mode {
		case "":
		case "BEST_SPEED":
			name, d.exp = m.prefix+"FastData", expander{dict: m.dict}
		case "BEST_COMPRESSION":
			name, d.exp = m.prefix+"HighData", expander{dict: m.dict, deflate: true}
		default:
			return nil, &codec.UnsupportedError{Format: clip(mode), Where: "stored fields of segment " + si.Name, Reason: "the mode is not known"}
		}
	}
	if name == "" {
		return nil, &codec.UnsupportedError{Format: clip(si.Codec), Where: "stored fields of segment " + si.Name, Reason: "the segment does not say how they are compressed"}
	}
	var err error
	if d.data, err = dir.Open(lucene.SegmentFileName(si.Name, "", storedfields.DataExtension), store.Sequential); err != nil {
		return nil, err
	}
	if err := d.open(dir, si, name); err != nil {
		return nil, errors.Join(err, d.data.Close())
	}
	return d, nil
}

func (d *documents) open(dir store.Directory, si *lucene.SegmentInfo, name string) error {
	if _, err := codec.ReadFooter(d.data); err != nil {
		return err
	}
	if int64(d.maxDoc) > maxChunkDocs*d.data.Length() {
		return store.Corruptf(d.data.Name(), -1, "%d bytes hold %d documents", d.data.Length(), d.maxDoc)
	}
	d.r.Reset(d.data, 0)
	var err error
	if d.version, err = codec.ReadIndexHeader(&d.r, name, dataChunkStats, dataNumChunks, si.ID, ""); err != nil {
		return err
	}
	if d.version < dataMeta {
		return d.layout(&d.r)
	}
	in, err := dir.Open(lucene.SegmentFileName(si.Name, "", storedfields.MetaExtension), store.Sequential)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := codec.VerifyChecksum(in); err != nil {
		return err
	}
	meta := store.NewReader(in)
	if _, err := codec.ReadIndexHeader(meta, fieldsMeta, 0, d.version, si.ID, ""); err != nil {
		return err
	}
	return d.layout(meta)
}

// layout reads what holds for all chunks.
func (d *documents) layout(r *store.Reader) error {
	d.chunkSize = int(r.VInt())
	packed := r.VInt()
	if r.Err() == nil && (d.chunkSize < 1 || d.chunkSize > maxChunkSize || packed < packedAligned || packed > packedCurrent) {
		return r.Corruptf("chunks of %d bytes with numbers packed in version %d", d.chunkSize, packed)
	}
	return r.Err()
}

// Close releases the file.
func (d *documents) Close() error { return d.data.Close() }

// checkIntegrity reads the data file against its checksum.
func (d *documents) checkIntegrity() error { return codec.VerifyChecksum(d.data) }

// Document implements lucene.StoredFields. Documents must be asked for in ascending order.
func (d *documents) Document(doc int32, v lucene.StoredFieldVisitor) error {
	if doc < d.base || doc >= d.maxDoc {
		return fmt.Errorf("read document %d of %d: documents of an old segment are read in ascending order, and those before %d are gone", doc, d.maxDoc, d.base)
	}
	for d.err == nil && doc-d.base >= int32(len(d.counts)) {
		d.err = d.next()
	}
	if d.err != nil {
		return d.err
	}
	i := doc - d.base
	in := store.NewBytesInput(d.data.Name(), d.buf[d.offsets[i]:d.offsets[i+1]])
	if err := d.visit(store.NewReader(in), int(d.counts[i]), v); err != nil {
		if store.IsCorrupt(err) {
			return &store.CorruptError{File: d.data.Name(), Offset: d.r.Offset(), Problem: fmt.Sprintf("damaged document %d of the chunk that ends here", doc), Err: err}
		}
		return err
	}
	return nil
}

func (d *documents) visit(r *store.Reader, fields int, v lucene.StoredFieldVisitor) error {
	for range fields {
		head := uint64(r.VLong())
		var f *lucene.FieldInfo
		if n := head >> typeBits; r.Err() == nil && n <= math.MaxInt32 {
			f = d.fields.ByNumber(int32(n))
		}
		if f == nil {
			return r.Corruptf("a value of field number %d, which the segment does not have", head>>typeBits)
		}
		need, err := v.Needs(f)
		if err != nil || need == lucene.VisitStop {
			return err
		}
		value := readValue(r, int(head&(1<<typeBits-1)))
		if r.Err() != nil {
			return r.Err()
		}
		if need == lucene.VisitYes {
			if err := v.Field(f, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// next reads the next chunk.
func (d *documents) next() error {
	r := &d.r
	base := d.base + int32(len(d.counts))
	at := r.Offset()
	first, code := r.VInt(), uint32(r.VInt())
	docs := int(code >> 1)
	if d.version >= dataNumChunks {
		docs = int(code >> 2)
	}
	switch {
	case r.Err() != nil:
		return r.Err()
	case first != base || docs < 1 || docs > maxChunkDocs || docs > int(d.maxDoc-base):
		r.SeekTo(at)
		return r.Corruptf("a chunk has %d documents from %d on, where %d of %d are to come", docs, first, d.maxDoc-base, d.maxDoc)
	}
	d.counts = d.numbers(d.counts[:0], docs)
	lengths := d.numbers(nil, docs)
	if r.Err() != nil {
		return r.Err()
	}
	d.offsets = append(d.offsets[:0], 0)
	var total int64
	for i, n := range lengths {
		if total += int64(n); (n == 0) != (d.counts[i] == 0) || total > math.MaxInt32 {
			return r.Corruptf("document %d has %d fields in %d bytes", int(base)+i, d.counts[i], n)
		}
		d.offsets = append(d.offsets, int32(total))
	}
	sliced := code&1 != 0
	if !sliced && total > 4*maxChunkSize {
		return r.Corruptf("a chunk of %d bytes in one piece", total)
	}
	unit := int(total)
	if sliced {
		unit = d.chunkSize
	}
	d.buf = d.buf[:0]
	for {
		var err error
		if d.buf, err = d.exp.expand(d.buf, r, min(unit, int(total)-len(d.buf))); err != nil {
			return err
		}
		if len(d.buf) == int(total) {
			break
		}
	}
	d.base = base
	return nil
}

// numbers reads n numbers: one by itself, equal ones once, else packed, the highest bit first.
func (d *documents) numbers(dst []int32, n int) []int32 {
	r := &d.r
	if n == 1 {
		return append(dst, d.natural(r.VInt()))
	}
	width := int(r.VInt())
	if width == 0 {
		v := d.natural(r.VInt())
		for range n {
			dst = append(dst, v)
		}
		return dst
	}
	if width < 0 || width > 31 {
		r.Corruptf("numbers of %d bits in the header of a chunk", width)
		return dst
	}
	b := r.Bytes((n*width + 7) / 8)
	if r.Err() != nil {
		return dst
	}
	var bits uint64
	have := 0
	for range n {
		for have < width {
			bits, b, have = bits<<8|uint64(b[0]), b[1:], have+8
		}
		have -= width
		dst = append(dst, int32(bits>>have&(1<<width-1)))
	}
	return dst
}

func (d *documents) natural(v int32) int32 {
	if v < 0 {
		d.r.Corruptf("the negative number %d in the header of a chunk", v)
		return 0
	}
	return v
}
