package analysis

import (
	"sync"
	"unicode/utf8"
)

// DefaultMaxTokenLength is the longest token of the standard tokenizer, in UTF-16 units.
const DefaultMaxTokenLength = 255

// Token types of the standard tokenizer.
const (
	TypeAlphanum       = "<ALPHANUM>"
	TypeNum            = "<NUM>"
	TypeSoutheastAsian = "<SOUTHEAST_ASIAN>"
	TypeIdeographic    = "<IDEOGRAPHIC>"
	TypeHiragana       = "<HIRAGANA>"
	TypeKatakana       = "<KATAKANA>"
	TypeHangul         = "<HANGUL>"
	TypeEmoji          = "<EMOJI>"
)

// Classes of characters, by which UAX #29 and UTS #51 tell where words end. The order is that of
// wordBreakRuns.
const (
	wcOther = iota
	wcDoubleQuote
	wcKeycapSign // # and *
	wcSingleQuote
	wcMidNum
	wcMidNumLet
	wcDigit // 0-9, which can start a key cap
	wcMidLetter
	wcLetter
	wcExtendNumLet
	wcPictographic
	wcExtend // Extend and Format
	wcHebrew
	wcNumeric
	wcComplex       // South-East Asian, Line_Break=Complex_Context
	wcComplexExtend // such a character that is Extend too
	wcHangul
	wcZWJ
	wcKeycap       // U+20E3
	wcEmojiLetter  // a letter that is an emoji too
	wcHan          //
	wcKatakana     //
	wcHiragana     //
	wcTextStyle    // U+FE0E
	wcEmojiStyle   // U+FE0F
	wcRegional     // regional indicators
	wcModifier     // skin tones
	wcTag          // U+E0020-U+E007E
	wcTagEnd       // U+E007F
	wordClassCount //
)

// charClasses is a two-level table: the class of r is blocks[index[r>>8]][r&255].
type charClasses struct {
	ascii  [utf8.RuneSelf]uint8
	index  [utf8.MaxRune>>8 + 1]uint16
	blocks [][256]uint8
}

func (w *charClasses) of(r rune) uint8 { return w.blocks[w.index[r>>8]][r&0xFF] }

var loadWordClasses = sync.OnceValue(func() *charClasses { return newCharClasses(wordBreakRuns[:]) })

// newCharClasses expands runs of classes: code point shifted left by 5, class in the low five bits.
func newCharClasses(runs []uint32) *charClasses {
	w := &charClasses{}
	seen := map[[256]uint8]uint16{}
	var block [256]uint8
	run, class := 0, uint8(0)
	for r := 0; r <= utf8.MaxRune; r++ {
		if run < len(runs) && int(runs[run]>>5) == r {
			class = uint8(runs[run] & 31)
			run++
		}
		if r < utf8.RuneSelf {
			w.ascii[r] = class
		}
		block[r&0xFF] = class
		if r&0xFF == 0xFF {
			i, ok := seen[block]
			if !ok {
				i = uint16(len(w.blocks))
				seen[block] = i
				w.blocks = append(w.blocks, block)
			}
			w.index[r>>8] = i
		}
	}
	return w
}

var standardTypes = [...]string{TypeEmoji, TypeNum, TypeHangul, TypeKatakana, TypeAlphanum,
	TypeSoutheastAsian, TypeIdeographic, TypeHiragana}

