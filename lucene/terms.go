package lucene

// Fields are the inverted fields of a segment, or of one document's term vectors.
type Fields interface {
	// FieldNames returns the names of the fields that have terms, sorted.
	FieldNames() []string
	// Terms returns the terms of a field, or nil if it has none.
	Terms(field string) (Terms, error)
}

// Terms are the terms of one field and their statistics.
type Terms interface {
	// Iterator returns an iterator that stands before the first term.
	Iterator() (TermsEnum, error)
	// Intersect returns an iterator over the terms that the automaton accepts and that come after
	// startTerm (nil: all). It supports Next, not seeks.
	Intersect(a Automaton, startTerm []byte) (TermsEnum, error)
	Size() int64             // number of terms, or -1 if unknown
	SumTotalTermFreq() int64 // tokens; equals SumDocFreq where freqs are not indexed
	SumDocFreq() int64       // postings
	DocCount() int32         // documents that have the field
	IndexOptions() IndexOptions
	HasPayloads() bool
	// Min and Max return the smallest and the largest term, nil if there are none; valid for ever.
	Min() ([]byte, error)
	Max() ([]byte, error)
}

// SeekStatus is where a seek ended.
type SeekStatus uint8

// The outcomes of SeekCeil.
const (
	SeekEnd      SeekStatus = iota // no term is at or after the one sought
	SeekFound                      // the term itself
	SeekNotFound                   // the next one after it
)

// What of the postings a caller will ask for. Each bit is a superset of the one before, as in Lucene.
const (
	PostingsNone      = 0
	PostingsFreqs     = 1 << 3
	PostingsPositions = PostingsFreqs | 1<<4
	PostingsOffsets   = PostingsPositions | 1<<5
	PostingsPayloads  = PostingsPositions | 1<<6
	PostingsAll       = PostingsOffsets | PostingsPayloads
)

// TermState is where a term's postings lie; it lets another iterator of the same field go there
// without a search. It is immutable once returned.
type TermState interface{ IsTermState() }

// TermsEnum walks over terms in byte order.
type TermsEnum interface {
	// Next moves on and returns the term, or nil after the last.
	Next() ([]byte, error)
	// SeekCeil moves to the term or the next one after it.
	SeekCeil(term []byte) (SeekStatus, error)
	// SeekExact moves to the term if it is there; if not, the position is undefined.
	SeekExact(term []byte) (bool, error)
	// SeekState moves to a term by the state that another iterator gave for it.
	SeekState(term []byte, s TermState) error
	// Term returns the current term, valid until the next move.
	Term() []byte
	DocFreq() (int32, error)
	TotalTermFreq() (int64, error) // equals DocFreq where freqs are not indexed
	// Postings returns the postings of the current term. reuse may be a PostingsEnum of the same field that is no longer
	// needed, or nil. What flags do not ask for may be missing.
	Postings(reuse PostingsEnum, flags int) (PostingsEnum, error)
	// Impacts returns postings that know the best scores of blocks ahead.
	Impacts(flags int) (ImpactsEnum, error)
	// State returns the current term's state.
	State() (TermState, error)
}

// PostingsEnum walks over the documents of a term, and over its positions within each.
type PostingsEnum interface {
	DocIDSetIterator
	// Freq returns how often the term occurs in the current document; 1 where freqs are not indexed.
	Freq() (int32, error)
	// NextPosition returns the next position, to be called at most Freq times a document; -1 where
	// positions are not indexed.
	NextPosition() (int32, error)
	StartOffset() int32 // of the current position; -1 if not indexed
	EndOffset() int32
	Payload() []byte // of the current position; nil if none
}

// Impact is a pair that may bring a high score: a frequency with the smallest norm (as unsigned) that occurs with at least
// it. In a list both grow strictly.
type Impact struct {
	Freq int32
	Norm int64
}

// ImpactsEnum is a PostingsEnum that can tell the best impacts ahead without decoding.
type ImpactsEnum interface {
	PostingsEnum
	// AdvanceShallow moves the block pointers, not the current document, to the blocks with target.
	AdvanceShallow(target int32) error
	// NumLevels returns how many levels of blocks there are from the shallow position.
	NumLevels() int
	// DocIDUpTo returns the last doc ID that a level's block covers.
	DocIDUpTo(level int) int32
	// Impacts returns the impacts of a level, valid until the next AdvanceShallow.
	Impacts(level int) ([]Impact, error)
}

// Automaton is a deterministic automaton over bytes. It is immutable and safe for concurrent use.
type Automaton interface {
	Start() int32
	// Step returns the state after b, or -1 if no term can be accepted any more.
	Step(state int32, b byte) int32
	Accepts(state int32) bool
	// NumStates bounds the states: they are 0 to NumStates-1.
	NumStates() int32
	// NextByte returns the smallest byte >= from that leads from state to one that is not dead, or -1.
	NextByte(state int32, from int) int
	// All tells that every continuation from state is accepted, so that no test is needed below it.
	All(state int32) bool
}