// loadStandardLexer compiles the word-boundary rules of UAX #29 (WB4 to WB13b), the emoji sequences of
// UTS #51, and single tokens for ideographs and hiragana. What no rule matches is skipped.
var loadStandardLexer = sync.OnceValue(func() *lexer {
	ignored := set(wcExtend, wcComplexExtend, wcZWJ, wcKeycap, wcTextStyle, wcEmojiStyle, wcModifier, wcTag, wcTagEnd)
	ex := star(one(ignored))
	with := func(classes ...int) *expr { return seq(one(set(classes...)), ex) }

	letter := with(wcLetter, wcHebrew, wcHangul, wcEmojiLetter)
	hebrew := with(wcHebrew)
	hangul := with(wcHangul)
	numeric := with(wcDigit, wcNumeric)
	katakana := with(wcKatakana)
	midLetter := with(wcMidLetter, wcMidNumLet, wcSingleQuote)
	midNum := with(wcMidNum, wcMidNumLet, wcSingleQuote)
	joiner := with(wcExtendNumLet)
	joiners := star(joiner)

	// WB4 for emoji: the presentation selectors count, so they are not among what is ignored.
	emojiEx := star(one(ignored &^ set(wcTextStyle, wcEmojiStyle)))
	zwj := one(set(wcZWJ))
	emojiChar := seq(one(set(wcPictographic, wcEmojiLetter)), emojiEx)
	modifier := seq(one(set(wcModifier)), emojiEx)
	emojiElement := alt(
		seq(star(zwj), emojiChar, optional(one(set(wcEmojiStyle)))),
		seq(optional(seq(star(zwj), emojiChar)), modifier))
	emoji := alt(
		seq(emojiElement, alt(star(seq(zwj, emojiElement)), seq(plus(one(set(wcTag))), one(set(wcTagEnd))))),
		seq(one(set(wcDigit, wcKeycapSign)), emojiEx, optional(one(set(wcEmojiStyle))), one(set(wcKeycap)), emojiEx),
		times(with(wcRegional), 2))

	numbers := seq(numeric, star(seq(alt(joiners, midNum), numeric)))
	letters := seq(letter, star(seq(alt(joiners, midLetter), letter)))
	kana := seq(katakana, star(seq(joiners, katakana)))
	hebrewQuoted := seq(hebrew, alt(with(wcSingleQuote), seq(with(wcDoubleQuote), hebrew)))
	part := alt(kana, plus(alt(hebrewQuoted, numbers, letters)))
	word := seq(joiners, part, star(seq(plus(joiner), part)), joiners)

	return newLexer(wordClassCount,
		emoji,
		seq(joiners, numbers, joiners),
		plus(hangul),
		plus(katakana),
		word,
		plus(with(wcComplex, wcComplexExtend)),
		with(wcHan),
		with(wcHiragana))
})

// standardTokenizer splits text at word boundaries and drops what is no word.
type standardTokenizer struct {
	source
	lex *lexer
	wc  *charClasses
	max int // UTF-16 units
	pos int
}

func newStandardTokenizer(maxTokenLength int) func() tokenizer {
	return func() tokenizer {
		return &standardTokenizer{lex: loadStandardLexer(), wc: loadWordClasses(), max: maxTokenLength}
	}
}

func (z *standardTokenizer) Reset() { z.pos = 0 }

func (z *standardTokenizer) Next() bool {
	lex, wc, text := z.lex, z.wc, z.text
	for z.pos < len(text) {
		start := z.pos
		state, rule, end := 0, int8(-1), start
		left := z.max
		for p := start; p < len(text) && left > 0; {
			var class uint8
			if c := text[p]; c < utf8.RuneSelf {
				class = wc.ascii[c]
				p++
				left--
			} else {
				r, w := utf8.DecodeRune(text[p:])
				class = wc.of(r)
				p += w
				if left -= unitsOf(r); left < 0 {
					break
				}
			}
			state = int(lex.next[state*wordClassCount+int(class)])
			if state < 0 {
				break
			}
			if a := lex.accept[state]; a >= 0 {
				rule, end = a, p
			}
		}
		if rule < 0 {
			_, w := z.rune(start)
			if w == 4 && z.max == 1 {
				break // Lucene's buffer of one unit cannot hold the character: it sees the end
			}
			z.pos = start + w
			continue
		}
		z.pos = end
		z.emit(start, end, standardTypes[rule])
		return true
	}
	return false
}
